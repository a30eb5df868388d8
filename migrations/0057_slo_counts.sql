-- What was counted for objectives, in slots of a minute: telemetry, summed up over all servers.
create table slo_counts (
    -- The objective and what it says.
    subject text collate "C" not null,
    -- The minute, counted from 1970.
    slot bigint not null,
    total bigint not null,
    bad bigint not null,
    constraint slo_counts_slot primary key (subject, slot),
    constraint slo_counts_are_counts check (bad >= 0 and total >= bad)
);
create index slo_counts_age on slo_counts (slot);

comment on table slo_counts is 'what was counted for objectives, for as long as they look back';

do $$
begin
    if exists (select from pg_roles where rolname = 'node0_app') then
        grant select, insert, update, delete on slo_counts to node0_app;
    end if;
end
$$;
