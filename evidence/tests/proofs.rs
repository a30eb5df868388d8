//! Proofs: ours convince others' verifier, others' vectors convince ours, and nothing else does.

use std::{fs, path::PathBuf, process::Command};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use evidence::{Failure, Found, Hash, Keys, Receipt, ReceiptFault, proof, record_hash};
use proptest::prelude::*;
use serde_json::Value;
use sigstore_merkle::{verify_consistency_proof, verify_inclusion_proof};
use sigstore_types::Sha256Hash;

use crate::log::{Key, Log, checkpoint, path, root, wait};

fn theirs(hash: Hash) -> Sha256Hash {
    Sha256Hash::new(hash.0)
}

fn all_theirs(hashes: &[Hash]) -> Vec<Sha256Hash> {
    hashes.iter().copied().map(theirs).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..Default::default() })]

    #[test]
    fn another_verifier_accepts_our_proofs_of_any_entry_and_any_older_size(
        size in 1..1_400_u64, index: prop::sample::Index, older: prop::sample::Index,
    ) {
        let log = Log::with(usize::try_from(size).unwrap());
        let (source, root_now) = (log.source(), log.root());
        let tiles = proof::Tiles { source: &source, size };
        let at = index.index(log.leaves.len());
        let leaf = log.leaves[at];
        let index = at as u64;
        let inclusion = wait(proof::inclusion(tiles, (size, root_now), index)).unwrap();
        let hashes = inclusion.hashes;
        prop_assert_eq!(inclusion.leaf, leaf);
        let (proved, now) = (all_theirs(&hashes), theirs(root_now));
        prop_assert!(verify_inclusion_proof(&theirs(leaf), index, size, &proved, &now).is_ok());
        prop_assert!(proof::is_included(&hashes, (size, root_now), index, leaf));
        prop_assert!(!proof::is_included(&hashes, (size, root_now), index, record_hash(b"other")));

        let before = older.index(log.leaves.len()) + 1;
        let (older, older_root) = (before as u64, root(&log.leaves[..before]));
        let consistency = wait(proof::consistency(tiles, (size, root_now), older)).unwrap();
        let hashes = consistency.hashes;
        prop_assert_eq!(consistency.older_root, older_root);
        // In a tree that the log had, whose partial tiles nobody has kept.
        let index = index % older;
        let inclusion = wait(proof::inclusion(tiles, (older, older_root), index)).unwrap();
        let leaf = log.leaves[usize::try_from(index).unwrap()];
        prop_assert!(proof::is_included(&inclusion.hashes, (older, older_root), index, leaf));
        let proved = all_theirs(&hashes);
        let accepted = verify_consistency_proof(older, size, &proved, &theirs(older_root), &now);
        prop_assert!(accepted.is_ok());
        prop_assert!(proof::is_consistent(&hashes, (size, root_now), (older, older_root)));
        let other = record_hash(b"other");
        prop_assert!(!proof::is_consistent(&hashes, (size, root_now), (older, other)));
    }
}

#[test]
fn nothing_is_proved_by_tiles_that_are_not_those_of_the_root() {
    let log = Log::with(600);
    let (at, source) = ((600, log.root()), log.source());
    let tiles = proof::Tiles { source: &source, size: 600 };
    log.change(&path("0", 1, 256), |all| all[32 * 44] ^= 1);
    let failure = wait(proof::inclusion(tiles, at, 301)).unwrap_err();
    assert!(matches!(failure, Failure::Found(Found::Tiles { size: 600, .. })), "{failure}");
    let failure = wait(proof::consistency(tiles, at, 300)).unwrap_err();
    assert!(matches!(failure, Failure::Found(Found::Tiles { .. })), "{failure}");
    // What does not need that tile is proved.
    assert!(wait(proof::inclusion(tiles, at, 599)).is_ok());
    let beyond = wait(proof::inclusion(tiles, at, 600)).unwrap_err();
    assert!(beyond.to_string().contains("there is no entry 600: the log has 600"), "{beyond}");
    let beyond = wait(proof::consistency(tiles, at, 601)).unwrap_err();
    assert!(beyond.to_string().contains("only 600"), "{beyond}");
    assert_eq!(wait(proof::consistency(tiles, at, 0)).unwrap().hashes, []);
}

/// Where the vectors of another implementation are: in its crate.
fn vectors() -> PathBuf {
    let said = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .unwrap();
    let said: Value = serde_json::from_slice(&said.stdout).unwrap();
    let packages = said["packages"].as_array().unwrap();
    let theirs = packages.iter().find(|package| package["name"] == "sigstore-merkle").unwrap();
    let manifest = PathBuf::from(theirs["manifest_path"].as_str().unwrap());
    manifest.parent().unwrap().join("test-data/merkle/testdata")
}

/// All vectors below a folder, with their paths.
fn below(folder: PathBuf) -> Vec<(PathBuf, Value)> {
    let (mut all, mut open) = (Vec::new(), vec![folder]);
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap().map(Result::unwrap) {
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            } else {
                let vector = serde_json::from_slice(&fs::read(entry.path()).unwrap()).unwrap();
                all.push((entry.path(), vector));
            }
        }
    }
    all
}

/// A hash of a vector. Some are short texts that stand for any hash.
fn hash(text: &Value) -> Option<Hash> {
    let bytes = BASE64_STANDARD.decode(text.as_str()?).ok()?;
    match <[u8; 32]>::try_from(bytes.as_slice()) {
        Ok(bytes) => Some(Hash(bytes)),
        Err(_) if bytes.is_empty() => None,
        Err(_) => Some(record_hash(&bytes)),
    }
}

fn hashes(list: &Value) -> Option<Vec<Hash>> {
    list.as_array().map_or(Some(Vec::new()), |list| list.iter().map(hash).collect())
}

#[test]
fn our_verifier_agrees_with_195_vectors_of_another_implementation() {
    let mut agreed = 0;
    for (path, vector) in below(vectors().join("inclusion")) {
        let whole = hash(&vector["root"]).zip(hash(&vector["leafHash"]));
        let accepted = whole.zip(hashes(&vector["proof"])).is_some_and(|((root, leaf), hashes)| {
            let (size, index) = (vector["treeSize"].as_u64(), vector["leafIdx"].as_u64());
            let (size, index) = size.zip(index).unwrap();
            proof::is_included(&hashes, (size, root), index, leaf)
        });
        assert_eq!(accepted, vector["wantErr"] == false, "{}", path.display());
        agreed += 1;
    }
    for (path, vector) in below(vectors().join("consistency")) {
        let whole = hash(&vector["root1"]).zip(hash(&vector["root2"]));
        let accepted = whole.zip(hashes(&vector["proof"])).is_some_and(|((one, two), hashes)| {
            let (before, now) = vector["size1"].as_u64().zip(vector["size2"].as_u64()).unwrap();
            proof::is_consistent(&hashes, (now, two), (before, one))
        });
        assert_eq!(accepted, vector["wantErr"] == false, "{}", path.display());
        agreed += 1;
    }
    assert_eq!(agreed, 195);
}

/// A receipt of entry 301 of 600.
fn receipt(log: &Log) -> Receipt {
    let source = log.source();
    let tiles = proof::Tiles { source: &source, size: 600 };
    let hashes = wait(proof::inclusion(tiles, (600, log.root()), 301)).unwrap().hashes;
    let checkpoint = String::from_utf8(log.read("checkpoint")).unwrap();
    Receipt { index: 301, hashes, checkpoint }
}

#[test]
fn a_receipt_is_read_as_it_was_written_and_proves_its_entry_alone() {
    let log = Log::with(600);
    let written = receipt(&log).to_string();
    let mut lines = written.lines();
    assert_eq!(lines.next(), Some("c2sp.org/tlog-proof@v1"));
    assert_eq!(lines.next(), Some("index 301"));
    let read = Receipt::parse(&written).unwrap();
    assert_eq!(read, receipt(&log));
    let keys = Keys::parse(&[&log.key.public]).unwrap();
    assert_eq!(read.verify(b"entry 301", &keys).unwrap().size, 600);
    let said = read.verify(b"entry 302", &keys).unwrap_err().to_string();
    assert!(said.contains("does not show that this entry is at index 301 of the 600"), "{said}");
    let elsewhere = Receipt { index: 300, ..read.clone() };
    assert!(elsewhere.verify(b"entry 301", &keys).is_err());
    let stranger = Keys::parse(&[&Key::named("log.example/two").public]).unwrap();
    let said = read.verify(b"entry 301", &stranger).unwrap_err();
    assert!(matches!(said, ReceiptFault::Checkpoint(_)), "{said}");
    // What somebody else signs for this log proves nothing either.
    let forged = checkpoint(&Key::named("log.example/one"), "log.example/one", 600, log.root());
    let forged = Receipt { checkpoint: String::from_utf8(forged).unwrap(), ..read };
    assert!(forged.verify(b"entry 301", &keys).is_err());
}

#[test]
fn what_others_add_to_a_receipt_is_passed_over_and_what_is_none_says_why() {
    let log = Log::with(600);
    let written = receipt(&log).to_string();
    let with_extra = written.replacen("\nindex", "\nextra aGVsbG8=\nindex", 1);
    assert_eq!(Receipt::parse(&with_extra).unwrap(), receipt(&log));
    for (from, to, says) in [
        ("c2sp.org/tlog-proof@v1", "c2sp.org/tlog-proof@v2", "first line"),
        ("index 301", "extra ?\nindex 301", "extra data"),
        ("index 301", "index 0301", "at which index"),
        ("index 301", "index +301", "at which index"),
        ("index 301", "index", "at which index"),
        ("index 301", "index 301\nAAAA", "no hash"),
        ("\n\n", "\n", "no proof"),
    ] {
        let changed = written.replacen(from, to, 1);
        match Receipt::parse(&changed) {
            Err(fault) => {
                let said = fault.to_string();
                assert!(said.contains(says) || says == "no proof", "{to}: {said}");
            }
            Ok(read) => panic!("{to}: {read:?}"),
        }
    }
    let long = format!("{written}{}", "x".repeat(70_000));
    assert!(Receipt::parse(&long).unwrap_err().to_string().contains("65,536"));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn no_text_makes_reading_a_receipt_fail_otherwise_than_with_a_reason(text in "\\PC*") {
        let _ = Receipt::parse(&text).map_err(|fault| fault.to_string());
        let _ = Receipt::parse(&format!("c2sp.org/tlog-proof@v1\n{text}")).map_err(|_| ());
    }
}
