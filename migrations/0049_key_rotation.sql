-- Keys change while everything goes on: a signing key is published before it signs, and checks
-- after it has signed; secrets are sealed anew under another master key.

alter table signing_keys
    add column signs_from timestamptz not null default now();
comment on column signing_keys.signs_from is 'when it takes the place of the one before';

create table index_keys (
    singleton boolean not null default true,
    -- By what mail addresses are found, under the master key, which it outlives.
    sealed    bytea not null,
    constraint index_keys_pkey primary key (singleton),
    constraint index_keys_one check (singleton)
);
comment on table index_keys is 'by what texts are found that are not stored';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, update on index_keys to node0_app;
        grant update on person_keys, password_verifiers, signing_keys, second_factors
            to node0_app;
    end if;
end
$$;
