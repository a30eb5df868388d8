-- The feed: one row for each event, with a sentence that says what happened.
create schema activity_v1;

create table activity_v1.activity (
    position bigint not null,
    at timestamptz not null,
    stream text collate "C" not null,
    version bigint not null,
    category text collate "C" not null,
    -- What it happened to: a validator's address in upper hex, or a chain's id.
    subject text collate "C" not null,
    event_type text collate "C" not null,
    actor text collate "C" not null,
    correlation uuid not null,
    summary text not null,
    constraint activity_position primary key (position)
);
create index activity_subject on activity_v1.activity (subject, position);
create index activity_category on activity_v1.activity (category, position);
create index activity_type on activity_v1.activity (event_type, position);
create index activity_actor on activity_v1.activity (actor, position);
create index activity_correlation on activity_v1.activity (correlation, position);

create view read.activity as select * from activity_v1.activity;
