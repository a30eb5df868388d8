-- The seal: how far the log is signed, and who may sign it on.
--
-- One row. What it says of signatures is said again by the place where the log is published: a database
-- that is restored from a backup knows less than what was signed, and must find that out.
create table seal (
    one boolean not null default true,
    -- The process that seals, until when by this database's clock.
    holder uuid,
    leased_until timestamptz,
    -- Raised whenever another process takes the seal: whoever comes with an older one comes too late.
    fence bigint not null default 0,
    -- What was signed last: so many entries, with this root, by this checkpoint.
    size bigint not null default 0,
    root bytea,
    signed text,
    signed_at timestamptz,
    -- The same with the cosignatures that it needs, as it is published; it may lag.
    published_size bigint not null default 0,
    published text,
    -- Why nothing is signed any more; null while all is well.
    refused text,
    constraint seal_is_one_row primary key (one),
    constraint seal_one check (one),
    constraint seal_root_is_sha256 check (octet_length(root) = 32)
) with (fillfactor = 10);
comment on table seal is 'how far the log is signed, and who may sign it on';

insert into seal default values;

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, update on seal to node0_app;
    end if;
end
$$;
