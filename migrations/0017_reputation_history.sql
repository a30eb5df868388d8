-- Every change of a validator's reputation, beginning with what it registered with.
create schema reputation_history_v1;

create table reputation_history_v1.reputations (
    position bigint not null,
    at timestamptz not null,
    address bytea not null,
    -- registration, performance, or an offence.
    cause text collate "C" not null,
    epoch bigint not null,
    -- Null for a registration.
    "from" bigint,
    "to" bigint not null,
    constraint reputations_position primary key (position)
);
create index reputations_address on reputation_history_v1.reputations (address, position);

-- An epoch's duties, counted.
create table reputation_history_v1.performances (
    address bytea not null,
    epoch bigint not null,
    proposed bigint not null,
    signed bigint not null,
    missed bigint not null,
    downtime boolean not null,
    at timestamptz not null,
    position bigint not null,
    constraint performances_epoch primary key (address, epoch)
);

create view read.reputation_history as select * from reputation_history_v1.reputations;
create view read.performances as select * from reputation_history_v1.performances;
