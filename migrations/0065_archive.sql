-- The archive: sealed events whose records were moved to the place where the log is published. They go in
-- the order of the log, so that all up to one position are there and all after it are in `events`.
--
-- What appending rests on stays here, in a fraction of the room: which versions each stream has had, and
-- which commands there were. Whoever finds nothing in `events` looks here, in the same snapshot.

-- What is in the archive: one object for each row, made of blocks of 256 events, of which each can be read by
-- itself.
create table archives (
    first bigint not null,
    last bigint not null,
    -- The root (RFC 6962) of its records.
    root bytea not null,
    -- Where it is, below the place where the log is published.
    path text not null,
    -- Where in it each block begins, and where the last one ends, in bytes.
    offsets bigint[] not null,
    kept_at timestamptz not null default clock_timestamp(),
    -- The last of its events that is gone from `events`; before the first one, `first - 1`.
    removed bigint not null,
    constraint archives_first primary key (first),
    constraint archives_last_once unique (last),
    constraint archives_path_once unique (path),
    constraint archives_whole_blocks check (first % 256 = 1 and last % 256 = 0 and first < last),
    constraint archives_offsets_of_blocks
        check (cardinality(offsets) = (last - first + 1) / 256 + 1),
    constraint archives_root_is_sha256 check (octet_length(root) = 32),
    constraint archives_removed_within check (removed between first - 1 and last)
);

-- Where the events of a stream are that were removed together; the versions are those that end with
-- `last_version`.
create table archived_streams (
    stream_no bigint not null,
    last_version bigint not null,
    positions bigint[] not null,
    constraint archived_streams_version primary key (stream_no, last_version)
);

-- The commands of events that were removed: an id names its request for ever.
create table archived_requests (
    command uuid not null,
    digest uuid not null,
    -- Of its first event; the others follow it.
    position bigint not null,
    events bigint not null,
    constraint archived_requests_command primary key (command)
);

create trigger archived_streams_append_only before update or delete or truncate on archived_streams
    for each statement execute function refuse_change();
create trigger archived_requests_append_only before update or delete or truncate on archived_requests
    for each statement execute function refuse_change();

-- Promise 6, as it is from now on: an event leaves `events` only when the archive has it and what appending
-- rests on was kept.
drop trigger events_append_only on events;
create trigger events_append_only before update or truncate on events
    for each statement execute function refuse_change();

create function refuse_loss() returns trigger language plpgsql as $$
begin
    if exists (
        select from gone g
         where not exists (select from archives a where g.position between a.first and a.last)
            or not exists (select from archived_streams s
                            where s.stream_no = g.stream_no and s.last_version >= g.version)
            or (g.command is not null
                and not exists (select from archived_requests r where r.command = g.command))
    ) then
        raise exception 'events is append only: % of what is in no archive is refused', lower(tg_op)
            using errcode = 'N0001', constraint = tg_name, table = tg_table_name;
    end if;
    return null;
end
$$;

create trigger events_removed_append_only after delete on events
    referencing old table as gone for each statement execute function refuse_loss();

-- One more object is whole and in its place. The fence goes up with the first one: every appender looks at the
-- head again and learns that there is an archive, before anything is removed (see `refuse_archived`).
create function add_archive(first bigint, last bigint, root bytea, path text, offsets bigint[])
returns void language plpgsql security definer set search_path from current as $$
declare
    expected bigint;
begin
    select coalesce(max(a.last), 0) + 1 into expected from archives a;
    if add_archive.first <> expected then
        raise exception 'the archive goes on at position %, not %', expected, add_archive.first
            using errcode = 'N0004';
    end if;
    if add_archive.last > (select size from seal) then
        raise exception 'position % is not sealed', add_archive.last using errcode = 'N0004';
    end if;
    insert into archives (first, last, root, path, offsets, removed)
    values (add_archive.first, add_archive.last, add_archive.root, add_archive.path, add_archive.offsets,
            add_archive.first - 1);
    if add_archive.first = 1 then
        update head set fence = fence + 1;
    end if;
end
$$;

-- Removes the next events that the archive has, at most so many; the position up to which they are removed
-- now, or null when there are none. Never waits for an appender, and takes no lock that one waits for, except
-- one who appends again what is being removed.
create function remove_archived(at_most bigint) returns bigint
language plpgsql security definer set search_path from current as $$
declare
    archive archives%rowtype;
    upto bigint;
begin
    select * into archive from archives a where a.removed < a.last order by a.first limit 1 for update;
    if not found or at_most < 1 then
        return null;
    end if;
    upto := least(archive.last, archive.removed + at_most);
    -- A request goes up to the next command, and may end after `upto`; it has at most 1,000 events.
    insert into archived_requests (command, digest, position, events)
    select r.command, r.digest, r.position, r.next - r.position
      from (select e.command, e.digest, e.position,
                   lead(e.position, 1, least(upto + 1001, (select h.position + 1 from head h)))
                       over (order by e.position) as next
              from events e
             where e.position > archive.removed and e.position <= upto + 1000
               and e.command is not null) r
     where r.position <= upto;
    insert into archived_streams (stream_no, last_version, positions)
    select e.stream_no, max(e.version), array_agg(e.position order by e.version)
      from events e where e.position > archive.removed and e.position <= upto
     group by e.stream_no;
    delete from events e where e.position > archive.removed and e.position <= upto;
    update archives a set removed = upto where a.first = archive.first;
    return upto;
end
$$;

-- Whether what was inserted in this transaction, and met nothing in `events`, is in the archive: then it was
-- removed before it was inserted, for an insertion waits for whoever is removing what it collides with. So this
-- is asked after the insertion, in a snapshot of its own, and needs no lock. One stream, its first new version
-- and one command for each request.
create function refuse_archived(streams bigint[], versions bigint[], commands uuid[])
returns void language plpgsql as $$
begin
    if exists (select from archived_requests r where r.command = any (commands))
    or exists (select from unnest(streams, versions) n (stream_no, version)
                where exists (select from archived_streams s
                               where s.stream_no = n.stream_no and s.last_version >= n.version)) then
        raise exception 'an event of this version, or a command of this id, is in the archive'
            using errcode = 'unique_violation', constraint = 'archived_once', table = 'events';
    end if;
end
$$;

-- The same of one event; the command is null of those that follow the first one of a request. Called for each
-- row as it is inserted: what it looks up, it looks up after the insertion, for it is volatile.
create function refuse_archived(stream bigint, given_version bigint, given_command uuid)
returns void language plpgsql as $$
begin
    if exists (select from archived_streams s where s.stream_no = stream and s.last_version >= given_version)
    or (given_command is not null
        and exists (select from archived_requests r where r.command = given_command)) then
        raise exception 'an event of this version, or a command of this id, is in the archive'
            using errcode = 'unique_violation', constraint = 'archived_once', table = 'events';
    end if;
end
$$;

-- As 0064, but looks into the archive as well for what `events` has not.
create or replace function append_checked(
    given_incarnation uuid,
    given_fence bigint,
    streams bigint[],
    commands uuid[],
    digests uuid[],
    slots integer[],
    lineages integer[],
    expected bigint[],
    counts integer[],
    requests integer[],
    versions bigint[],
    records bytea[],
    out outcomes smallint[],
    out first_position bigint,
    out actual bigint[]
) language plpgsql as $$
declare
    now_at head%rowtype;
    stored uuid[];
    current bigint[];
    broken boolean[] := array_fill(false, array[cardinality(commands)]);
    slot integer;
    added bigint := 0;
    unknown constant uuid := '00000000-0000-0000-0000-000000000000';
begin
    select * into strict now_at from head for update;
    if now_at.incarnation <> given_incarnation then
        raise exception 'the log is incarnation %', now_at.incarnation using errcode = 'N0002';
    end if;
    if now_at.fence <> given_fence then
        raise exception 'the fence is at %', now_at.fence using errcode = 'N0003';
    end if;

    select array_agg(coalesce((select e.digest from events e where e.command = c.id),
                              (select r.digest from archived_requests r where r.command = c.id))
                     order by c.nth)
        into stored from unnest(commands) with ordinality c (id, nth);
    select array_agg(coalesce((select e.version from events e where e.stream_no = s.no
                               order by e.version desc limit 1),
                              (select a.last_version from archived_streams a where a.stream_no = s.no
                               order by a.last_version desc limit 1), 0) order by s.nth)
        into current from unnest(streams) with ordinality s (no, nth);

    outcomes := array_fill(0::smallint, array[cardinality(commands)]);
    actual := array_fill(0::bigint, array[cardinality(commands)]);
    for i in 1 .. cardinality(commands) loop
        slot := slots[i];
        if stored[i] is not null then
            outcomes[i] := case when stored[i] in (digests[i], unknown) then 2 else 3 end;
        elsif current[slot] <> expected[i] or broken[lineages[i]] then
            outcomes[i] := 4;
            actual[i] := current[slot];
        else
            outcomes[i] := 1;
            current[slot] := current[slot] + counts[i];
            added := added + counts[i];
        end if;
        if outcomes[i] <> 1 then
            broken[lineages[i]] := true;
        end if;
    end loop;

    first_position := now_at.position + 1;
    if added = 0 then
        return;
    end if;

    -- The first event of a request is the one that follows its expected version.
    insert into events (position, stream_no, version, command, digest, record)
    select now_at.position + row_number() over (order by e.nth),
           streams[slots[e.request]],
           e.version,
           case when e.version = expected[e.request] + 1 then commands[e.request] end,
           case when e.version = expected[e.request] + 1 then digests[e.request] end,
           e.record
      from unnest(requests, versions, records) with ordinality e (request, version, record, nth)
     where outcomes[e.request] = 1;
    update head set position = now_at.position + added;
end
$$;

-- Two roles: the running application reads the archive and can remove nothing; whoever archives can do nothing
-- else to events than what the two functions do.
revoke all on function add_archive(bigint, bigint, bytea, text, bigint[]) from public;
revoke all on function remove_archived(bigint) from public;

do $$
begin
    if not exists (select from pg_roles where rolname = 'node0_archiver') then
        create role node0_archiver nologin;
    end if;
exception
    when insufficient_privilege then
        raise notice 'role node0_archiver is missing and cannot be created by %', current_user;
    -- Roles belong to the cluster: another database of it is being migrated at this moment.
    when duplicate_object or unique_violation then
        null;
end
$$;

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select on archives, archived_streams, archived_requests to node0_app;
    end if;
    if exists (select from pg_roles where rolname = 'node0_archiver') then
        grant select on head, seal, streams, events, archives, archived_streams, archived_requests
            to node0_archiver;
        grant execute on function add_archive(bigint, bigint, bytea, text, bigint[]) to node0_archiver;
        grant execute on function remove_archived(bigint) to node0_archiver;
    end if;
end
$$;
