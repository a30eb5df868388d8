//! Keys, and what they sign: by the letter of signed-note and tlog-cosignature.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signature, VerifyingKey};
use evidence::{
    Checkpoint, CheckpointFault, KeyFault, Keys, Role, SignerKey, VerifierKey, record_hash,
};
use signed_note::{Note, StandardSigner, StandardVerifier};

const NAME: &str = "log.example/one";

fn key(role: Role, name: &str) -> SignerKey {
    SignerKey::generate(role, name).unwrap()
}

/// The keys that verify what these sign.
fn public(keys: &[&SignerKey]) -> Keys {
    keys.iter().map(|key| key.public().clone()).collect()
}

#[test]
fn a_key_is_read_as_it_is_written_by_us_and_by_another_implementation() {
    let ours = key(Role::Log, NAME);
    let written = ours.public().to_string();
    assert_eq!(&written.parse::<VerifierKey>().unwrap(), ours.public());
    assert!(StandardVerifier::new(&written).is_ok());
    assert!(StandardSigner::new(&ours.secret()).is_ok());
    let again: SignerKey = ours.secret().parse().unwrap();
    assert_eq!(again.public(), ours.public());
    assert!(!format!("{ours:?}").contains(&ours.secret()[20..]), "a key is never shown");
    let witness = key(Role::Cosigner, "witness.example/w1");
    let again: SignerKey = witness.secret().parse().unwrap();
    assert_eq!((again.public(), again.public().role()), (witness.public(), Role::Cosigner));
}

#[test]
fn what_is_no_key_is_refused_with_a_reason() {
    let written = key(Role::Log, NAME).public().to_string();
    let fault = |text: &str| text.parse::<VerifierKey>().unwrap_err();
    assert_eq!(fault(&written.replace(NAME, "log.example/two")), KeyFault::Id);
    assert_eq!(fault(&written.replace(NAME, "log example")), KeyFault::Name);
    assert!(matches!(fault(&written[..written.len() - 4]), KeyFault::Form(_)));
    for text in ["", "+", "a+b", "a+12345678+", "a+12345678+AQ==", "PRIVATE+KEY+x"] {
        assert!(matches!(fault(text), KeyFault::Form(_)), "{text}");
    }
    let typed = BASE64_STANDARD.encode([&[9_u8][..], &[1; 32]].concat());
    assert_eq!(fault(&format!("a+12345678+{typed}")), KeyFault::Type);
    let secret = key(Role::Log, NAME).secret();
    assert!(matches!(secret.replace("KEY", "key").parse::<SignerKey>(), Err(KeyFault::Form(_))));
    assert_eq!(secret.replace(NAME, "other").parse::<SignerKey>().unwrap_err(), KeyFault::Id);
    assert_eq!(SignerKey::generate(Role::Log, "two words").unwrap_err(), KeyFault::Name);
}

#[test]
fn while_one_key_takes_the_place_of_another_both_sign_and_either_verifies() {
    let (old, new) = (key(Role::Log, NAME), key(Role::Log, NAME));
    let root = record_hash(b"anything");
    let signed = Checkpoint::sign(7, root, &[new.clone(), old.clone()]).unwrap();
    for keys in [public(&[&old]), public(&[&new]), public(&[&old, &new])] {
        let read = Checkpoint::open(&signed, &keys).unwrap();
        assert_eq!((read.origin.as_str(), read.size, read.root), (NAME, 7, root));
        assert_eq!(read.signed_by, [NAME]);
    }
    let text = String::from_utf8(signed).unwrap();
    assert!(text.starts_with("log.example/one\n7\n"), "{text}");
    let stranger = public(&[&key(Role::Log, NAME)]);
    let fault = Checkpoint::open(text.as_bytes(), &stranger).unwrap_err();
    assert!(matches!(fault, CheckpointFault::Unsigned), "{fault}");
}

/// A checkpoint that a witness has cosigned at a time.
fn cosigned(log: &SignerKey, witness: &SignerKey, time_s: u64) -> Vec<u8> {
    let signed = Checkpoint::sign(3, record_hash(b"root"), std::slice::from_ref(log)).unwrap();
    let note = Note::from_bytes(&signed).unwrap();
    let line = witness.sign(note.text(), time_s).unwrap().to_bytes();
    [signed, line].concat()
}

#[test]
fn a_cosignature_is_that_of_the_specification() {
    let (log, witness) = (key(Role::Log, NAME), key(Role::Cosigner, "witness.example/w1"));
    let note = Note::from_bytes(&cosigned(&log, &witness, 1_679_315_147)).unwrap();
    let line = String::from_utf8(note.to_bytes()).unwrap().lines().last().unwrap().to_owned();
    let bytes = BASE64_STANDARD.decode(line.rsplit(' ').next().unwrap()).unwrap();
    // 32-bit key id, 64-bit time, Ed25519 signature over two lines and the note's text.
    assert_eq!(bytes.len(), 4 + 8 + 64);
    assert_eq!(bytes[..4], witness.public().id().to_be_bytes());
    assert_eq!(bytes[4..12], 1_679_315_147_u64.to_be_bytes());
    let typed = witness.public().to_string().splitn(3, '+').last().unwrap().to_owned();
    let typed = BASE64_STANDARD.decode(typed).unwrap();
    assert_eq!(typed[0], 4);
    let by = VerifyingKey::from_bytes(&typed[1..].try_into().unwrap()).unwrap();
    let message = [b"cosignature/v1\ntime 1679315147\n".as_slice(), note.text()].concat();
    assert!(by.verify_strict(&message, &Signature::from_slice(&bytes[12..]).unwrap()).is_ok());
}

#[test]
fn who_cosigned_is_told_apart_from_the_log_and_cannot_stand_for_it() {
    let (log, witness) = (key(Role::Log, NAME), key(Role::Cosigner, "witness.example/w1"));
    let signed = cosigned(&log, &witness, 5);
    let read = Checkpoint::open(&signed, &public(&[&log, &witness])).unwrap();
    assert_eq!((read.signed_by.as_slice(), read.cosigned_by.len()), (&[NAME.to_owned()][..], 1));
    let alone = Checkpoint::open(&signed, &public(&[&witness])).unwrap_err();
    assert!(matches!(alone, CheckpointFault::NotItsOwn { .. }), "{alone}");
    // Its time is signed too.
    let mut text = String::from_utf8(signed).unwrap();
    let line = text.lines().last().unwrap().to_owned();
    let (name, mut bytes) = line
        .rsplit_once(' ')
        .map(|(name, signature)| (name.to_owned(), BASE64_STANDARD.decode(signature).unwrap()))
        .unwrap();
    bytes[11] ^= 1;
    text = text.replace(&line, &format!("{name} {}", BASE64_STANDARD.encode(&bytes)));
    let fault = Checkpoint::open(text.as_bytes(), &public(&[&log, &witness])).unwrap_err();
    assert!(matches!(fault, CheckpointFault::BadSignature(_)), "{fault}");
    // One whose key is not given is passed over.
    assert!(Checkpoint::open(text.as_bytes(), &public(&[&log])).unwrap().cosigned_by.is_empty());
    // A witness of the log's name is no log.
    let same = key(Role::Cosigner, NAME);
    let fault = Checkpoint::open(&cosigned(&log, &same, 5), &public(&[&same])).unwrap_err();
    assert!(matches!(fault, CheckpointFault::NotItsOwn { .. }), "{fault}");
}
