-- Heights of our own chain: their rounds, what was voted in them, and who contradicted themselves.
create schema heights_v1;

create table heights_v1.heights (
    chain_id text collate "C" not null,
    height bigint not null,
    validators integer not null,
    total_power bigint not null,
    validators_hash bytea not null,
    -- The newest round.
    round integer not null,
    started_at timestamptz not null,
    -- Of the block that was agreed on.
    block_hash bytea,
    committed_round integer,
    committed_at timestamptz,
    -- From the height's start to the agreement, in milliseconds.
    took_ms bigint,
    constraint heights_height primary key (chain_id, height)
);

create table heights_v1.rounds (
    chain_id text collate "C" not null,
    height bigint not null,
    round integer not null,
    proposer bytea not null,
    started_at timestamptz not null,
    block_hash bytea,
    proposed_at timestamptz,
    polka boolean not null default false,
    -- Why it came to nothing.
    failed text collate "C",
    constraint rounds_round primary key (chain_id, height, round)
);

create table heights_v1.votes (
    chain_id text collate "C" not null,
    height bigint not null,
    round integer not null,
    kind text collate "C" not null,
    validator bytea not null,
    -- The block; none for nil.
    block_hash bytea,
    signed_at timestamptz not null,
    recorded_at timestamptz not null,
    constraint votes_vote primary key (chain_id, height, round, kind, validator)
);

create table heights_v1.equivocations (
    -- The event that says so.
    position bigint not null,
    chain_id text collate "C" not null,
    height bigint not null,
    round integer not null,
    validator bytea not null,
    -- What was said twice: proposal, prevote or precommit.
    kind text collate "C" not null,
    detected_at timestamptz not null,
    constraint equivocations_position primary key (position)
);
create index equivocations_height on heights_v1.equivocations (chain_id, height);

create view read.heights as select * from heights_v1.heights;
create view read.rounds as select * from heights_v1.rounds;
create view read.votes as select * from heights_v1.votes;
create view read.equivocations as select * from heights_v1.equivocations;
