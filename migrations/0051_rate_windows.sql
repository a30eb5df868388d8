-- How much of which limit was used lately: shared by all servers, so that a limit is one limit. Not
-- logged: after a crash of the database everybody begins anew.
create unlogged table rate_windows (
    key      text collate "C" not null,
    -- Which window, counted from 1970.
    slot     bigint not null,
    -- How far the window had gone when it was last asked, 0 to 1.
    elapsed  double precision not null,
    -- What was granted in the window before, and in this one.
    previous integer not null,
    used     integer not null,
    -- What was asked for last, of how much, and what was granted of it.
    wanted   integer not null,
    quota    integer not null,
    granted  integer not null,
    constraint rate_windows_pkey primary key (key)
) with (fillfactor = 50);
create index rate_windows_slot on rate_windows (slot);
comment on table rate_windows is 'sliding windows of rate limits';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, update, delete on rate_windows to node0_app;
    end if;
end
$$;
