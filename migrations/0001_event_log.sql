-- The event log: an append-only sequence of records in one gapless order.
--
-- Four tables. `head` is one row: how far the log goes. `streams` gives each stream a number, because
-- a number in every event is 8 bytes and a name would be 60. `events` holds the records. `blobs` holds
-- content too large for a record, under its hash.

-- How far the log goes. Whoever appends holds this row's lock until the commit: that alone makes
-- positions gapless and equal to the order of commit (a sequence would leave holes and let a later
-- position become visible before an earlier one).
create table head (
    one boolean not null default true,
    -- The position of the newest event; 0 while the log is empty.
    position bigint not null default 0,
    -- Renewed by a restore: whoever remembers a position of another incarnation must not trust it.
    incarnation uuid not null default gen_random_uuid(),
    -- Raised by a process that lost its connection during a commit: a transaction of before can then
    -- no longer advance the head, so what the log holds about it is final.
    fence bigint not null default 0,
    constraint head_is_one_row primary key (one)
) with (fillfactor = 10);

insert into head default values;

-- Insert-only. A row without events is harmless: it says nothing but "this name has this number".
create table streams (
    no bigint generated always as identity,
    stream text collate "C" not null,
    constraint streams_no primary key (no),
    constraint streams_name_once unique (stream)
);

create table events (
    -- 1, 2, 3, ... without gaps, in the order of commit.
    position bigint not null,
    -- `streams.no`. No foreign key: its check costs more than the rest of the row, names and numbers
    -- are never deleted, and `check_log` proves that they agree with the record.
    stream_no bigint not null,
    -- 1, 2, 3, ... within the stream.
    version bigint not null,
    -- The command that asked for this event and the digest of its content; only on the first event of
    -- a request. The following events of the request have none.
    command uuid,
    digest uuid,
    -- The event, byte for byte, in RFC 8785 form. It does not contain its own position.
    record bytea not null,
    constraint events_position primary key (position) with (fillfactor = 100),
    constraint events_version_once unique (stream_no, version)
);
-- No check constraints on `head` and `events`: the server reads each one's text anew in every statement
-- that writes, a tenth of what a lone append costs. `check_log` finds what they would refuse.

-- Incompressible content (hashes, keys, signatures): trying costs time and saves nothing.
alter table events alter column record set storage external;
-- Insert-only: nothing to clean up, but the visibility map must keep up for index-only scans.
alter table events set (autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);

create unique index events_command_once on events (command) where command is not null;

create table blobs (
    hash bytea not null,
    content bytea not null,
    constraint blobs_hash primary key (hash),
    constraint blobs_hash_is_sha256 check (hash = sha256(content))
);
alter table blobs alter column content set storage external;

-- Promise 6: append only. Statement triggers cost nothing while nobody tries.
create function refuse_change() returns trigger language plpgsql as $$
begin
    raise exception '% is append only: % is refused', tg_table_name, lower(tg_op)
        using errcode = 'N0001', constraint = tg_name, table = tg_table_name;
end
$$;

create trigger events_append_only before update or delete or truncate on events
    for each statement execute function refuse_change();
create trigger streams_append_only before update or delete or truncate on streams
    for each statement execute function refuse_change();
create trigger blobs_append_only before update or delete or truncate on blobs
    for each statement execute function refuse_change();
-- The one row is there and stays alone. No row trigger on update: every append would lock the row twice.
create trigger head_is_fixed before insert or delete or truncate on head
    for each statement execute function refuse_change();
