-- How the appender moves the head. Two functions, because there are two orders of doing it.
--
-- Lock first: take the head row, then insert (`append_checked`, and the plain statement of
-- `event_store::append`). Lock last: insert at positions believed to be next, then take the head row
-- without waiting (`advance_head`). Who has inserted never waits for the head row: so whoever holds it
-- can wait for an inserter and still no circle closes inside the database.

-- Lock last. Raises unless the log is exactly where the caller believed it was when it inserted; the
-- caller's transaction is then aborted and nothing of it remains.
create function advance_head(believed bigint, added bigint, given_incarnation uuid, given_fence bigint)
returns void language plpgsql as $$
declare
    now_at head%rowtype;
begin
    select * into strict now_at from head for update nowait;
    if now_at.incarnation <> given_incarnation then
        raise exception 'the log is incarnation %', now_at.incarnation using errcode = 'N0002';
    end if;
    if now_at.position <> believed or now_at.fence <> given_fence then
        raise exception 'the head is at position %, fence %', now_at.position, now_at.fence
            using errcode = 'N0003';
    end if;
    update head set position = believed + added;
end
$$;

-- Lock first, and answer each request on its own: 1 appended, 2 the command was stored before with
-- this digest, 3 with another digest, 4 the stream is at another version (`actual`).
--
-- Requests are taken in order; a later one sees the versions that earlier ones leave behind. No command
-- may occur twice in one call. Per request: its command, digest, the index of its stream in `streams`, the
-- version it expects and how many events it has. Per event, in the order of the requests: the index of its
-- request, its version, its record.
create function append_checked(
    given_incarnation uuid,
    given_fence bigint,
    streams bigint[],
    commands uuid[],
    digests uuid[],
    slots integer[],
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
    slot integer;
    added bigint := 0;
begin
    select * into strict now_at from head for update;
    if now_at.incarnation <> given_incarnation then
        raise exception 'the log is incarnation %', now_at.incarnation using errcode = 'N0002';
    end if;
    if now_at.fence <> given_fence then
        raise exception 'the fence is at %', now_at.fence using errcode = 'N0003';
    end if;

    select array_agg((select e.digest from events e where e.command = c.id) order by c.nth)
        into stored from unnest(commands) with ordinality c (id, nth);
    select array_agg(coalesce((select e.version from events e where e.stream_no = s.no
                               order by e.version desc limit 1), 0) order by s.nth)
        into current from unnest(streams) with ordinality s (no, nth);

    outcomes := array_fill(0::smallint, array[cardinality(commands)]);
    actual := array_fill(0::bigint, array[cardinality(commands)]);
    for i in 1 .. cardinality(commands) loop
        slot := slots[i];
        if stored[i] is not null then
            outcomes[i] := case when stored[i] = digests[i] then 2 else 3 end;
        elsif current[slot] <> expected[i] then
            outcomes[i] := 4;
            actual[i] := current[slot];
        else
            outcomes[i] := 1;
            current[slot] := current[slot] + counts[i];
            added := added + counts[i];
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
