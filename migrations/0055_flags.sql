-- Feature flags: for whom each is on now.
create schema flags_v1;

create table flags_v1.flags (
    key text collate "C" not null,
    description text not null,
    -- alive or killed.
    standing text collate "C" not null,
    bps integer not null,
    -- For whom it is on in any case.
    targets text[] not null,
    -- Why it was killed.
    reason text,
    version bigint not null,
    created_at timestamptz not null,
    changed_at timestamptz not null,
    constraint flags_key primary key (key)
);
create index flags_standing on flags_v1.flags (standing, key);

create view read.flags as select * from flags_v1.flags;

-- The running application reads and writes it, as it does the others (0019).
do $$
begin
    if not exists (select from pg_roles where rolname = 'node0_app') then
        return;
    end if;
    grant select on all tables in schema read to node0_app;
    grant usage on schema flags_v1 to node0_app;
    grant select, insert, update, delete, truncate on all tables in schema flags_v1 to node0_app;
end
$$;
