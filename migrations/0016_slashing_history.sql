-- Every offence that was punished, and what it cost.
create schema slashing_history_v1;

create table slashing_history_v1.slashings (
    position bigint not null,
    at timestamptz not null,
    address bytea not null,
    offence text collate "C" not null,
    height bigint not null,
    epoch bigint not null,
    offence_epoch bigint not null,
    evidence bytea not null,
    bond_bps integer not null,
    delegated_bps integer not null,
    burned numeric(39, 0) not null,
    burned_bond numeric(39, 0) not null,
    burned_delegated numeric(39, 0) not null,
    burned_unbonding numeric(39, 0) not null,
    bond numeric(39, 0) not null,
    delegated numeric(39, 0) not null,
    stake numeric(39, 0) not null,
    power bigint not null,
    quarantined_until bigint not null,
    actor text not null,
    correlation uuid not null,
    constraint slashings_position primary key (position)
);
create index slashings_address on slashing_history_v1.slashings (address, position);
create index slashings_offence on slashing_history_v1.slashings (offence, position);

create view read.slashing_history as select * from slashing_history_v1.slashings;
