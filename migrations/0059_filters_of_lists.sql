-- What lists are filtered by, in the lists' order: whoever asks for what is rare, or for what there
-- is nothing of, waits no longer than others.
create index accepted_kind on transactions_v1.accepted (kind, position);
create index blocks_proposer on blocks_v1.blocks (proposer, chain_id, height, hash);
create index blocks_state on blocks_v1.blocks (state, chain_id, height, hash);
create index validators_chain on validators_v1.validators (chain_id, power, address);
create index validators_standing on validators_v1.validators (standing, power, address);
