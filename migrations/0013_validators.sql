-- Validators: one row for each, as it is now.
create schema validators_v1;

create table validators_v1.validators (
    address bytea not null,
    chain_id text collate "C" not null,
    operator text collate "C" not null,
    public_key bytea not null,
    moniker text collate "C" not null,
    website text,
    contact text,
    commission_bps integer not null,
    standing text collate "C" not null,
    -- Own bond + delegations = stake; the power it gives.
    bond numeric(39, 0) not null,
    delegated numeric(39, 0) not null,
    stake numeric(39, 0) not null,
    power bigint not null,
    reputation bigint not null,
    -- While jailed: why, and before when it cannot come back.
    jail_reason text,
    jailed_until timestamptz,
    -- Before this epoch it cannot be activated.
    quarantined_until bigint not null,
    -- While exiting: from which epoch the exit can be completed.
    exit_matures bigint,
    slashes bigint not null,
    burned numeric(39, 0) not null,
    -- The last epoch whose duties were counted, and the counts.
    last_performance bigint,
    proposed bigint,
    signed bigint,
    missed bigint,
    reservation text,
    registered_at timestamptz not null,
    registered_position bigint not null,
    -- The stream's version and the newest event that changed this row.
    version bigint not null,
    updated_at timestamptz not null,
    position bigint not null,
    constraint validators_address primary key (address),
    constraint validators_standing check (standing in
        ('registered', 'active', 'jailed', 'slashed', 'exiting', 'exited', 'tombstoned'))
) with (fillfactor = 80);
create index validators_power on validators_v1.validators (power, address);
create index validators_reputation on validators_v1.validators (reputation, address);
create index validators_moniker on validators_v1.validators (moniker, address);
create index validators_registered on validators_v1.validators (registered_position);
create index validators_operator on validators_v1.validators (operator, address);

create view read.validators as select * from validators_v1.validators;
