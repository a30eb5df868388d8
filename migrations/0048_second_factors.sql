-- Second factors, by their fingerprints: those in force, and those whose device was not proved yet.
create table second_factors (
    fingerprint bytea not null,
    principal   text collate "C" not null,
    -- The shared secret and the backup codes' hashes, under the master key.
    sealed      bytea not null,
    created_at  timestamptz not null default now(),
    constraint second_factors_pkey primary key (fingerprint),
    constraint second_factors_fingerprint_is_sha256 check (octet_length(fingerprint) = 32)
);
create index second_factors_principal on second_factors (principal);
comment on table second_factors is 'what one-time codes and backup codes are compared with';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on second_factors to node0_app;
    end if;
end
$$;
