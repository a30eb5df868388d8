-- A log that is put back from its records does not know the digests of its requests: they are stored as
-- zeros, and such a command stands for whatever is asked with its id. Nothing else of this function is new
-- (0004 says what it does).
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
