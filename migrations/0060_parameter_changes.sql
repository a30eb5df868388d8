-- What has changed of a chain's protocol parameters since its genesis: JSON, in the order of epochs;
-- null for nothing.
alter table chains_v1.chains add column parameter_changes text;
create or replace view read.chains as select * from chains_v1.chains;
