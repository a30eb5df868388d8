-- Who may talk to the API. A token itself is shown once and stored nowhere: only its SHA-256 is kept,
-- which is also how it is found.

create table api_tokens (
    token_hash bytea not null,
    -- The name that stands as the actor in every event the token causes.
    principal  text not null,
    role       text not null,
    created_at timestamptz not null default now(),
    constraint api_tokens_pkey primary key (token_hash),
    constraint api_tokens_hash_is_sha256 check (octet_length(token_hash) = 32),
    constraint api_tokens_principal_well_formed check (principal ~ '^[!-~]{1,100}$'),
    constraint api_tokens_role_known check (
        role in ('super_admin', 'admin', 'operator', 'auditor', 'validator', 'viewer')
    )
);

comment on table api_tokens is 'bearer tokens of the API, by hash';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on api_tokens to node0_app;
    end if;
end
$$;
