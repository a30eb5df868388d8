-- Notarised documents: that a digest was known at the time of a block.
create schema anchors_v1;

create table anchors_v1.anchors (
    -- The transaction that anchored: names the anchor.
    transaction bytea not null,
    digest bytea not null,
    algorithm text collate "C" not null,
    label text not null,
    owner bytea not null,
    height bigint not null,
    "time" timestamptz not null,
    -- The height at which its owner revoked it.
    revoked bigint,
    constraint anchors_transaction primary key (transaction)
);
create index anchors_digest on anchors_v1.anchors (digest, height, transaction);
create index anchors_owner on anchors_v1.anchors (owner, height, transaction);
create index anchors_height on anchors_v1.anchors (height, transaction);

create view read.anchors as select * from anchors_v1.anchors;
