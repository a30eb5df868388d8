-- The running application reads and writes its read models, and empties them for a rebuild. They hold
-- nothing that the log does not.
do $$
declare
    model text;
begin
    if not exists (select from pg_roles where rolname = 'node0_app') then
        return;
    end if;
    grant select, insert, update, delete on projection_checkpoints, projection_parked to node0_app;
    grant usage on schema read to node0_app;
    grant select on all tables in schema read to node0_app;
    foreach model in array array['chains_v1', 'headers_v1', 'validators_v1', 'validator_sets_v1',
        'delegations_v1', 'slashing_history_v1', 'reputation_history_v1', 'activity_v1']
    loop
        execute format('grant usage on schema %I to node0_app', model);
        execute format(
            'grant select, insert, update, delete, truncate on all tables in schema %I to node0_app', model);
    end loop;
end
$$;
