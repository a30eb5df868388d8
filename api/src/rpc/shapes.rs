//! CometBFT's JSON: headers, commits, blocks, validators and results as its RPC writes them.
//!
//! Does not know where they come from. Integers of 64 bits are texts, hashes upper hex; keys,
//! signatures and transactions base64. Go writes nothing as an empty object, never as null: so does
//! this, because clients in other languages rely on it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use commands::FinalBlock;
use domain::{
    block::{Body, Header},
    chain::GenesisInitialised,
    commit::Commit,
    evidence::Evidence,
    hashes::Inclusion,
    ledger::Receipt,
    proposer::Seat,
    values::{Hash, PublicKey},
    vote::BlockId,
};
use serde_json::{Value, json};
use tendermint::{Time, Vote, block::CommitSig};

/// The time that Go has before it has any.
pub const NO_TIME: &str = "0001-01-01T00:00:00Z";
/// What an entry of a commit is for.
const FLAG_ABSENT: u8 = 1;
const FLAG_COMMIT: u8 = 2;
const FLAG_NIL: u8 = 3;

/// `types.Header`.
pub fn header(header: &Header) -> Value {
    let inner = header.header();
    let hash = |hash: Option<Hash>| hash.map_or(String::new(), |h| h.to_string());
    json!({
        "version": {"block": inner.version.block.to_string(), "app": inner.version.app.to_string()},
        "chain_id": header.chain_id(),
        "height": header.height().to_string(),
        "time": time(inner.time),
        "last_block_id": block_id(header.last_block_id().as_ref()),
        "last_commit_hash": hash(header.last_commit_hash()),
        "data_hash": hash(header.data_hash()),
        "validators_hash": header.validators_hash(),
        "next_validators_hash": header.next_validators_hash(),
        "consensus_hash": hash(header.consensus_hash()),
        "app_hash": hex::encode_upper(header.app_hash().as_bytes()),
        "last_results_hash": hash(header.last_results_hash()),
        "evidence_hash": hash(header.evidence_hash()),
        "proposer_address": inner.proposer_address.to_string(),
    })
}

/// `types.BlockID`; that of no block is there, and empty.
pub fn block_id(id: Option<&BlockId>) -> Value {
    match id {
        Some(id) => {
            let parts = json!({"total": id.parts.total, "hash": id.parts.hash});
            json!({"hash": id.hash, "parts": parts})
        }
        None => json!({"hash": "", "parts": {"total": 0, "hash": ""}}),
    }
}

/// `types.Commit`; that of a chain that has no block yet is there, and empty.
pub fn commit(commit: Option<&Commit>) -> Value {
    let Some(commit) = commit else {
        return json!({"height": "0", "round": 0, "block_id": block_id(None), "signatures": []});
    };
    let signatures: Vec<Value> = commit.commit().signatures.iter().map(commit_sig).collect();
    json!({
        "height": commit.height().to_string(),
        "round": commit.round(),
        "block_id": block_id(Some(&commit.block_id())),
        "signatures": signatures,
    })
}

fn commit_sig(entry: &CommitSig) -> Value {
    let signed = |flag, address: &tendermint::account::Id, at: &Time, signature| {
        json!({
            "block_id_flag": flag,
            "validator_address": address.to_string(),
            "timestamp": time(*at),
            "signature": signature_text(signature),
        })
    };
    match entry {
        CommitSig::BlockIdFlagAbsent => json!({
            "block_id_flag": FLAG_ABSENT,
            "validator_address": "",
            "timestamp": NO_TIME,
            "signature": null,
        }),
        CommitSig::BlockIdFlagCommit { validator_address, timestamp, signature } => {
            signed(FLAG_COMMIT, validator_address, timestamp, signature.as_ref())
        }
        CommitSig::BlockIdFlagNil { validator_address, timestamp, signature } => {
            signed(FLAG_NIL, validator_address, timestamp, signature.as_ref())
        }
    }
}

/// `types.SignedHeader`.
pub fn signed_header(block: &FinalBlock) -> Value {
    json!({"header": header(&block.proposed.header), "commit": commit(Some(&block.commit))})
}

/// `types.LightBlock`.
pub fn light_block(block: &FinalBlock) -> Value {
    let seats = &block.started.members;
    let proposer = seats.iter().find(|seat| seat.address == block.started.proposer);
    let set = json!({
        "validators": seats.iter().map(validator).collect::<Vec<_>>(),
        "proposer": proposer.map(validator),
    });
    json!({"signed_header": signed_header(block), "validator_set": set})
}

/// `types.Block`, with the transactions' own bytes.
pub fn block(of: &Header, body: &Body, transactions: &[Vec<u8>]) -> Value {
    let txs: Vec<String> = transactions.iter().map(|bytes| STANDARD.encode(bytes)).collect();
    json!({
        "header": header(of),
        "data": {"txs": txs},
        "evidence": {"evidence": body.evidence.iter().map(evidence).collect::<Vec<_>>()},
        "last_commit": commit(body.last_commit.as_ref()),
    })
}

fn evidence(evidence: &Evidence) -> Value {
    let inner = evidence.evidence();
    json!({
        "type": "tendermint/DuplicateVoteEvidence",
        "value": {
            "vote_a": vote(&inner.vote_a),
            "vote_b": vote(&inner.vote_b),
            "TotalVotingPower": inner.total_voting_power.value().to_string(),
            "ValidatorPower": inner.validator_power.value().to_string(),
            "Timestamp": time(inner.timestamp),
        },
    })
}

fn vote(vote: &Vote) -> Value {
    let id = vote.block_id.as_ref().and_then(BlockId::from_tendermint);
    json!({
        "type": i32::from(vote.vote_type),
        "height": vote.height.value().to_string(),
        "round": vote.round.value(),
        "block_id": block_id(id.as_ref()),
        "timestamp": vote.timestamp.map_or(NO_TIME.to_owned(), time),
        "validator_address": vote.validator_address.to_string(),
        "validator_index": vote.validator_index.value(),
        "signature": signature_text(vote.signature.as_ref()),
        "extension": null,
        "extension_signature": null,
    })
}

fn signature_text(signature: Option<&tendermint::Signature>) -> Option<String> {
    signature.map(|signature| STANDARD.encode(signature.as_bytes()))
}

/// `types.Validator`, with how soon its turn comes.
pub fn validator(seat: &Seat) -> Value {
    json!({
        "address": seat.address,
        "pub_key": public_key(seat.public_key),
        "voting_power": seat.power.to_string(),
        "proposer_priority": seat.priority.value().to_string(),
    })
}

/// A key in the envelope that Go's JSON has for it.
pub fn public_key(key: PublicKey) -> Value {
    json!({"type": "tendermint/PubKeyEd25519", "value": key})
}

/// `abci.ValidatorUpdate`: a power of 0 for who is no longer there.
pub fn validator_update(key: PublicKey, power: u64) -> Value {
    let sum = json!({"type": "tendermint.crypto.PublicKey_Ed25519", "value": {"ed25519": key}});
    json!({"pub_key": {"Sum": sum}, "power": power.to_string()})
}

/// `abci.ExecTxResult`: the code, and the receipt as data, as they are hashed into the next header.
pub fn result(receipt: &Receipt) -> Value {
    json!({
        "code": receipt.code(),
        "data": STANDARD.encode(receipt.bytes()),
        "log": receipt.failure.as_ref().map_or(String::new(), ToString::to_string),
        "info": "",
        "gas_wanted": "0",
        "gas_used": "0",
        "events": [],
        "codespace": if receipt.code() == 0 { "" } else { "node0" },
    })
}

/// `crypto.Proof`.
pub fn proof(of: &Inclusion, total: usize, index: usize) -> Value {
    let base64 = |hash: &Hash| STANDARD.encode(hash.as_bytes());
    json!({
        "total": total.to_string(),
        "index": index.to_string(),
        "leaf_hash": base64(&of.leaf),
        "aunts": of.aunts.iter().map(base64).collect::<Vec<_>>(),
    })
}

/// `types.GenesisDoc`: the document as the chain was initialised with it, and what it may leave
/// out.
pub fn genesis(mut document: Value, of: &GenesisInitialised) -> Value {
    let validators = of.validators.iter().map(|member| {
        json!({
            "address": member.address,
            "pub_key": public_key(member.public_key),
            "power": member.power.to_string(),
            "name": "",
        })
    });
    document["validators"] = validators.collect();
    document["app_hash"] = json!(hex::encode_upper(of.app_hash.as_bytes()));
    document["initial_height"] = json!(of.initial_height.to_string());
    document
}

/// A time as Go writes it: RFC 3339 with as many digits below a second as it needs.
pub fn time(time: Time) -> String {
    time.to_rfc3339()
}
