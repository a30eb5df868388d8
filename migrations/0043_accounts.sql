-- Accounts of our own chain as the last executed block left them, and what they have at stake.
create schema accounts_v1;

create table accounts_v1.accounts (
    address bytea not null,
    balance numeric(39, 0) not null,
    -- The nonce of the next transaction: how many were executed.
    nonce bigint not null,
    -- The height that changed it last; 0 for the genesis document.
    height bigint not null,
    constraint accounts_address primary key (address)
);
create index accounts_balance on accounts_v1.accounts (balance desc, address);

create table accounts_v1.stakes (
    owner bytea not null,
    validator bytea not null,
    -- bond: a validator's own. delegation. unbonding: on its way back.
    kind text collate "C" not null,
    -- Of what is on its way back: the epochs in which it began, and in which it is back. Else 0.
    started bigint not null,
    matures bigint not null,
    amount numeric(39, 0) not null,
    constraint stakes_stake primary key (owner, validator, kind, started, matures),
    constraint stakes_kind check (kind in ('bond', 'delegation', 'unbonding'))
);

create view read.accounts as select * from accounts_v1.accounts;
create view read.stakes as select * from accounts_v1.stakes;
