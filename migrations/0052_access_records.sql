-- Who came in and who was refused: sign-ins, refusals, and the use of API keys. Kept for a while;
-- what must be provable (that sessions began and ended) is in the log.
create table access_records (
    id         bigint generated always as identity,
    first_at   timestamptz not null,
    last_at    timestamptz not null,
    -- How often within that time.
    count      integer not null,
    principal  text collate "C",
    -- The API key that was shown.
    api_key    text collate "C",
    -- From where.
    address    text collate "C" not null,
    -- What was asked for: an operation of the API.
    operation  text collate "C" not null,
    outcome    text collate "C" not null,
    -- Why it was refused: the kind of problem.
    problem    text collate "C",
    constraint access_records_pkey primary key (id),
    constraint access_records_outcome_known check (outcome in ('allowed', 'refused'))
);
create index access_records_last_at on access_records (last_at);
create index access_records_principal on access_records (principal, id);
comment on table access_records is 'who came in, and who was refused';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, delete on access_records to node0_app;
    end if;
end
$$;
