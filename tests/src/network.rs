//! A chain of our own with validators whose keys the test holds: they make blocks of what waits,
//! propose them and vote, through the write wing alone.
//!
//! Does not finalize, execute or start heights: the processes under test do.

use std::time::Duration;

use chrono::Utc;
use commands::{Actor, Commands, NextBlock, RequestContext, Role};
use domain::{
    block::{self, Block, Body, Contents, Standing},
    commit::Commit,
    consensus::{self, ConsensusHeight, HeightStream, Started},
    evidence::Evidence,
    transaction::{self, Account, Envelope, Payload, Transaction},
    values::{Address, Amount, ChainId, Height, Moment, Nonce, PrincipalId, Round, Signature},
    vote::{BlockId, Proposal, Vote, VoteType},
};
use ed25519_dalek::Signer as _;
use serde_json::{Value, json};

use crate::{http::Http, keys::ValidatorKey};

/// How many heights an epoch of the chain has.
pub const EPOCH_BLOCKS: u32 = 4;
/// How many validators begin it.
pub const VALIDATORS: u64 = 4;
/// What each of the senders has at first.
pub const BALANCE: u128 = 100_000_000;
/// How many senders have a balance.
pub const SENDERS: u64 = 3;
/// What a block needs for all but its transactions, in bytes.
const BLOCK_BYTES_OTHER: usize = 65_536;
/// How long a test waits for what must come, in milliseconds.
const PATIENCE_MS: u64 = 20_000;

/// The chain's name.
pub fn chain() -> ChainId {
    "made-1".parse().expect("a chain id")
}

/// The n-th validator's key.
pub fn validator(n: u64) -> ValidatorKey {
    ValidatorKey::number(n)
}

/// An API key of the n-th validator's service.
pub async fn service(http: &Http, n: u64) -> String {
    let id = PrincipalId::of_validator(validator(n).address());
    http.service(id.as_str(), Role::Validator).await.token().to_owned()
}

/// The n-th sender's key.
pub fn sender(n: u64) -> ValidatorKey {
    ValidatorKey::number(1_000 + n)
}

/// A height.
pub fn height(number: u64) -> Height {
    Height::new(number).expect("a height")
}

/// A validator's service account.
pub fn as_validator() -> RequestContext {
    RequestContext::new(Actor::new("validator", Role::Validator))
}

/// An administrator.
pub fn as_admin() -> RequestContext {
    RequestContext::new(Actor::new("alice", Role::Admin))
}

/// The document of a chain whose rounds wait for so many milliseconds only.
pub fn hasty_genesis(timeout_ms: u32) -> Value {
    let mut document = genesis();
    let parameters = &mut document["app_state"]["parameters"];
    for step in ["propose", "prevote", "precommit", "step"] {
        parameters[format!("timeout_{step}_ms")] = timeout_ms.into();
    }
    document
}

/// The document the chain begins with.
pub fn genesis() -> Value {
    let validators = (1..=VALIDATORS).map(|n| {
        json!({
            "address": validator(n).address(),
            "name": format!("validator {n}"),
            "power": "10",
            "pub_key": { "type": "tendermint/PubKeyEd25519", "value": validator(n).public() },
        })
    });
    let accounts = (1..=SENDERS)
        .map(|n| json!({ "address": sender(n).address(), "balance": BALANCE.to_string() }));
    let supply = BALANCE * u128::from(SENDERS) + 10_000_000 * u128::from(VALIDATORS);
    json!({
        "genesis_time": "2026-01-01T00:00:00Z",
        "chain_id": chain(),
        "initial_height": "1",
        "consensus_params": {
            "block": { "max_bytes": "4194304", "max_gas": "-1" },
            "evidence": {
                "max_age_num_blocks": "100",
                "max_age_duration": "172800000000000",
                "max_bytes": "1048576",
            },
            "validator": { "pub_key_types": ["ed25519"] },
            "version": { "app": "1" },
        },
        "validators": validators.collect::<Vec<_>>(),
        "app_hash": "",
        "app_state": {
            "accounts": accounts.collect::<Vec<_>>(),
            "parameters": {
                "epoch_blocks": EPOCH_BLOCKS,
                "evidence_age_blocks_max": 100,
                "unbonding_epochs": 40,
            },
            "supply": supply.to_string(),
        },
    })
}

/// Begins the chain.
///
/// # Panics
/// When it does not begin.
pub async fn begin(commands: &Commands) {
    begin_with(commands, json!({})).await;
}

/// Begins the chain with some parameters of its own.
///
/// # Panics
/// When it does not begin.
pub async fn begin_with(commands: &Commands, parameters: Value) {
    let mut document = genesis();
    let said = document["app_state"]["parameters"].as_object_mut().expect("an object");
    said.extend(parameters.as_object().expect("an object").clone());
    let document = document.to_string();
    commands.initialise_genesis(document, as_admin()).await.expect("the chain begins");
}

/// A signed transfer of the n-th sender.
pub fn transfer(n: u64, nonce: u64, to: Address, amount: u128, fee: u128) -> Transaction {
    signed(&sender(n), nonce, fee, Payload::Transfer { amount: Amount::new(amount), to })
}

/// What a key signs.
pub fn signed(key: &ValidatorKey, nonce: u64, fee: u128, payload: Payload) -> Transaction {
    let envelope = Envelope {
        chain_id: chain(),
        expires_at_height: None,
        fee: Amount::new(fee),
        memo: None,
        nonce: Nonce::new(nonce).expect("a nonce"),
        payload,
        sender: key.public(),
    };
    envelope.sign(key.signing())
}

/// Submits a transaction.
///
/// # Panics
/// When it is refused.
pub async fn submit(commands: &Commands, transaction: &Transaction) {
    let command = transaction::Command::Submit { transaction: transaction.clone() };
    let submitted = commands.execute::<Account>(transaction.sender(), command, as_validator());
    submitted.await.expect("the transaction is accepted");
}

/// The stream of a height of the chain.
pub fn stream(number: u64) -> HeightStream {
    HeightStream { chain: chain(), height: height(number) }
}

/// A height, once it has started.
///
/// # Panics
/// When it does not start in time.
pub async fn started(commands: &Commands, number: u64) -> Started {
    let waited = tokio::time::timeout(Duration::from_millis(PATIENCE_MS), async {
        loop {
            let read = commands.aggregate::<ConsensusHeight>(&stream(number)).await;
            let state = read.expect("the log is read").map(|(state, _)| state);
            if let Some(started) = state.as_ref().and_then(ConsensusHeight::started) {
                return started.clone();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    });
    waited.await.unwrap_or_else(|_| panic!("height {number} does not start"))
}

fn sign(by: Address, bytes: &[u8]) -> Signature {
    let key = (1..100).map(validator).find(|key| key.address() == by).expect("a key of ours");
    Signature::from_bytes(key.signing().sign(bytes).to_bytes())
}

/// A signed vote of a member in round 0.
pub fn vote(of: &Started, by: Address, kind: VoteType, block_id: Option<BlockId>) -> Vote {
    let proposal = of.proposal(Round::FIRST);
    let when = Moment::from(Utc::now()).max(of.earliest_vote(proposal));
    let vote = Vote::unsigned(kind, Round::FIRST, block_id, when, by);
    Vote { signature: sign(by, &vote.sign_bytes(&chain(), of.start().height)), ..vote }
}

/// The signed proposal of round 0's proposer.
pub fn proposal(of: &Started, id: BlockId) -> Proposal {
    let proposal = Proposal::unsigned(Round::FIRST, id, None, Moment::from(Utc::now()));
    let bytes = proposal.sign_bytes(&chain(), of.start().height);
    let signature = sign(of.proposer(Round::FIRST), &bytes);
    Proposal { signature, ..proposal }
}

/// What the next block is made of.
///
/// # Panics
/// When the chain has not begun.
pub async fn next_block(commands: &Commands) -> NextBlock {
    let next = commands.next_block(BLOCK_BYTES_OTHER).await.expect("the log is read");
    next.expect("the chain has begun")
}

/// The block that the proposer of round 0 makes of all that waits.
///
/// # Panics
/// When there is no ground to make one on.
pub async fn make(commands: &Commands, number: u64, last_commit: Option<Commit>) -> Contents {
    make_with(commands, number, last_commit, Vec::new()).await
}

/// The same, with evidence.
///
/// # Panics
/// When there is no ground to make one on.
pub async fn make_with(
    commands: &Commands,
    number: u64,
    last_commit: Option<Commit>,
    evidence: Vec<Evidence>,
) -> Contents {
    let NextBlock { ground, parameters, transactions, .. } = next_block(commands).await;
    assert_eq!(ground.height, height(number));
    let transactions = transactions.iter().map(Transaction::hash).collect();
    let body = Body { evidence, last_commit, transactions };
    let proposer = started(commands, number).await.proposer(Round::FIRST);
    ground.build(body, proposer, &parameters).expect("the commit of the block before is there")
}

/// Records a block and has it judged; what became of it.
///
/// # Panics
/// When the record refuses it.
pub async fn record(commands: &Commands, contents: &Contents) -> Standing {
    let id = contents.header.hash();
    commands.propose_block(contents.clone(), as_validator()).await.expect("it is recorded");
    let validate = block::Command::Validate {};
    commands.execute::<Block>(id, validate, as_validator()).await.expect("it is judged");
    let (block, _) = commands.aggregate::<Block>(&id).await.expect("read").expect("recorded");
    block.proposed().expect("recorded").standing.clone()
}

/// Tells a height something; the types of what came of it.
///
/// # Panics
/// When it is refused.
pub async fn tell(commands: &Commands, number: u64, command: consensus::Command) -> Vec<String> {
    let told = commands.execute::<ConsensusHeight>(stream(number), command, as_validator());
    let told = told.await.unwrap_or_else(|error| panic!("height {number}: {error}"));
    told.events.into_iter().map(|event| event.event_type).collect()
}

/// Everybody agrees on a recorded block in round 0; the last member's precommit is late.
///
/// # Panics
/// When they do not come to an agreement.
pub async fn agree(commands: &Commands, number: u64, id: BlockId) {
    agree_without(commands, number, id, None).await;
}

/// The same, while one of them says nothing.
///
/// # Panics
/// When they do not come to an agreement.
pub async fn agree_without(commands: &Commands, number: u64, id: BlockId, silent: Option<Address>) {
    let begun = started(commands, number).await;
    let proposed = consensus::Command::Propose(proposal(&begun, id));
    assert_eq!(tell(commands, number, proposed).await, ["proposal-accepted.v1"]);
    let begun = started(commands, number).await;
    let members = begun.start().members.iter().map(|seat| seat.address);
    let members: Vec<Address> = members.filter(|member| Some(*member) != silent).collect();
    let cast = |kind: VoteType, by: &[Address]| consensus::Command::CastVotes {
        votes: by.iter().map(|by| vote(&begun, *by, kind, Some(id))).collect(),
    };
    let told = tell(commands, number, cast(VoteType::Prevote, &members)).await;
    assert!(told.iter().any(|name| name == "polka-reached.v1"), "{told:?}");
    let (late, others) = members.split_last().expect("members");
    let others = if others.len() < 3 { &members[..] } else { others };
    let told = tell(commands, number, cast(VoteType::Precommit, others)).await;
    assert!(told.iter().any(|name| name == "block-committed.v1"), "{told:?}");
    tell(commands, number, cast(VoteType::Precommit, &[*late])).await;
}

/// The commit of a height with every vote there is; none before the first.
pub async fn commit(commands: &Commands, number: u64) -> Option<Commit> {
    if number == 0 {
        return None;
    }
    started(commands, number).await.commit()
}

/// A block is made of all that waits, and everybody agrees on it.
///
/// # Panics
/// When the block is found faulty.
pub async fn one_height(commands: &Commands, number: u64) -> Contents {
    one_height_with(commands, number, None, Vec::new()).await
}

/// The same, while one of them says nothing, and with evidence in the block.
///
/// # Panics
/// When the block is found faulty.
pub async fn one_height_with(
    commands: &Commands,
    number: u64,
    silent: Option<Address>,
    evidence: Vec<Evidence>,
) -> Contents {
    started(commands, number).await;
    let last_commit = commit(commands, number - 1).await;
    let contents = make_with(commands, number, last_commit, evidence).await;
    assert_eq!(record(commands, &contents).await, Standing::Valid, "height {number}");
    agree_without(commands, number, contents.id(), silent).await;
    contents
}
