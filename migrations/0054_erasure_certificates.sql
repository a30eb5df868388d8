-- That somebody's key was destroyed, and when: what an event names by its hash.
create table erasure_certificates (
    principal   text collate "C" not null,
    -- What is certified, in canonical JSON.
    certificate text not null,
    created_at  timestamptz not null default now(),
    constraint erasure_certificates_pkey primary key (principal)
);
comment on table erasure_certificates is 'that the keys of erased persons are destroyed';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert on erasure_certificates to node0_app;
    end if;
end
$$;
