//! The hashes of headers, blocks, commits and evidence: those that running CometBFT nodes wrote.
//!
//! `vectors/cometbft-blocks.json` holds what two CometBFT 0.38 networks answered when asked for
//! blocks: the first, second and tenth of one, and one of another with evidence in it.

use domain::{
    block::{Body, Contents, Header},
    commit::{Commit, weighted_median},
    evidence::Evidence,
    hashes::{self, ExecutionResult, PART_BYTES, Parts},
    light::{self, SignedHeader, parse},
    values::{Hash, Height, Round, Signature},
    vote::{BlockId, Proposal, Vote, VoteType},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};
use tendermint::{
    Time,
    evidence::DuplicateVoteEvidence,
    vote::{Power, Vote as TmVote},
};

use crate::fixture::{self, address, moment};

const CELESTIA: &str = "headers/celestia-chain3-1-to-256.json";
const NOTHING: &str = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

fn hash(text: &str) -> Hash {
    text.parse().unwrap()
}

/// A block that a node answered with.
struct Answered {
    contents: Contents,
    id: BlockId,
    bytes: Option<u64>,
}

fn answered() -> Vec<Answered> {
    let blocks: Vec<Value> =
        serde_json::from_str(include_str!("vectors/cometbft-blocks.json")).unwrap();
    blocks.iter().map(one_answered).collect()
}

fn one_answered(block: &Value) -> Answered {
    // The reader of signed headers takes any commit of the header's height.
    let mut commit = match &block["last_commit"] {
        Value::Null => {
            json!({"round": 0, "signatures": [], "block_id": block["block_id"]})
        }
        commit => commit.clone(),
    };
    commit["height"] = block["header"]["height"].clone();
    let both = json!({"header": block["header"], "commit": commit});
    let both: SignedHeader = serde_json::from_value(both).unwrap();
    let mut commit = both.signed().commit.clone();
    let last_commit = (!block["last_commit"].is_null()).then(|| {
        commit.height = (both.height().value() - 1).try_into().unwrap();
        Commit::new(commit).unwrap()
    });
    let evidence = block["evidence"].as_array().unwrap().iter().map(evidence).collect();
    Answered {
        contents: Contents {
            body: Body { evidence, last_commit, transactions: Vec::new() },
            header: Header::new(both.signed().header.clone()).unwrap(),
        },
        id: block_id(&block["block_id"]).unwrap(),
        bytes: block["bytes"].as_u64(),
    }
}

fn block_id(json: &Value) -> Option<BlockId> {
    if json["hash"] == "" {
        return None;
    }
    Some(serde_json::from_value(json.clone()).unwrap())
}

fn evidence(json: &Value) -> Evidence {
    let number = |value: &Value| value.as_str().unwrap().parse::<u64>().unwrap();
    let vote = |vote: &Value| TmVote {
        vote_type: i32::try_from(vote["type"].as_i64().unwrap()).unwrap().try_into().unwrap(),
        height: number(&vote["height"]).try_into().unwrap(),
        round: u32::try_from(vote["round"].as_u64().unwrap()).unwrap().try_into().unwrap(),
        block_id: block_id(&vote["block_id"]).map(BlockId::to_tendermint),
        timestamp: Some(time(&vote["timestamp"])),
        validator_address: vote["validator_address"].as_str().unwrap().parse().unwrap(),
        validator_index: i32::try_from(vote["validator_index"].as_i64().unwrap())
            .unwrap()
            .try_into()
            .unwrap(),
        signature: Some({
            let signature: Signature = vote["signature"].as_str().unwrap().parse().unwrap();
            tendermint::Signature::try_from(signature.as_bytes().as_slice()).unwrap()
        }),
        extension: Vec::new(),
        extension_signature: None,
    };
    Evidence::new(DuplicateVoteEvidence {
        vote_a: vote(&json["vote_a"]),
        vote_b: vote(&json["vote_b"]),
        total_voting_power: Power::try_from(number(&json["total_voting_power"])).unwrap(),
        validator_power: Power::try_from(number(&json["validator_power"])).unwrap(),
        timestamp: time(&json["timestamp"]),
    })
    .unwrap()
}

fn time(json: &Value) -> Time {
    Time::parse_from_rfc3339(json.as_str().unwrap()).unwrap()
}

#[test]
fn blocks_of_running_nodes_have_the_ids_that_the_nodes_gave_them() {
    let blocks = answered();
    assert_eq!(blocks.len(), 4);
    for Answered { contents, id, bytes } in &blocks {
        let height = contents.header.height();
        assert_eq!(contents.header.hash(), id.hash, "height {height}");
        assert_eq!(contents.id(), *id, "height {height}");
        let found = u64::try_from(contents.to_protobuf().len()).unwrap();
        assert!(bytes.is_none_or(|bytes| bytes == found), "height {height}: {found}");
    }
}

#[test]
fn headers_of_running_nodes_name_what_their_blocks_hold() {
    for Answered { contents: Contents { body, header }, .. } in answered() {
        assert_eq!(header.data_hash(), Some(body.data_hash()));
        assert_eq!(header.evidence_hash(), Some(body.evidence_hash()));
        assert_eq!(header.last_commit_hash(), Some(body.last_commit_hash()));
        assert_eq!(header.consensus_hash(), Some(hashes::consensus_hash(22_020_096, -1)));
        assert_eq!(header.last_results_hash(), Some(hashes::results_hash(&[])));
    }
}

#[test]
fn a_body_reads_back_as_what_it_is_and_in_no_other_form() {
    for Answered { contents: Contents { mut body, header }, .. } in answered() {
        body.transactions = vec![Hash::of(b"1"), Hash::of(b"2")];
        let bytes = body.to_protobuf();
        let read = Body::from_protobuf(&bytes).unwrap();
        assert_eq!(read, body);
        assert_eq!(read.hash(), Hash::of(&bytes));
        let unknown_field = [bytes.as_slice(), &[0x78, 1]].concat();
        assert!(Body::from_protobuf(&unknown_field).is_err());
        let text = serde_json::to_string(&header).unwrap();
        assert_eq!(serde_json::from_str::<Header>(&text).unwrap(), header);
    }
}

#[test]
fn evidence_of_a_running_network_has_the_hash_its_header_names_and_goes_through_the_crate() {
    let block = answered().pop().unwrap();
    let [one] = block.contents.body.evidence.as_slice() else { panic!("one piece of evidence") };
    let named = hash("051CD844C65A51852281128722BC6BE700F2CC288F6C4AB808E06D9EF82170E5");
    assert_eq!(hashes::evidence_hash(std::slice::from_ref(one)), named);
    let read = Evidence::from_protobuf(&one.to_protobuf()).unwrap();
    assert_eq!(&read, one);
    assert_eq!(read.evidence(), one.evidence());
    assert_eq!((one.height().value(), one.power().value()), (547, 99));
    // What the crate itself would write has another hash: no id for nil, and another power.
    let theirs =
        tendermint_proto::v0_38::types::DuplicateVoteEvidence::from(one.evidence().clone());
    let theirs = prost::Message::encode_to_vec(&theirs);
    assert_ne!(theirs, one.to_protobuf());
}

#[test]
fn the_time_of_a_block_is_the_weighted_median_of_its_last_commit() {
    // The evidence in it says 99 of 1509 for the third of that network's three members; the second,
    // by its place in the set, can have 99 too, and then the first has more than half.
    let block = answered().pop().unwrap();
    let commit = block.contents.body.last_commit.unwrap();
    let times: Vec<_> = commit
        .commit()
        .signatures
        .iter()
        .zip([1311, 99, 99])
        .map(|(entry, power)| match entry {
            tendermint::block::CommitSig::BlockIdFlagCommit { timestamp, .. } => {
                (*timestamp, power)
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let median = weighted_median(times).unwrap();
    assert_eq!(median, block.contents.header.header().time);
}

#[test]
fn the_weighted_median_is_the_one_that_cometbft_publishes() {
    // TestWeightedMedian.
    let at = |second: i64| Time::from_unix_timestamp(second, 0).unwrap();
    let median = |times: &[(i64, u64)]| {
        weighted_median(times.iter().map(|(second, weight)| (at(*second), *weight)).collect())
    };
    assert_eq!(median(&[(5, 40), (10, 27), (0, 33)]), Some(at(5)));
    assert_eq!(median(&[(10, 33), (0, 40), (5, 27)]), Some(at(5)));
    let seven = [(15, 20), (5, 10), (0, 10), (10, 23), (5, 10), (60, 10)];
    assert_eq!(median(&seven), Some(at(10)));
    assert_eq!(median(&[]), None);
}

#[test]
fn all_256_headers_of_a_running_node_hash_to_what_their_commits_and_successors_name() {
    let Some(text) = fixture::file(CELESTIA) else { return };
    let blocks = parse(&text).unwrap();
    let mut last: Option<(Commit, light::ValidatorSet)> = None;
    for block in &blocks {
        let signed = &block.signed_header;
        let header = Header::new(signed.signed().header.clone()).unwrap();
        let set = block.validator_set.as_ref().unwrap();
        let commit = Commit::new(signed.signed().commit.clone()).unwrap();
        assert_eq!(commit.block_id().hash, header.hash());
        assert_eq!(header.validators_hash(), set.hash());
        assert_eq!(header.consensus_hash(), Some(hashes::consensus_hash(22_020_096, -1)));
        assert_eq!(header.evidence_hash(), Some(hashes::evidence_hash(&[])));
        match &last {
            None => assert_eq!(header.last_commit_hash(), Some(hash(NOTHING))),
            Some((last, last_set)) => {
                assert_eq!(header.last_block_id(), Some(last.block_id()));
                assert_eq!(header.last_commit_hash(), Some(last.hash()));
                // Its clock is finer than a microsecond; the median of one voter is exact.
                assert_eq!(last.median_time(last_set), Some(header.time()));
            }
        }
        let read = Commit::from_protobuf(&commit.to_protobuf()).unwrap();
        assert_eq!(read, commit);
        last = Some((commit, set.clone()));
    }
    assert_eq!(blocks.len(), 256);
}

#[test]
fn every_vote_of_256_commits_of_a_running_node_verifies_over_our_sign_bytes() {
    let Some(text) = fixture::file(CELESTIA) else { return };
    let mut votes = 0;
    for block in parse(&text).unwrap() {
        let signed = &block.signed_header;
        let set = block.validator_set.as_ref().unwrap();
        let commit = Commit::new(signed.signed().commit.clone()).unwrap();
        let tally = commit.verify(signed.chain_id(), set).unwrap();
        assert_eq!(tally.signed, tally.total);
        votes += commit.commit().signatures.len();
        let other = "another".parse().unwrap();
        assert_eq!(commit.verify(&other, set).unwrap_err().code(), "signature-invalid");
    }
    assert_eq!(votes, 256);
}

#[test]
fn one_transaction_gives_the_data_hash_that_a_running_node_proved() {
    for (transaction, root) in [
        ("async-key=value", "3081F9915040D138B3AD7F895732D2767C29E85BA5D84388D04E17A5D8262B7A"),
        ("tx0=value", "DD49E1C469C2C3EB0AB68BF9B83D9865B08FEFDBC71702CC73564F4DA56870A4"),
        ("tx5=value", "E77C1F539EC69D643A438EA1735F6DEDBC58ED2698ED60F84FA7F2F9338F8B33"),
    ] {
        assert_eq!(hashes::data_hash(&[Hash::of(transaction.as_bytes())]), hash(root));
    }
}

#[test]
fn results_hash_as_a_running_node_hashed_one_that_succeeded_and_said_nothing() {
    let one = ExecutionResult::default();
    let named = "6E340B9CFFB37A989CA544E6BB780A2C78901D3FB33738768511A30617AFA01D";
    assert_eq!(hashes::results_hash(std::slice::from_ref(&one)), hash(named));
    let failed = ExecutionResult { code: 5, data: b"x".to_vec(), gas_wanted: 7, gas_used: 300 };
    // code 1: varint, data 2: bytes, gas_wanted 5 and gas_used 6: varints.
    let bytes = [0, 0x08, 5, 0x12, 1, b'x', 0x28, 7, 0x30, 0xac, 2];
    assert_eq!(hashes::results_hash(&[failed]), Hash::of(&bytes));
}

#[test]
fn header_hash_as_cometbft_publishes_it() {
    // TestHeaderHash.
    let of = |text: &str| tendermint::Hash::Sha256(*Hash::of(text.as_bytes()).as_bytes());
    let zeros = tendermint::Hash::Sha256([0; 32]);
    let proposer: [u8; 20] = Hash::of(b"proposer_address").as_bytes()[..20].try_into().unwrap();
    let header = tendermint::block::Header {
        version: tendermint::block::header::Version { block: 1, app: 2 },
        chain_id: "chainId".parse().unwrap(),
        height: 3_u32.into(),
        time: Time::parse_from_rfc3339("2019-10-13T16:14:44Z").unwrap(),
        last_block_id: Some(tendermint::block::Id {
            hash: zeros,
            part_set_header: tendermint::block::parts::Header::new(6, zeros).unwrap(),
        }),
        last_commit_hash: Some(of("last_commit_hash")),
        data_hash: Some(of("data_hash")),
        validators_hash: of("validators_hash"),
        next_validators_hash: of("next_validators_hash"),
        consensus_hash: of("consensus_hash"),
        app_hash: Hash::of(b"app_hash").as_bytes().to_vec().try_into().unwrap(),
        last_results_hash: Some(of("last_results_hash")),
        evidence_hash: Some(of("evidence_hash")),
        proposer_address: tendermint::account::Id::new(proposer),
    };
    let published = "F740121F553B5418C3EFBD343C2DBFE9E007BB67B0D020A0741374BAB65242A4";
    let header = Header::new(header).unwrap();
    assert_eq!(header.hash(), hash(published));
    assert_eq!(Header::from_protobuf(&header.to_protobuf()).unwrap(), header);
}

#[test]
fn sign_bytes_are_those_that_cometbft_publishes() {
    let chain_id = "test_chain_id".parse().unwrap();
    let vote = |kind| {
        let timestamp = moment("0001-01-01T00:00:00Z");
        Vote::unsigned(kind, Round::try_from(1).unwrap(), None, timestamp, address(1))
    };
    // TestVoteSignBytesTestVectors, cases 1, 2 and 4: length, type, height, round, time, chain.
    let expected = |kind: u8| {
        let mut bytes = vec![0x30, 0x08, kind, 0x11, 1, 0, 0, 0, 0, 0, 0, 0];
        bytes.extend([0x19, 1, 0, 0, 0, 0, 0, 0, 0, 0x2a, 0x0b, 0x08]);
        bytes.extend([0x80, 0x92, 0xb8, 0xc3, 0x98, 0xfe, 0xff, 0xff, 0xff, 0x01, 0x32, 0x0d]);
        bytes.extend(b"test_chain_id");
        bytes
    };
    let first = Height::FIRST;
    assert_eq!(vote(VoteType::Prevote).sign_bytes(&chain_id, first), expected(1));
    assert_eq!(vote(VoteType::Precommit).sign_bytes(&chain_id, first), expected(2));
}

#[test]
fn a_proposals_sign_bytes_are_those_of_go() {
    let parts = Parts {
        hash: hash("0022446688AACCEE1133557799BBDDFF0022446688AACCEE1133557799BBDDFF"),
        total: 65_535.try_into().unwrap(),
    };
    let block_hash = hash("DEADBEEFDEADBEEFBAFBAFBAFBAFBAFADEADBEEFDEADBEEFBAFBAFBAFBAFBAFA");
    let proposal = Proposal::unsigned(
        Round::try_from(23_456).unwrap(),
        BlockId { hash: block_hash, parts },
        None,
        moment("2018-02-11T07:09:22.765Z"),
    );
    let bytes =
        proposal.sign_bytes(&"test_chain_id".parse().unwrap(), Height::new(12_345).unwrap());
    // Written by Go's ProposalSignBytes, as the tendermint crate quotes it.
    let expected = "88010820113930000000000000\
        19a05b00000000000020ffffffffffffffffff012a4a0a20\
        deadbeefdeadbeefbafbafbafbafbafadeadbeefdeadbeefbafbafbafbafbafa122608ffff031220\
        0022446688aaccee1133557799bbddff0022446688aaccee1133557799bbddff\
        320c08a2d8ffd30510c0f2e3ec023a0d746573745f636861696e5f6964";
    assert_eq!(hex::encode(bytes), expected);
}

#[test]
fn a_block_is_cut_into_parts_of_64_kib() {
    let bytes: Vec<u8> =
        (0..2 * PART_BYTES + 1).map(|at| u8::try_from(at % 251).unwrap()).collect();
    let parts = Parts::of(&bytes);
    assert_eq!(parts.total.get(), 3);
    let (first, rest) = bytes.split_at(PART_BYTES);
    let (second, third) = rest.split_at(PART_BYTES);
    assert_eq!(parts.hash, hashes::root(&[first, second, third]));
    assert_eq!(Parts::of(first).total.get(), 1);
    assert_eq!(Parts::of(&[]).total.get(), 1);
    assert_eq!(serde_json::from_value::<Parts>(json!({"hash": NOTHING, "total": 0})).ok(), None);
}

/// RFC 6962, word for word.
fn naive_root(leaves: &[Vec<u8>]) -> Hash {
    let [split @ .., _] = leaves else { return Hash::of(b"") };
    if split.is_empty() {
        return Hash::of(&[&[0], leaves[0].as_slice()].concat());
    }
    let mut half = 1;
    while half * 2 < leaves.len() {
        half *= 2;
    }
    let (left, right) = (naive_root(&leaves[..half]), naive_root(&leaves[half..]));
    Hash::of(&[&[1], left.as_bytes().as_slice(), right.as_bytes()].concat())
}

proptest! {
    #[test]
    fn a_root_is_that_of_rfc_6962(leaves in vec(vec(any::<u8>(), 0..9), 0..40)) {
        prop_assert_eq!(hashes::root(&leaves), naive_root(&leaves));
    }
}

/// The root that a proof leads to (RFC 9162, section 2.1.3.2, without its checks of the size).
fn led_to(of: &hashes::Inclusion, mut index: usize, mut total: usize) -> Hash {
    let join = |left: Hash, right: Hash| {
        let mut bytes = vec![1];
        bytes.extend(left.as_bytes());
        bytes.extend(right.as_bytes());
        Hash::of(&bytes)
    };
    let mut root = of.leaf;
    for aunt in &of.aunts {
        // Where nothing stands beside, the way goes straight up.
        while index.is_multiple_of(2) && index + 1 == total {
            (index, total) = (index / 2, total.div_ceil(2));
        }
        root = if index % 2 == 1 { join(*aunt, root) } else { join(root, *aunt) };
        (index, total) = (index / 2, total.div_ceil(2));
    }
    root
}

proptest! {
    #[test]
    fn every_leaf_is_proved_to_be_under_its_root(leaves in vec(vec(any::<u8>(), 0..40), 1..70)) {
        let root = hashes::root(&leaves);
        for index in 0..leaves.len() {
            let inclusion = hashes::inclusion(&leaves, index).unwrap();
            prop_assert_eq!(led_to(&inclusion, index, leaves.len()), root, "leaf {}", index);
        }
        prop_assert_eq!(hashes::inclusion(&leaves, leaves.len()), None);
    }
}
