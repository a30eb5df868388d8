-- Chains: one row for each chain, our own or observed, with its head; and its forks.
create schema chains_v1;

create table chains_v1.chains (
    chain_id text collate "C" not null,
    kind text collate "C" not null,
    -- The stream of the epoch last opened, its version, and whether its books are closed.
    stream text collate "C" not null,
    version bigint not null,
    epoch bigint not null,
    closed boolean not null,
    -- The head: the last recorded header. None in a chain of our own before its first block.
    height bigint,
    hash bytea,
    "time" timestamptz,
    next_validators_hash bytea,
    headers_observed bigint not null,
    headers_rejected bigint not null,
    -- Observed chains: where observation began, and by which rules headers are taken.
    anchor_height bigint,
    anchor_hash bytea,
    epoch_headers bigint,
    trusting_period_s bigint,
    -- Chains of our own: what the genesis document said.
    genesis_hash bytea,
    genesis_time timestamptz,
    initial_height bigint,
    accounts bigint,
    validators bigint,
    validators_hash bytea,
    app_hash bytea,
    bonded numeric(39, 0),
    supply numeric(39, 0),
    parameters text,
    -- The fork that must be resolved, when there is one.
    fork_height bigint,
    fork_recorded bytea,
    fork_conflicting bytea,
    fork_time timestamptz,
    fork_next_validators_hash bytea,
    fork_detected_at timestamptz,
    started_at timestamptz not null,
    -- The newest event that changed this row.
    updated_at timestamptz not null,
    position bigint not null,
    constraint chains_chain_id primary key (chain_id),
    constraint chains_kind check (kind in ('native', 'observed'))
);

create table chains_v1.forks (
    -- The event that detected it.
    position bigint not null,
    chain_id text collate "C" not null,
    height bigint not null,
    recorded bytea not null,
    conflicting bytea not null,
    -- Who signed both: addresses of 20 bytes, one after the other.
    culprits bytea not null,
    detected_at timestamptz not null,
    -- Which of the two was kept, why and when; null until it is resolved.
    kept bytea,
    reason text,
    resolved_at timestamptz,
    constraint forks_position primary key (position),
    constraint forks_culprits_are_whole check (octet_length(culprits) % 20 = 0)
);
create index forks_chain on chains_v1.forks (chain_id, position);

create view read.chains as select * from chains_v1.chains;
create view read.forks as select * from chains_v1.forks;
