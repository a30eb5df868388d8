//! Signed headers: the verdicts of others, and our own stricter reading of a commit.

use domain::{
    light::{
        self, Fault, LightBlock, Options, SignedHeader, Trusted, ValidatorSet, Verdict, parse,
        verify, verify_commit,
    },
    values::{Hash, Moment},
};
use serde_json::Value;

use crate::fixture::{self, Draft, moment, set};

const CELESTIA: &str = "headers/celestia-chain3-1-to-256.json";

fn trusted<'a>(header: &'a SignedHeader, next: Option<&'a ValidatorSet>) -> Trusted<'a> {
    Trusted {
        chain_id: header.chain_id(),
        height: header.height(),
        time: header.time(),
        time_nanos: header.time_nanos(),
        next_validators_hash: header.next_validators_hash(),
        next_validators: next,
    }
}

fn options() -> Options {
    Options { trusting_period_s: 86_400, clock_drift_s: 10 }
}

/// One minute after the headers of [`Draft`] begin.
fn now() -> Moment {
    moment("2026-01-01T00:01:00Z")
}

#[test]
fn all_256_headers_of_a_running_node_verify_one_after_the_other() {
    let Some(text) = fixture::file(CELESTIA) else { return };
    let blocks = parse(&text).unwrap();
    assert_eq!(blocks.len(), 256);
    let first = &blocks[0];
    verify_commit(&first.signed_header, first.validator_set.as_ref().unwrap()).unwrap();
    for pair in blocks.windows(2) {
        let [before, after] = pair else { unreachable!("windows of two") };
        let set = after.validator_set.as_ref().unwrap();
        let trusted = trusted(&before.signed_header, None);
        let now = after.signed_header.time().plus_seconds(1);
        let verdict = verify(&after.signed_header, set, None, &trusted, options(), now);
        assert!(matches!(verdict, Verdict::Trusted(_)), "{verdict:?}");
        assert_eq!(after.signed_header.last_block_hash(), Some(before.signed_header.hash()));
        let named = after.signed_header.signed().header.last_commit_hash.unwrap();
        assert_eq!(named.as_bytes(), light::commit_hash(&before.signed_header).as_bytes());
    }
}

#[test]
fn the_hash_of_block_limits_is_the_one_a_running_node_writes() {
    // CometBFT's defaults: 21 MiB, and gas without limit.
    let expected = "048091BC7DDC283F77BFBF91D73C44DA58C3DF8A9CBC867405D8B7F3DAADA22F";
    assert_eq!(light::consensus_hash(22_020_096, -1).to_string(), expected);
    let Some(text) = fixture::file(CELESTIA) else { return };
    for block in parse(&text).unwrap() {
        let named = block.signed_header.signed().header.consensus_hash;
        assert_eq!(named.to_string(), expected);
    }
}

#[test]
fn a_flipped_bit_anywhere_in_a_signature_is_found() {
    let Some(text) = fixture::file(CELESTIA) else { return };
    let blocks = parse(&text).unwrap();
    let block = &blocks[100];
    let mut raw = block.signed_header.to_protobuf();
    let bytes = block.signed_header.signed().commit.signatures.clone();
    let tendermint::block::CommitSig::BlockIdFlagCommit { signature: Some(signature), .. } =
        &bytes[0]
    else {
        panic!("the one validator signed")
    };
    let at = raw.windows(64).position(|window| window == signature.as_bytes()).unwrap();
    for bit in 0..512 {
        raw[at + bit / 8] ^= 1 << (bit % 8);
        let forged = SignedHeader::from_protobuf(&raw).unwrap();
        let fault = verify_commit(&forged, block.validator_set.as_ref().unwrap()).unwrap_err();
        assert_eq!(fault.code(), "signature-invalid");
        raw[at + bit / 8] ^= 1 << (bit % 8);
    }
}

/// What became of one step of a case.
fn verdict_name(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Trusted(_) => "SUCCESS",
        Verdict::NotEnoughTrust { .. } => "NOT_ENOUGH_TRUST",
        Verdict::Refused(_) => "INVALID",
    }
}

#[test]
fn every_verdict_of_the_model_based_cases_agrees() {
    let Some(names) = fixture::names("light-client") else { return };
    let (mut cases, mut steps) = (0, 0);
    for name in names {
        let text = fixture::file(&name).unwrap();
        let case: Value = serde_json::from_str(&text).unwrap();
        steps += run_case(&name, &case);
        cases += 1;
    }
    assert_eq!(cases, 20);
    assert!(steps >= 45, "{steps} steps");
}

/// Runs the steps of a case: what is found good becomes trusted.
fn run_case(name: &str, case: &Value) -> usize {
    let initial = &case["initial"];
    let mut head: LightBlock = serde_json::from_value(initial.clone()).unwrap();
    let nanos: u64 = initial["trusting_period"].as_str().unwrap().parse().unwrap();
    // As the crate that these cases come from runs them.
    let options = Options { trusting_period_s: nanos / 1_000_000_000, clock_drift_s: 1 };
    let steps = case["input"].as_array().unwrap();
    for (index, step) in steps.iter().enumerate() {
        let now = moment(step["now"].as_str().unwrap());
        let expected = step["verdict"].as_str().unwrap();
        let block = match serde_json::from_value::<LightBlock>(step["block"].clone()) {
            Ok(block) => block,
            Err(fault) => {
                assert_eq!(expected, "INVALID", "{name}, step {index}: {fault}");
                continue;
            }
        };
        let trusted = trusted(&head.signed_header, head.next_validator_set.as_ref());
        let (set, next) =
            (block.validator_set.as_ref().unwrap(), block.next_validator_set.as_ref());
        let verdict = verify(&block.signed_header, set, next, &trusted, options, now);
        assert_eq!(verdict_name(&verdict), expected, "{name}, step {index}: {verdict:?}");
        if let Verdict::Trusted(_) = verdict {
            head = block;
        }
    }
    steps.len()
}

const FOUR: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10)];

#[test]
fn a_made_header_verifies_and_has_the_hash_its_commit_names() {
    let signed = Draft::new(5, FOUR).signed();
    let tally = verify_commit(&signed, &set(FOUR)).unwrap();
    assert_eq!((tally.signed, tally.total), (40, 40));
    assert_eq!(SignedHeader::from_protobuf(&signed.to_protobuf()).unwrap(), signed);
    assert_eq!(signed.time(), moment("2026-01-01T00:00:05.123456Z"));
    assert_eq!(signed.time_nanos(), 789);
}

#[test]
fn exactly_two_thirds_of_the_power_are_not_enough() {
    let members = &[(1, 10), (2, 10), (3, 10)];
    let two = Draft { signers: vec![1, 2], ..Draft::new(5, members) };
    let fault = verify_commit(&two.signed(), &set(members)).unwrap_err();
    let (signed, total) = ("20".to_owned(), "30".to_owned());
    assert_eq!(fault, Fault::QuorumMissing { signed, total });
    let weighed = &[(1, 11), (2, 10), (3, 10)];
    let two = Draft { signers: vec![1, 2], ..Draft::new(5, weighed) };
    verify_commit(&two.signed(), &set(weighed)).unwrap();
}

#[test]
fn a_commit_in_another_order_is_refused_although_every_signature_is_there() {
    let signed = Draft::new(5, FOUR).signed();
    let mut inner = signed.signed().clone();
    inner.commit.signatures.swap(0, 1);
    let swapped = SignedHeader::new(inner).unwrap();
    let fault = verify_commit(&swapped, &set(FOUR)).unwrap_err();
    assert_eq!(fault.code(), "signature-out-of-order");
}

#[test]
fn a_bad_signature_is_found_although_the_others_suffice() {
    let signed = Draft::new(5, FOUR).signed();
    let other = Draft::new(6, FOUR).signed();
    let mut inner = signed.signed().clone();
    inner.commit.signatures[3] = other.signed().commit.signatures[3].clone();
    let forged = SignedHeader::new(inner).unwrap();
    let fault = verify_commit(&forged, &set(FOUR)).unwrap_err();
    assert!(matches!(fault, Fault::SignatureInvalid { index: 3, .. }), "{fault}");
}

#[test]
fn a_commit_with_too_few_entries_and_one_by_another_set_are_refused() {
    let signed = Draft::new(5, FOUR).signed();
    let mut inner = signed.signed().clone();
    inner.commit.signatures.pop();
    let fault = verify_commit(&SignedHeader::new(inner).unwrap(), &set(FOUR)).unwrap_err();
    assert_eq!(fault, Fault::SignatureCountMismatch { signatures: 3, validators: 4 });
    let fault = verify_commit(&signed, &set(&[(1, 10), (2, 10), (3, 10), (4, 11)])).unwrap_err();
    assert_eq!(fault.code(), "validator-set-mismatch");
}

#[test]
fn a_changed_header_no_longer_has_the_hash_its_commit_names() {
    let mut inner = Draft::new(5, FOUR).signed().signed().clone();
    inner.header.app_hash = vec![1].try_into().unwrap();
    let fault = verify_commit(&SignedHeader::new(inner).unwrap(), &set(FOUR)).unwrap_err();
    assert_eq!(fault.code(), "header-hash-mismatch");
}

#[test]
fn a_vote_for_nil_counts_nothing_but_must_verify() {
    use ed25519_dalek::Signer as _;
    let signed = Draft { signers: vec![1, 2, 3], ..Draft::new(5, FOUR) }.signed();
    let absent = signed.signed().commit.signatures.iter().position(|sig| sig.is_absent()).unwrap();
    let time = signed.signed().header.time;
    let with_nil = |for_header| {
        let message = light::vote_bytes(&signed, time, for_header);
        let signature = fixture::key(4).sign(&message).to_bytes();
        let mut inner = signed.signed().clone();
        inner.commit.signatures[absent] = tendermint::block::CommitSig::BlockIdFlagNil {
            validator_address: set(FOUR).set().validators()[absent].address,
            timestamp: time,
            signature: tendermint::Signature::new(signature).unwrap(),
        };
        verify_commit(&SignedHeader::new(inner).unwrap(), &set(FOUR))
    };
    assert_eq!(with_nil(false).unwrap().signed, 30);
    assert_eq!(with_nil(true).unwrap_err().code(), "signature-invalid");
}

#[test]
fn skipping_needs_more_than_a_third_of_the_trusted_set() {
    let trusted_block = Draft::new(5, &[(1, 10), (2, 10), (3, 10)]).block();
    let next = trusted_block.next_validator_set.as_ref();
    let base = trusted(&trusted_block.signed_header, next);
    let later = |members: &[(u8, u64)]| {
        let block = Draft::new(9, members).block();
        let set = block.validator_set.as_ref().unwrap();
        verify(&block.signed_header, set, None, &base, options(), now())
    };
    let third = later(&[(3, 10), (4, 10), (5, 10)]);
    assert_eq!(third, Verdict::NotEnoughTrust { signed: 10, total: 30 });
    let more = later(&[(2, 10), (3, 10), (4, 10)]);
    assert!(matches!(more, Verdict::Trusted(_)), "{more:?}");
}

#[test]
fn each_reason_to_refuse_a_header_is_told_from_the_others() {
    let base = Draft::new(5, FOUR).block();
    let verdict = |draft: Draft, options: Options, now: Moment| {
        let block = draft.block();
        let set = block.validator_set.as_ref().unwrap();
        let trusted = trusted(&base.signed_header, base.next_validator_set.as_ref());
        match verify(&block.signed_header, set, None, &trusted, options, now) {
            Verdict::Refused(fault) => fault.code(),
            other => panic!("{other:?}"),
        }
    };
    let next = || Draft::new(6, FOUR);
    let five = &[(1, 10), (2, 10), (3, 10), (4, 10), (5, 10)];
    let short = Options { trusting_period_s: 10, ..options() };
    assert_eq!(verdict(next(), short, now()), "trust-expired");
    let early = moment("2025-12-31T23:59:00Z");
    assert_eq!(verdict(next(), options(), early), "from-the-future");
    assert_eq!(verdict(Draft { second: 5, ..next() }, options(), now()), "time-not-later");
    assert_eq!(
        verdict(Draft { second: 9, ..Draft::new(4, FOUR) }, options(), now()),
        "height-not-later"
    );
    assert_eq!(verdict(Draft { chain: "example-2", ..next() }, options(), now()), "chain-mismatch");
    assert_eq!(verdict(Draft::new(6, five), options(), now()), "set-not-announced");
    assert_eq!(
        verdict(Draft { signers: vec![1, 2], ..next() }, options(), now()),
        "quorum-missing"
    );
}

#[test]
fn a_next_set_that_the_header_does_not_announce_is_refused() {
    let base = Draft::new(5, FOUR).block();
    let block = Draft::new(6, FOUR).block();
    let trusted = trusted(&base.signed_header, None);
    let other = set(&[(9, 1)]);
    let announced = block.validator_set.as_ref().unwrap();
    let verdict = verify(&block.signed_header, announced, Some(&other), &trusted, options(), now());
    let Verdict::Refused(fault) = verdict else { panic!("{verdict:?}") };
    assert_eq!(fault.code(), "next-validator-set-mismatch");
}

#[test]
fn heights_are_read_as_strings_and_as_numbers_and_nothing_in_each_of_its_forms() {
    let Some(text) = fixture::file(CELESTIA) else { return };
    let blocks: Vec<Value> = serde_json::from_str(&text).unwrap();
    let expected = light::parse_value(&blocks[0]).unwrap();
    let mut other = blocks[0].clone();
    other["header"]["height"] = 1.into();
    other["commit"]["height"] = "1".into();
    let parts = other["commit"]["block_id"]["parts"].take();
    other["commit"]["block_id"]["part_set_header"] = parts;
    other["commit"]["signatures"][0]["block_id_flag"] = "BLOCK_ID_FLAG_COMMIT".into();
    other["validator_set"]["validators"][0]["voting_power"] = 5000.into();
    for nothing in [
        r#"{"hash":"","parts":{"total":0,"hash":""}}"#,
        r#"{"hash":"","part_set_header":{"total":0,"hash":""}}"#,
        "{}",
        "null",
    ] {
        other["header"]["last_block_id"] = serde_json::from_str(nothing).unwrap();
        assert_eq!(light::parse_value(&other).unwrap(), expected, "{nothing}");
    }
}

#[test]
fn base64_bytes_and_other_envelopes_of_keys_are_read() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let Some(text) = fixture::file(CELESTIA) else { return };
    let blocks: Vec<Value> = serde_json::from_str(&text).unwrap();
    let expected = light::parse_value(&blocks[4]).unwrap();
    let mut other = blocks[4].clone();
    let recode = |value: &mut Value| {
        let bytes = hex::decode(value.as_str().unwrap()).unwrap();
        *value = STANDARD.encode(bytes).into();
    };
    for name in [
        "last_commit_hash",
        "data_hash",
        "validators_hash",
        "next_validators_hash",
        "consensus_hash",
        "app_hash",
        "last_results_hash",
        "evidence_hash",
        "proposer_address",
    ] {
        recode(&mut other["header"][name]);
    }
    recode(&mut other["header"]["last_block_id"]["hash"]);
    recode(&mut other["header"]["last_block_id"]["parts"]["hash"]);
    recode(&mut other["commit"]["signatures"][0]["validator_address"]);
    let validator = &mut other["validator_set"]["validators"][0];
    recode(&mut validator["address"]);
    let key = validator["pub_key"]["value"].take();
    for envelope in [
        serde_json::json!({"@type": "/cosmos.crypto.ed25519.PubKey", "key": key}),
        serde_json::json!({"ed25519": key}),
        serde_json::json!({"Sum": {"type": "tendermint.crypto.PublicKey_Ed25519",
            "value": {"ed25519": key}}}),
    ] {
        other["validator_set"]["validators"][0]["pub_key"] = envelope;
        let wrapped = serde_json::json!({"jsonrpc": "2.0", "result": other});
        assert_eq!(light::parse_value(&wrapped).unwrap(), expected);
    }
}

#[test]
fn a_file_may_hold_one_block_or_an_array_or_one_on_each_line() {
    let one = serde_json::to_string(&Draft::new(5, FOUR).block()).unwrap();
    let two = serde_json::to_string(&Draft::new(6, FOUR).block()).unwrap();
    assert_eq!(parse(&one).unwrap().len(), 1);
    assert_eq!(parse(&format!("[{one},{two}]")).unwrap().len(), 2);
    assert_eq!(parse(&format!("{one}\n{two}\n")).unwrap().len(), 2);
}

#[test]
fn unreadable_headers_name_the_place() {
    let Some(text) = fixture::file(CELESTIA) else { return };
    let blocks: Vec<Value> = serde_json::from_str(&text).unwrap();
    let fault = |change: &dyn Fn(&mut Value)| {
        let mut other = blocks[4].clone();
        change(&mut other);
        light::parse_value(&other).unwrap_err().pointer
    };
    assert_eq!(fault(&|v| v["header"]["height"] = "x".into()), "/header/height");
    assert_eq!(fault(&|v| v["header"]["height"] = "0".into()), "/header/height");
    assert_eq!(fault(&|v| v["header"]["time"] = "now".into()), "/header/time");
    assert_eq!(fault(&|v| v["header"]["data_hash"] = "AB".into()), "/header/data_hash");
    assert_eq!(fault(&|v| v["commit"] = Value::Null), "");
    let sig = "/commit/signatures/0/signature";
    assert_eq!(fault(&|v| v["commit"]["signatures"][0]["signature"] = "?".into()), sig);
    let key = "/validator_set/validators/0/pub_key/type";
    let set = |v: &mut Value| {
        v["validator_set"]["validators"][0]["pub_key"]["type"] =
            "tendermint/PubKeySecp256k1".into();
    };
    assert_eq!(fault(&set), key);
    let duplicate = |v: &mut Value| {
        let one = v["validator_set"]["validators"][0].clone();
        v["validator_set"]["validators"] = Value::Array(vec![one.clone(), one]);
    };
    assert_eq!(fault(&duplicate), "/validator_set/validators");
    assert!(parse("{").is_err());
}

#[test]
fn a_page_of_a_set_is_not_taken_for_the_whole() {
    let (address, key) = (fixture::address(1).to_string(), fixture::public_key(1).to_string());
    let page = serde_json::json!({"validators": [
        {"address": address, "voting_power": "1",
         "pub_key": {"type": "tendermint/PubKeyEd25519", "value": key}}
    ], "count": "1", "total": "180"});
    let fault = serde_json::from_value::<ValidatorSet>(page.clone()).unwrap_err();
    assert!(fault.to_string().contains("1 of 180"), "{fault}");
    let mut whole = page;
    whole["total"] = "1".into();
    assert_eq!(serde_json::from_value::<ValidatorSet>(whole).unwrap(), set(&[(1, 1)]));
}

#[test]
fn a_made_header_must_name_the_set_that_signs_it() {
    let draft = Draft::new(5, FOUR);
    let mut header = draft.header();
    header.validators_hash = tendermint::Hash::Sha256(*Hash::of(b"other").as_bytes());
    let round = tendermint::block::Round::from(0_u16);
    let time = header.time;
    let fault = light::sign_header(header, round, time, &draft.set, &[]).unwrap_err();
    assert_eq!(fault.pointer, "/header/validators_hash");
}
