-- Replays: read models as they were at a position, each replay in a database of its own beside this one.
--
-- A row is there before its database is made, and until after it is dropped: no database is left behind.
create table replays (
    id uuid not null,
    -- The last position that it knows.
    until bigint not null,
    -- The read models that it has.
    projections text[] not null,
    state text not null default 'building',
    -- What all of its read models reflect by now, how many events a second they scan, and how many of
    -- their keys are parked.
    position bigint not null default 0,
    events_per_s bigint not null default 0,
    parked bigint not null default 0,
    -- Why it does not go on; null while it does.
    error text,
    requested_by text not null,
    requested_at timestamptz not null default clock_timestamp(),
    finished_at timestamptz,
    expires_at timestamptz not null,
    -- The process that builds or removes it, until when by this database's clock.
    holder uuid,
    leased_until timestamptz,
    constraint replays_id primary key (id),
    constraint replays_state check (state in ('building', 'ready', 'cancelled'))
);
comment on table replays is 'read models as they were at a position, each in a database beside this one';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, update, delete on replays to node0_app;
    end if;
end
$$;
