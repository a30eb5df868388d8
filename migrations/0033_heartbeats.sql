-- Validators' signs of life: telemetry, kept for a while and then deleted. Nothing is decided by
-- them, and what is lost of them in a crash is no loss.
create table heartbeats (
    -- 20 bytes in upper hex.
    validator text collate "C" not null,
    -- By the database's clock: validators' own may be wrong.
    at timestamptz not null default clock_timestamp(),
    -- The height that comes next for it, and where in the height it is.
    height bigint not null,
    round bigint not null,
    step text not null,
    -- How many transactions wait with it.
    mempool bigint not null,
    -- Of the program.
    version text not null,
    -- Also how the newest of each is found, and what is too old.
    constraint heartbeats_validator_at primary key (validator, at),
    constraint heartbeats_validator_is_an_address check (validator ~ '^[0-9A-F]{40}$'),
    constraint heartbeats_height_counts_from_one check (height >= 1),
    constraint heartbeats_round_counts_from_zero check (round >= 0),
    constraint heartbeats_step_is_one check (step in ('propose', 'prevote', 'precommit')),
    constraint heartbeats_mempool_is_a_count check (mempool >= 0),
    constraint heartbeats_version_is_short check (version ~ '^[!-~]{1,50}$')
);

comment on table heartbeats is 'signs of life of validators, for as long as they are of interest';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on heartbeats to node0_app;
    end if;
end
$$;
