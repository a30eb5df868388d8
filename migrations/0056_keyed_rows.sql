-- Read models with one row for each aggregate, kept as JSON beside the columns it is searched by.

-- Settings: what is in force, what is proposed, and what was in force before.
create schema settings_v1;

create table settings_v1.rows (
    id text collate "C" not null,
    -- What it is now: one of few words.
    standing text collate "C" not null,
    -- What else it is searched by.
    class text collate "C",
    -- The position that lists of what happened last are sorted by.
    since bigint not null,
    row jsonb not null,
    constraint settings_id primary key (id)
);
create index settings_standing on settings_v1.rows (standing, id);
create index settings_class on settings_v1.rows (class, id);
create index settings_since on settings_v1.rows (since);

create view read.settings as select * from settings_v1.rows;

-- Rules: what is measured and when it is bad.
create schema alert_rules_v1;

create table alert_rules_v1.rows (
    id text collate "C" not null,
    -- What it is now: one of few words.
    standing text collate "C" not null,
    -- What else it is searched by.
    class text collate "C",
    -- The position that lists of what happened last are sorted by.
    since bigint not null,
    row jsonb not null,
    constraint alert_rules_id primary key (id)
);
create index alert_rules_standing on alert_rules_v1.rows (standing, id);
create index alert_rules_class on alert_rules_v1.rows (class, id);
create index alert_rules_since on alert_rules_v1.rows (since);

create view read.alert_rules as select * from alert_rules_v1.rows;

-- Alerts: what is there, and who looks after it.
create schema alerts_v1;

create table alerts_v1.rows (
    id text collate "C" not null,
    -- What it is now: one of few words.
    standing text collate "C" not null,
    -- What else it is searched by.
    class text collate "C",
    -- The position that lists of what happened last are sorted by.
    since bigint not null,
    row jsonb not null,
    constraint alerts_id primary key (id)
);
create index alerts_standing on alerts_v1.rows (standing, id);
create index alerts_class on alerts_v1.rows (class, id);
create index alerts_since on alerts_v1.rows (since);

create view read.alerts as select * from alerts_v1.rows;

-- Objectives and their error budgets.
create schema slos_v1;

create table slos_v1.rows (
    id text collate "C" not null,
    -- What it is now: one of few words.
    standing text collate "C" not null,
    -- What else it is searched by.
    class text collate "C",
    -- The position that lists of what happened last are sorted by.
    since bigint not null,
    row jsonb not null,
    constraint slos_id primary key (id)
);
create index slos_standing on slos_v1.rows (standing, id);
create index slos_class on slos_v1.rows (class, id);
create index slos_since on slos_v1.rows (since);

create view read.slos as select * from slos_v1.rows;

-- Nodes, and whether each is connected.
create schema peers_v1;

create table peers_v1.rows (
    id text collate "C" not null,
    -- What it is now: one of few words.
    standing text collate "C" not null,
    -- What else it is searched by.
    class text collate "C",
    -- The position that lists of what happened last are sorted by.
    since bigint not null,
    row jsonb not null,
    constraint peers_id primary key (id)
);
create index peers_standing on peers_v1.rows (standing, id);
create index peers_class on peers_v1.rows (class, id);
create index peers_since on peers_v1.rows (since);

create view read.peers as select * from peers_v1.rows;

-- The last partition of each chain's network.
create schema partitions_v1;

create table partitions_v1.rows (
    id text collate "C" not null,
    -- What it is now: one of few words.
    standing text collate "C" not null,
    -- What else it is searched by.
    class text collate "C",
    -- The position that lists of what happened last are sorted by.
    since bigint not null,
    row jsonb not null,
    constraint partitions_id primary key (id)
);
create index partitions_standing on partitions_v1.rows (standing, id);
create index partitions_class on partitions_v1.rows (class, id);
create index partitions_since on partitions_v1.rows (since);

create view read.partitions as select * from partitions_v1.rows;

-- The running application reads and writes them, as it does the others (0019).
do $$
declare
    model text;
begin
    if not exists (select from pg_roles where rolname = 'node0_app') then
        return;
    end if;
    grant select on all tables in schema read to node0_app;
    foreach model in array array['settings', 'alert_rules', 'alerts', 'slos', 'peers', 'partitions']
    loop
        execute format('grant usage on schema %I to node0_app', model || '_v1');
        execute format(
            'grant select, insert, update, delete, truncate on all tables in schema %I to node0_app',
            model || '_v1');
    end loop;
end
$$;
