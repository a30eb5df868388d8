-- The role of the running application: it may read and insert, and advance the head. It may not update,
-- delete or truncate events, streams or blobs, whatever the triggers say, nor drop or alter anything.
--
-- Operators create a login that is a member of `node0_app`; migrations are run by the owner. Where the
-- migrating role may not create roles, an administrator creates `node0_app` and runs this file's grants.
do $$
begin
    if not exists (select from pg_roles where rolname = 'node0_app') then
        create role node0_app nologin;
    end if;
exception
    when insufficient_privilege then
        raise notice 'role node0_app is missing and cannot be created by %', current_user;
    -- Roles belong to the cluster: another database of it is being migrated at this moment.
    when duplicate_object or unique_violation then
        null;
end
$$;

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert on events, streams, blobs to node0_app;
        grant select, update (position, fence) on head to node0_app;
    end if;
end
$$;
