-- How far each process that outlives a request has followed the log, and whether it cannot go on.
--
-- A position is saved only after everything that comes of the events up to it is durable. What was
-- begun and not saved is done again: each step has a command id of its own, derived from the event
-- and the process, and is done once.
create table reactions (
    name text collate "C" not null,
    -- Everything up to here has been dealt with, whether or not the process follows it.
    position bigint not null default 0,
    -- The log this position belongs to (`head.incarnation`): positions of another say nothing.
    incarnation uuid not null,
    -- When the position moved last, by the database's clock.
    moved_at timestamptz not null default now(),
    -- The event that the process cannot deal with, why, and since when; null while it goes on.
    parked_position bigint,
    parked_because text,
    parked_since timestamptz,
    constraint reactions_name primary key (name),
    constraint reactions_name_is_short check (name ~ '^[a-z][a-z-]{0,62}$'),
    constraint reactions_position_is_one check (position >= 0),
    constraint reactions_parked_as_a_whole check (
        (parked_position is null) = (parked_because is null)
        and (parked_position is null) = (parked_since is null)
    )
) with (fillfactor = 10);

comment on table reactions is 'checkpoints of processes that follow the log';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, update on reactions to node0_app;
    end if;
end
$$;
