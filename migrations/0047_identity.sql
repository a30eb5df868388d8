-- What proves who somebody is: never in an event, and never in the clear. An event names a row by
-- its fingerprint; what is sealed here opens only under the installation's master key.

create table person_keys (
    key_id     text collate "C" not null,
    principal  text collate "C" not null,
    -- The person's key, under the master key: nonce, ciphertext, tag (AES-256-GCM).
    wrapped    bytea not null,
    created_at timestamptz not null default now(),
    constraint person_keys_pkey primary key (key_id),
    constraint person_keys_principal unique (principal)
);
comment on table person_keys is 'the keys of personal data, one a person; destroyed to erase it';

create table password_verifiers (
    fingerprint bytea not null,
    principal   text collate "C" not null,
    -- An Argon2id hash in PHC form, under the master key.
    sealed      bytea not null,
    created_at  timestamptz not null default now(),
    constraint password_verifiers_pkey primary key (fingerprint),
    constraint password_verifiers_fingerprint_is_sha256 check (octet_length(fingerprint) = 32)
);
comment on table password_verifiers is 'what passwords are compared with';

create table refresh_tokens (
    token_hash bytea not null,
    principal  text collate "C" not null,
    session    text collate "C" not null,
    -- Set once, by whoever is first; a second use ends the session.
    used_at    timestamptz,
    expires_at timestamptz not null,
    constraint refresh_tokens_pkey primary key (token_hash),
    constraint refresh_tokens_hash_is_sha256 check (octet_length(token_hash) = 32)
);
create index refresh_tokens_expires on refresh_tokens (expires_at);
comment on table refresh_tokens is 'single-use tokens by which sessions go on, by hash';

create table signing_keys (
    kid         text collate "C" not null,
    algorithm   text collate "C" not null,
    -- The private key in PKCS #8, under the master key.
    sealed      bytea not null,
    -- The public key, as a JSON Web Key.
    public_key  text not null,
    created_at  timestamptz not null default now(),
    constraint signing_keys_pkey primary key (kid),
    constraint signing_keys_algorithm_known check (algorithm in ('EdDSA', 'RS256'))
);
comment on table signing_keys is 'by what access tokens are signed';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on person_keys, password_verifiers, signing_keys to node0_app;
        grant select, insert, update, delete on refresh_tokens to node0_app;
    end if;
end
$$;
