-- What processes did, event by event that called for it: a run for each, and its steps.
create schema process_runs_v1;

create table process_runs_v1.runs (
    process text collate "C" not null,
    -- The id of the event that called for it.
    cause uuid not null,
    correlation uuid not null,
    started_at timestamptz not null,
    -- The position of its first step.
    started_position bigint not null,
    last_at timestamptz not null,
    steps bigint not null,
    constraint runs_cause primary key (process, cause)
);
create index runs_started on process_runs_v1.runs (process, started_position);

create table process_runs_v1.steps (
    process text collate "C" not null,
    cause uuid not null,
    position bigint not null,
    type text collate "C" not null,
    stream text collate "C" not null,
    version bigint not null,
    at timestamptz not null,
    constraint steps_position primary key (process, cause, position)
);

create view read.process_runs as select * from process_runs_v1.runs;
create view read.process_steps as select * from process_runs_v1.steps;

-- The running application reads and writes it, as it does the others (0019).
do $$
begin
    if not exists (select from pg_roles where rolname = 'node0_app') then
        return;
    end if;
    grant select on all tables in schema read to node0_app;
    grant usage on schema process_runs_v1 to node0_app;
    grant select, insert, update, delete, truncate on all tables in schema process_runs_v1
        to node0_app;
end
$$;
