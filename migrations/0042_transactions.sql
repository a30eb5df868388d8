-- Transactions: what was accepted, what blocks made of it, what waits. Rows are only added where many
-- come at once: what a block holds is one more row, not a change of the first.
create schema transactions_v1;

create table transactions_v1.accepted (
    hash bytea not null,
    sender bytea not null,
    nonce bigint not null,
    -- Whom it concerns besides the sender.
    recipient bytea,
    kind text collate "C" not null,
    amount numeric(39, 0),
    fee numeric(39, 0) not null,
    bytes integer not null,
    -- The transaction whose place it took.
    replaces bytea,
    accepted_at timestamptz not null,
    -- The event that holds it whole.
    position bigint not null,
    constraint accepted_hash primary key (hash)
);
create unique index accepted_position on transactions_v1.accepted (position);
create index accepted_sender on transactions_v1.accepted (sender, position);
create index accepted_recipient on transactions_v1.accepted (recipient, position)
    where recipient is not null;
create index accepted_replaces on transactions_v1.accepted (replaces) where replaces is not null;

create table transactions_v1.included (
    height bigint not null,
    -- Its place in the block, from 0.
    place integer not null,
    hash bytea not null,
    block_hash bytea not null,
    -- 0 when it succeeded.
    code integer not null,
    failure text,
    final_at timestamptz not null,
    constraint included_place primary key (height, place)
);
create unique index included_hash on transactions_v1.included (hash);

create table transactions_v1.evicted (
    hash bytea not null,
    reason text collate "C" not null,
    evicted_at timestamptz not null,
    -- The event that says so: an acceptance after it stands.
    position bigint not null,
    constraint evicted_hash primary key (hash)
);

-- The mempool: of each sender and nonce the transaction that stands, in the order of blocks.
create table transactions_v1.waiting (
    sender bytea not null,
    nonce bigint not null,
    hash bytea not null,
    fee numeric(39, 0) not null,
    bytes integer not null,
    -- What it pays for each byte.
    rate numeric not null,
    accepted_at timestamptz not null,
    constraint waiting_nonce primary key (sender, nonce)
);
create index waiting_rate on transactions_v1.waiting (rate desc, hash);
create index waiting_hash on transactions_v1.waiting (hash);

-- The nonce of each sender's next transaction, as far as blocks were executed.
create table transactions_v1.senders (
    sender bytea not null,
    nonce bigint not null,
    constraint senders_sender primary key (sender)
);

create view read.accepted as select * from transactions_v1.accepted;
create view read.included as select * from transactions_v1.included;
create view read.evicted as select * from transactions_v1.evicted;
create view read.waiting as select * from transactions_v1.waiting;
create view read.senders as select * from transactions_v1.senders;
