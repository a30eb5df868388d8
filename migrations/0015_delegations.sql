-- Delegations: who has staked how much on whom, each validator's own bond, and what is on its way out.
create schema delegations_v1;

create table delegations_v1.bonds (
    validator bytea not null,
    chain_id text collate "C" not null,
    bond numeric(39, 0) not null,
    delegated numeric(39, 0) not null,
    stake numeric(39, 0) not null,
    power bigint not null,
    updated_at timestamptz not null,
    position bigint not null,
    constraint bonds_validator primary key (validator)
) with (fillfactor = 80);

-- No rows of nothing: a delegation that ended is deleted.
create table delegations_v1.delegations (
    validator bytea not null,
    delegator bytea not null,
    delegation numeric(39, 0) not null,
    -- When the first stake came that is still a part of it.
    since timestamptz not null,
    updated_at timestamptz not null,
    position bigint not null,
    constraint delegations_pair primary key (validator, delegator),
    constraint delegations_are_something check (delegation > 0)
) with (fillfactor = 80);
create index delegations_delegator on delegations_v1.delegations (delegator, validator);
create index delegations_size on delegations_v1.delegations (validator, delegation, delegator);

-- What began to unbond in one epoch and matures in one epoch is one entry for each owner.
create table delegations_v1.unbondings (
    validator bytea not null,
    matures bigint not null,
    started bigint not null,
    -- Whose stake it is; empty for the validator's own bond.
    delegator bytea not null,
    amount numeric(39, 0) not null,
    updated_at timestamptz not null,
    position bigint not null,
    constraint unbondings_entry primary key (validator, matures, started, delegator),
    constraint unbondings_are_something check (amount > 0)
);
create index unbondings_delegator
    on delegations_v1.unbondings (delegator, matures, started, validator) where delegator <> '';

create view read.bonds as select * from delegations_v1.bonds;
create view read.delegations as select * from delegations_v1.delegations;
create view read.unbondings as select * from delegations_v1.unbondings;
