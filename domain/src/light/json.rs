//! Reads signed headers and validator sets from the JSON of several producers.
//!
//! Does not judge what it reads. Producers disagree: heights are strings or numbers, `parts` is
//! also `part_set_header`, nothing is null, empty or absent, bytes are hex or base64, flags are
//! numbers or names, keys have four envelopes. Each is read; what is ambiguous is refused with its
//! place.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::Value;
use tendermint_proto::{
    google::protobuf::Timestamp,
    v0_38::{
        crypto::{PublicKey as RawKey, public_key::Sum},
        types as proto,
        version::Consensus,
    },
};

use super::{LightBlock, ParseFault, SignedHeader, ValidatorSet, from_base64};
use crate::json::Node;

/// Bytes of a hash, a key, an address and a signature.
const HASH_BYTES: usize = 32;
const KEY_BYTES: usize = 32;
const ADDRESS_BYTES: usize = 20;

/// Bytes of a known length, as hex or base64; empty when the text is.
fn bytes(node: &Node<'_>, length: usize) -> Result<Vec<u8>, ParseFault> {
    let text = node.text()?;
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let is_hex = text.len() == 2 * length;
    let bytes = if is_hex { hex::decode(text).ok() } else { STANDARD.decode(text).ok() };
    bytes
        .filter(|bytes| bytes.len() == length)
        .ok_or_else(|| node.misread(format!("not {length} bytes as hex or base64")))
}

/// Bytes of a member that may be absent, null or empty.
fn optional_bytes(node: &Node<'_>, name: &str, length: usize) -> Result<Vec<u8>, ParseFault> {
    node.member(&[name]).map_or(Ok(Vec::new()), |member| bytes(&member, length))
}

/// Reads one light block, one extended header, or the reply of a node's `/commit`; or an array of
/// them; or one on each line.
pub fn parse(text: &str) -> Result<Vec<LightBlock>, ParseFault> {
    let malformed = |fault: serde_json::Error| ParseFault::new("", format!("not JSON: {fault}"));
    let mut blocks = Vec::new();
    for document in serde_json::Deserializer::from_str(text).into_iter::<Value>() {
        let document = document.map_err(malformed)?;
        let node = Node::root(&document);
        let items = if document.is_array() { node.items()? } else { vec![node] };
        for item in &items {
            blocks.push(light_block(item)?);
        }
    }
    Ok(blocks)
}

/// Reads one light block, one extended header, or the reply of a node's `/commit`.
pub fn parse_value(value: &Value) -> Result<LightBlock, ParseFault> {
    light_block(&Node::root(value))
}

fn light_block(node: &Node<'_>) -> Result<LightBlock, ParseFault> {
    if let Some(result) = node.member(&["result"]) {
        return light_block(&result);
    }
    let signed_header = match node.member(&["signed_header"]) {
        Some(member) => self::signed_header(&member)?,
        None => self::signed_header(node)?,
    };
    let set = node.member(&["validator_set", "validators"]);
    // Some producers write a set without validators where they do not know the next one.
    let next = node.member(&["next_validator_set", "next_validators"]);
    let next = next.filter(|next| !is_empty_set(next));
    Ok(LightBlock {
        next_validator_set: next.map(|next| validator_set(&next)).transpose()?,
        signed_header,
        validator_set: set.map(|set| validator_set(&set)).transpose()?,
    })
}

fn is_empty_set(node: &Node<'_>) -> bool {
    let list = node.member(&["validators"]);
    list.is_none_or(|list| list.value.as_array().is_some_and(Vec::is_empty))
        && node.value.is_object()
}

/// Reads a signed header: base64 of its protobuf, or an object.
pub(super) fn signed_header(node: &Node<'_>) -> Result<SignedHeader, ParseFault> {
    let placed = |fault: ParseFault| ParseFault {
        pointer: format!("{}{}", node.pointer, fault.pointer),
        sentence: fault.sentence,
    };
    if let Some(text) = node.value.as_str() {
        return from_base64(text, SignedHeader::from_protobuf).map_err(placed);
    }
    let raw = proto::SignedHeader {
        header: Some(header(&node.needed(&["header"])?)?),
        commit: Some(commit(&node.needed(&["commit"])?)?),
    };
    SignedHeader::from_raw(raw).map_err(placed)
}

fn header(node: &Node<'_>) -> Result<proto::Header, ParseFault> {
    let version = node.needed(&["version"])?;
    let hash = |name: &str| optional_bytes(node, name, HASH_BYTES);
    let app_hash = node.member(&["app_hash"]);
    // Its length is the application's choice; its encoding is that of the other hashes.
    let validators_hash = node.needed(&["validators_hash"])?;
    let is_hex = validators_hash.text()?.len() == 2 * HASH_BYTES;
    Ok(proto::Header {
        version: Some(Consensus {
            block: version.member(&["block"]).map_or(Ok(0), |member| member.number())?,
            app: version.member(&["app"]).map_or(Ok(0), |member| member.number())?,
        }),
        chain_id: node.needed(&["chain_id"])?.text()?.to_owned(),
        height: height(&node.needed(&["height"])?)?,
        time: Some(time(&node.needed(&["time"])?)?),
        last_block_id: node.member(&["last_block_id"]).map(|id| block_id(&id)).transpose()?,
        last_commit_hash: hash("last_commit_hash")?,
        data_hash: hash("data_hash")?,
        validators_hash: bytes(&validators_hash, HASH_BYTES)?,
        next_validators_hash: hash("next_validators_hash")?,
        consensus_hash: hash("consensus_hash")?,
        app_hash: app_hash.map_or(Ok(Vec::new()), |member| app_hash_bytes(&member, is_hex))?,
        last_results_hash: hash("last_results_hash")?,
        evidence_hash: hash("evidence_hash")?,
        proposer_address: bytes(&node.needed(&["proposer_address"])?, ADDRESS_BYTES)?,
    })
}

fn app_hash_bytes(node: &Node<'_>, is_hex: bool) -> Result<Vec<u8>, ParseFault> {
    let text = node.text()?;
    let bytes = if is_hex { hex::decode(text).ok() } else { STANDARD.decode(text).ok() };
    bytes.ok_or_else(|| node.misread("not bytes in the encoding of the header's other hashes"))
}

fn block_id(node: &Node<'_>) -> Result<proto::BlockId, ParseFault> {
    let hash = optional_bytes(node, "hash", HASH_BYTES)?;
    let part_set_header = match node.member(&["parts", "part_set_header"]) {
        None => proto::PartSetHeader { total: 0, hash: Vec::new() },
        Some(parts) => proto::PartSetHeader {
            total: parts.member(&["total"]).map_or(Ok(0), |member| member.number())?,
            hash: optional_bytes(&parts, "hash", HASH_BYTES)?,
        },
    };
    Ok(proto::BlockId { hash, part_set_header: Some(part_set_header) })
}

fn height(node: &Node<'_>) -> Result<i64, ParseFault> {
    let height = node.number()?;
    if height < 1 { Err(node.misread("a height is at least 1")) } else { Ok(height) }
}

fn time(node: &Node<'_>) -> Result<Timestamp, ParseFault> {
    let time = tendermint::Time::parse_from_rfc3339(node.text()?)
        .map_err(|_| node.misread("not a time as RFC 3339 within the years 1 to 9999"))?;
    Ok(time.into())
}

fn commit(node: &Node<'_>) -> Result<proto::Commit, ParseFault> {
    let signatures = node.needed(&["signatures"])?;
    Ok(proto::Commit {
        height: height(&node.needed(&["height"])?)?,
        round: node.member(&["round"]).map_or(Ok(0), |member| member.number())?,
        block_id: Some(block_id(&node.needed(&["block_id"])?)?),
        signatures: signatures.items()?.iter().map(commit_sig).collect::<Result<_, _>>()?,
    })
}

fn commit_sig(node: &Node<'_>) -> Result<proto::CommitSig, ParseFault> {
    let flag = node.needed(&["block_id_flag"])?;
    let block_id_flag = match flag.value.as_str() {
        Some("BLOCK_ID_FLAG_ABSENT") => proto::BlockIdFlag::Absent as i32,
        Some("BLOCK_ID_FLAG_COMMIT") => proto::BlockIdFlag::Commit as i32,
        Some("BLOCK_ID_FLAG_NIL") => proto::BlockIdFlag::Nil as i32,
        Some(_) | None => flag.number()?,
    };
    if block_id_flag == proto::BlockIdFlag::Absent as i32 {
        return Ok(proto::CommitSig { block_id_flag, ..proto::CommitSig::default() });
    }
    let signature = node.needed(&["signature"])?;
    let decoded = STANDARD.decode(signature.text()?);
    Ok(proto::CommitSig {
        block_id_flag,
        validator_address: bytes(&node.needed(&["validator_address"])?, ADDRESS_BYTES)?,
        timestamp: Some(time(&node.needed(&["timestamp"])?)?),
        signature: decoded.map_err(|_| signature.misread("not base64"))?,
    })
}

/// Reads a validator set: base64 of its protobuf, an array of validators, or an object with them.
pub(super) fn validator_set(node: &Node<'_>) -> Result<ValidatorSet, ParseFault> {
    let placed = |fault: ParseFault| ParseFault {
        pointer: format!("{}{}", node.pointer, fault.pointer),
        sentence: fault.sentence,
    };
    if let Some(text) = node.value.as_str() {
        return from_base64(text, ValidatorSet::from_protobuf).map_err(placed);
    }
    if let Some(result) = node.member(&["result"]) {
        return validator_set(&result);
    }
    let list = if node.value.is_array() {
        node.items()?
    } else {
        node.needed(&["validators"])?.items()?
    };
    if let Some(total) = node.member(&["total"]) {
        let (here, all) = (list.len(), total.number::<usize>()?);
        if here < all {
            return Err(total.misread(format!("a page with {here} of {all} validators")));
        }
    }
    let validators = list.iter().map(validator).collect::<Result<_, _>>()?;
    let raw = proto::ValidatorSet { validators, proposer: None, total_voting_power: 0 };
    ValidatorSet::from_raw(raw).map_err(placed)
}

fn validator(node: &Node<'_>) -> Result<proto::Validator, ParseFault> {
    let key = public_key(&node.needed(&["pub_key"])?)?;
    Ok(proto::Validator {
        address: bytes(&node.needed(&["address"])?, ADDRESS_BYTES)?,
        pub_key: Some(RawKey { sum: Some(Sum::Ed25519(key)) }),
        voting_power: node.needed(&["voting_power", "power"])?.number()?,
        proposer_priority: 0,
    })
}

/// An Ed25519 key in one of its envelopes: `{type, value}`, `{Sum: {value: {ed25519}}}`,
/// `{ed25519}` or `{@type, key}`.
fn public_key(node: &Node<'_>) -> Result<Vec<u8>, ParseFault> {
    if let Some(sum) = node.member(&["Sum"]) {
        return public_key(&sum);
    }
    if let Some(kind) = node.member(&["type", "@type"]) {
        let name = kind.text()?;
        let known = ["tendermint/PubKeyEd25519", "tendermint.crypto.PublicKey_Ed25519"];
        if !known.contains(&name) && name != "/cosmos.crypto.ed25519.PubKey" {
            return Err(kind.misread(format!("a key of type {name}, only Ed25519 is read")));
        }
    }
    let inner = node.needed(&["value", "key", "ed25519"])?;
    if inner.value.is_object() {
        return public_key(&inner);
    }
    let key = bytes(&inner, KEY_BYTES)?;
    if key.is_empty() { Err(inner.misread("the key is empty")) } else { Ok(key) }
}
