//! Two rules for signatures, each judged by all of Wycheproof's cases.

use curve25519_dalek::{
    constants::ED25519_BASEPOINT_POINT, edwards::CompressedEdwardsY, scalar::Scalar,
    traits::IsIdentity as _,
};
use domain::values::{PublicKey, Signature};
use ed25519_dalek::VerifyingKey;
use serde_json::Value;
use sha2::{Digest as _, Sha512};

use crate::fixture;

struct Case {
    id: u64,
    key: [u8; 32],
    message: Vec<u8>,
    signature: Vec<u8>,
    valid: bool,
}

fn cases() -> Option<Vec<Case>> {
    let text = fixture::file("ed25519/wycheproof-ed25519.json")?;
    let file: Value = serde_json::from_str(&text).unwrap();
    let bytes = |value: &Value| hex::decode(value.as_str().unwrap()).unwrap();
    let mut cases = Vec::new();
    for group in file["testGroups"].as_array().unwrap() {
        for test in group["tests"].as_array().unwrap() {
            cases.push(Case {
                id: test["tcId"].as_u64().unwrap(),
                key: bytes(&group["publicKey"]["pk"]).try_into().unwrap(),
                message: bytes(&test["msg"]),
                signature: bytes(&test["sig"]),
                valid: test["result"] == "valid",
            });
        }
    }
    assert_eq!(cases.len(), 151);
    Some(cases)
}

/// What a domain value makes of a case: a text that is not 64 bytes is no signature at all.
fn judged(case: &Case, verify: fn(&PublicKey, &[u8], &Signature) -> bool) -> bool {
    let Ok(signature) = <[u8; 64]>::try_from(case.signature.as_slice()) else { return false };
    let key = PublicKey::from_bytes(case.key).unwrap();
    verify(&key, &case.message, &Signature::from_bytes(signature))
}

/// The rule of ZIP 215, from its definition: S is below the order; A and R are encodings of points,
/// canonical or not; 8*S*B = 8*R + 8*k*A with k = SHA-512(R, A, message).
fn zip_215(case: &Case) -> bool {
    let Ok(signature) = <[u8; 64]>::try_from(case.signature.as_slice()) else { return false };
    let (r_bytes, s_bytes) = signature.split_at(32);
    let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(s_bytes.try_into().unwrap()));
    let r = CompressedEdwardsY(r_bytes.try_into().unwrap()).decompress();
    let a = CompressedEdwardsY(case.key).decompress();
    let (Some(s), Some(r), Some(a)) = (s, r, a) else { return false };
    let hashed = Sha512::new().chain_update(r_bytes).chain_update(case.key);
    let k = Scalar::from_hash(hashed.chain_update(&case.message));
    let difference = s * ED25519_BASEPOINT_POINT - r - k * a;
    difference.mul_by_cofactor().is_identity()
}

/// Whether R is the canonical encoding of a point of prime order: where it is, and the key too, the
/// rule with the cofactor and the one without it say the same.
fn r_is_plain(case: &Case) -> bool {
    let point: [u8; 32] = case.signature[..32].try_into().unwrap();
    let r = CompressedEdwardsY(point).decompress();
    r.is_some_and(|r| r.compress().to_bytes() == point && r.is_torsion_free())
}

/// Wycheproof's verdicts are those of RFC 8032 without cofactor and with canonical encodings, which
/// is what the strict rule asks for keys that are not of small order.
#[test]
fn the_strict_rule_agrees_with_all_151_cases() {
    let Some(cases) = cases() else { return };
    for case in &cases {
        assert_eq!(judged(case, PublicKey::verify_strict), case.valid, "case {}", case.id);
    }
    assert_eq!(cases.iter().filter(|case| case.valid).count(), 88);
}

/// What is valid for Wycheproof is valid for ZIP 215; what is invalid may be valid only where R is
/// not plain.
#[test]
fn the_rule_for_votes_agrees_with_all_151_cases() {
    let Some(cases) = cases() else { return };
    for case in &cases {
        let expected = zip_215(case);
        assert_eq!(judged(case, PublicKey::verify_zip215), expected, "case {}", case.id);
        if expected != case.valid {
            assert!(expected && !r_is_plain(case), "case {}", case.id);
        }
    }
    assert!(cases.iter().filter(|case| zip_215(case)).count() >= 88);
}

#[test]
fn the_two_rules_part_where_zip_215_says_so() {
    // A key and an R that are both the neutral element, and S = 0: every message verifies by ZIP
    // 215, none by the strict rule; and such a key is no value of the domain.
    let mut neutral = [0; 32];
    neutral[0] = 1;
    let mut signature = [0; 64];
    signature[0] = 1;
    let vote_key = ed25519_zebra::VerificationKey::try_from(neutral).unwrap();
    let vote = ed25519_zebra::Signature::from(signature);
    assert!(vote_key.verify(&vote, b"anything").is_ok());
    let strict_key = VerifyingKey::from_bytes(&neutral).unwrap();
    let strict = ed25519_dalek::Signature::from_bytes(&signature);
    assert!(strict_key.verify_strict(b"anything", &strict).is_err());
    assert!(PublicKey::from_bytes(neutral).is_err());
}
