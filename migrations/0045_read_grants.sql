-- The running application reads and writes these read models, as it does the others (0019).
do $$
declare
    model text;
begin
    if not exists (select from pg_roles where rolname = 'node0_app') then
        return;
    end if;
    grant select on all tables in schema read to node0_app;
    foreach model in array array['blocks_v1', 'heights_v1', 'transactions_v1', 'accounts_v1',
        'anchors_v1']
    loop
        execute format('grant usage on schema %I to node0_app', model);
        execute format(
            'grant select, insert, update, delete, truncate on all tables in schema %I to node0_app', model);
    end loop;
end
$$;
