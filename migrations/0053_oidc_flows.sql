-- Sign-ins by another's word that were begun and not ended: each is good once, for a few minutes.
create table oidc_flows (
    state_hash bytea not null,
    -- What the other must say again, and what proves that it is us who ask; under the master key.
    sealed     bytea not null,
    created_at timestamptz not null default now(),
    constraint oidc_flows_pkey primary key (state_hash),
    constraint oidc_flows_hash_is_sha256 check (octet_length(state_hash) = 32)
);
comment on table oidc_flows is 'sign-ins by another''s word that are under way, by hash of their state';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on oidc_flows to node0_app;
    end if;
end
$$;
