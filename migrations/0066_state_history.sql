-- Where the state of our own chain changed: the positions of the events that say so.
create schema state_history_v1;

create table state_history_v1.changes (
    -- Whose: an account's address, the transaction that anchored a document, a block's hash, or
    -- the chain's name.
    subject bytea not null,
    -- What of it: nothing for the subject itself; else which of an account's stakes, or what
    -- happened to the chain.
    part bytea not null,
    position bigint not null,
    constraint changes_position primary key (subject, part, position)
);

create view read.state_changes as select * from state_history_v1.changes;

-- The running application reads and writes it, as it does the others (0019).
do $$
begin
    if not exists (select from pg_roles where rolname = 'node0_app') then
        return;
    end if;
    grant select on all tables in schema read to node0_app;
    grant usage on schema state_history_v1 to node0_app;
    grant select, insert, update, delete, truncate on all tables in schema state_history_v1
        to node0_app;
end
$$;

-- Whether a chain has headers that a fork was about: there are few, or none.
create index headers_forked on headers_v1.headers (chain_id) where state <> 'recorded';
