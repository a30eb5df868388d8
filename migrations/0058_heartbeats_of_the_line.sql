-- How a validator's line to its server is, as it says itself; null for those that do not say.
alter table heartbeats
    -- Of all bodies that it has received since it started.
    add column received_bytes bigint
    constraint heartbeats_received_bytes_is_a_count check (received_bytes >= 0),
    -- How long the sign of life before took to be answered.
    add column latency_ms bigint
    constraint heartbeats_latency_ms_is_a_count check (latency_ms >= 0);
