-- Headers of observed chains, recorded and abandoned ones; and those that failed verification.
create schema headers_v1;

create table headers_v1.headers (
    chain_id text collate "C" not null,
    height bigint not null,
    hash bytea not null,
    -- recorded: the chain's header of this height. conflicting: the other one of an open fork.
    -- abandoned: lost a fork, or follows one that did.
    state text collate "C" not null,
    "time" timestamptz not null,
    time_nanos smallint not null,
    proposer bytea not null,
    round integer not null,
    app_hash bytea not null,
    data_hash bytea,
    last_block_hash bytea,
    validators_hash bytea not null,
    next_validators_hash bytea not null,
    -- Unknown for a header that was only reported in a fork.
    signed_power bigint,
    total_power bigint not null,
    verification text collate "C",
    -- The epoch whose stream holds it.
    epoch bigint not null,
    -- The event that holds it, with the signed header's protobuf.
    position bigint not null,
    observed_at timestamptz not null,
    constraint headers_height primary key (chain_id, height, hash),
    constraint headers_state check (state in ('recorded', 'conflicting', 'abandoned'))
);
create index headers_hash on headers_v1.headers (hash);
create index headers_proposer on headers_v1.headers (chain_id, proposer, height, hash);

create table headers_v1.rejections (
    -- The event that says so.
    position bigint not null,
    chain_id text collate "C" not null,
    height bigint not null,
    hash bytea not null,
    signed_header_hash bytea not null,
    -- The fault's code and the sentence with its numbers.
    code text collate "C" not null,
    reason text not null,
    rejected_at timestamptz not null,
    constraint rejections_position primary key (position)
);
create index rejections_chain on headers_v1.rejections (chain_id, position);

create view read.headers as select * from headers_v1.headers;
create view read.rejections as select * from headers_v1.rejections;
