-- Content that may be dropped again, unlike what is in `blobs`: it can always be made anew from the log.
-- Two tables and not a mark, so that no mistake can ever remove what the log rests on: `blobs` stays append
-- only, by trigger and by grants.

create table prunable_blobs (
    hash bytea not null,
    content bytea not null,
    -- Whose it is, for whoever looks for what there is.
    owner text not null,
    -- What whoever made it needs to go on from there; no part of what the hash names.
    aside bytea not null,
    aside_hash bytea not null,
    constraint prunable_blobs_hash primary key (hash),
    constraint prunable_blobs_hash_is_sha256 check (hash = sha256(content)),
    constraint prunable_blobs_aside_hash_is_sha256 check (aside_hash = sha256(aside))
);

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on prunable_blobs to node0_app;
    end if;
end
$$;
