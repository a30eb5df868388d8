-- The continuous audit: how far history is read again, and what it found.
--
-- One row. What it says of the past is not kept: what it finds is told as an alert, which is in the log.
create table audit (
    one boolean not null default true,
    -- When it began anew, and of which log.
    begun_at timestamptz,
    incarnation uuid,
    -- Up to where all read models are folded anew, and up to where the log is compared with what is published.
    position bigint not null default 0,
    log_size bigint not null default 0,
    -- When read models were compared last, what each was found to be, and what is not as it should be.
    compared_at timestamptz,
    read_models jsonb not null default '[]',
    differences jsonb not null default '[]',
    -- Why it does not go on; null while it does.
    error text,
    constraint audit_is_one_row primary key (one),
    constraint audit_one check (one)
) with (fillfactor = 10);
comment on table audit is 'how far history is read again, and what was found';

insert into audit default values;

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, update on audit to node0_app;
    end if;
end
$$;
