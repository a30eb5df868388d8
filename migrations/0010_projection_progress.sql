-- How far each read model has followed the log, and which parts of it wait for repair.
--
-- A read model's tables live in a schema of their own, `<name>_v<version>`, and are read through views
-- in the schema `read`: a next version can be built beside the one in use and be switched to by
-- replacing the view. The effect of events and the checkpoint are written in one transaction; the
-- checkpoint row, locked and compared there, is the fence between processes.
create schema read;

create table projection_checkpoints (
    name text collate "C" not null,
    version integer not null,
    -- Everything up to here has been scanned, whether or not the model follows it.
    position bigint not null default 0,
    -- The log this position belongs to (`head.incarnation`): positions of another say nothing.
    incarnation uuid not null,
    -- When the position moved last, by the database's clock.
    moved_at timestamptz not null default now(),
    -- Events scanned per second of late.
    events_per_s bigint not null default 0,
    -- The last thing that went wrong, kept for whoever comes to look.
    last_error text,
    last_error_at timestamptz,
    -- Why the model does not move; null while it does.
    stalled_because text,
    constraint projection_checkpoints_name primary key (name, version),
    constraint projection_checkpoints_are_well_formed
        check (position >= 0 and version > 0 and events_per_s >= 0)
) with (fillfactor = 10);

-- A key (one validator, one chain) whose events could not be applied from `position` on. The rest of
-- the model moves; the key stands still until it is redriven, and then replays in order.
create table projection_parked (
    name text collate "C" not null,
    version integer not null,
    key text collate "C" not null,
    -- The first event that was not applied; every later one of the key waits behind it.
    position bigint not null,
    error text not null,
    parked_at timestamptz not null default now(),
    constraint projection_parked_key primary key (name, version, key),
    constraint projection_parked_position check (position > 0)
);
