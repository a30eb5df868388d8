-- The first super_admin comes in by a link that is good once; whoever else has an identity of their
-- own, so the tokens without one are gone.
create table setup_links (
    token_hash bytea not null,
    created_at timestamptz not null default now(),
    constraint setup_links_pkey primary key (token_hash),
    constraint setup_links_hash_is_sha256 check (octet_length(token_hash) = 32)
);
comment on table setup_links is 'by what the first super_admin registers, by hash';

drop table api_tokens;

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on setup_links to node0_app;
    end if;
end
$$;
