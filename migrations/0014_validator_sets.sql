-- Validator sets: one row for each epoch of a chain, with its members in CometBFT's order (by power, the
-- greatest first, then by address). A set has at most a few hundred members and never changes: the
-- members are arrays of the row, one entry of each array for each member.
create schema validator_sets_v1;

create table validator_sets_v1.validator_sets (
    chain_id text collate "C" not null,
    epoch bigint not null,
    set_hash bytea not null,
    total_power bigint not null,
    addresses bytea[] not null,
    powers bigint[] not null,
    public_keys bytea[] not null,
    joined bytea[] not null,
    "left" bytea[] not null,
    rotated_at timestamptz not null,
    version bigint not null,
    position bigint not null,
    constraint validator_sets_epoch primary key (chain_id, epoch),
    constraint validator_sets_members_are_whole check (
        cardinality(addresses) = cardinality(powers) and cardinality(powers) = cardinality(public_keys))
);
create index validator_sets_hash on validator_sets_v1.validator_sets (set_hash);

create view read.validator_sets as
    select chain_id, epoch, set_hash, total_power, cardinality(addresses)::bigint as members,
           joined, "left", rotated_at, version, position
      from validator_sets_v1.validator_sets;
create view read.validator_set_members as
    select s.chain_id, s.epoch, m.place, m.address, m.power, m.public_key
      from validator_sets_v1.validator_sets s,
           unnest(s.addresses, s.powers, s.public_keys)
               with ordinality m (address, power, public_key, place);
