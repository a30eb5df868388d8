-- Blocks of our own chain, whatever became of them.
create schema blocks_v1;

create table blocks_v1.blocks (
    hash bytea not null,
    chain_id text collate "C" not null,
    height bigint not null,
    -- proposed: recorded. valid, rejected: judged. final: agreed on. abandoned: given up.
    state text collate "C" not null,
    "time" timestamptz not null,
    proposer bytea not null,
    transactions integer not null,
    evidence integer not null,
    -- Of the body, which is kept as content under its hash.
    body bytea not null,
    body_bytes integer not null,
    -- The state its header names: that after the block before.
    app_hash bytea not null,
    last_block_hash bytea,
    validators_hash bytea not null,
    next_validators_hash bytea not null,
    proposed_at timestamptz not null,
    -- Every reason against it, as sentences.
    faults jsonb not null default '[]',
    -- Of what became final.
    round integer,
    signed_power bigint,
    total_power bigint,
    finalized_at timestamptz,
    -- Of what was executed.
    state_root bytea,
    receipts_root bytea,
    failed integer,
    fees numeric(39, 0),
    applied_at timestamptz,
    -- The event that recorded it.
    position bigint not null,
    constraint blocks_hash primary key (hash),
    constraint blocks_state check (state in ('proposed', 'valid', 'rejected', 'final', 'abandoned'))
);
create index blocks_height on blocks_v1.blocks (chain_id, height, hash);

create view read.blocks as select * from blocks_v1.blocks;
