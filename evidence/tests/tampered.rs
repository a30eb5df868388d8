//! What was done to a log, and what is found: none of it goes unnoticed, and the report names the
//! place.

use evidence::{CheckpointFault, Failure, Found};
use tlog_tiles::record_hash;

use crate::log::{Key, Log, ORIGIN, checkpoint, path, root};

/// What is found in a log of 600 entries to which this was done; with what it said before.
fn found(done: impl FnOnce(&mut Log) -> Vec<Vec<u8>>) -> Found {
    let mut log = Log::with(600);
    let older = done(&mut log);
    match log.verified(&older).unwrap_err() {
        Failure::Found(found) => found,
        Failure::Unread(error) => panic!("{error}"),
    }
}

/// The same when nothing was said before.
fn done(change: impl FnOnce(&mut Log)) -> Found {
    found(|log| {
        change(log);
        Vec::new()
    })
}

/// Where an entry with one digit begins in the first bundle: each is `entry N` behind two bytes.
const fn at(entry: usize) -> usize {
    9 * entry
}

#[test]
fn a_changed_entry_is_named() {
    let changed = done(|log| log.change(&path("entries", 0, 256), |all| all[at(3) + 4] ^= 1));
    assert!(matches!(changed, Found::Entry { index: 3, .. }), "{changed}");
    let last = done(|log| {
        log.change(&path("entries", 2, 88), |all| *all.last_mut().unwrap() ^= 1);
    });
    assert!(matches!(last, Found::Entry { index: 599, .. }), "{last}");
    assert!(last.to_string().contains("tile/0/002.p/88"), "{last}");
}

#[test]
fn a_changed_hash_of_an_entry_is_named() {
    let changed = done(|log| log.change(&path("0", 1, 256), |all| all[32 * 9] ^= 1));
    assert!(matches!(changed, Found::Entry { index: 265, .. }), "{changed}");
}

#[test]
fn an_entry_changed_together_with_its_hash_is_found_a_level_higher() {
    let changed = done(|log| {
        log.change(&path("entries", 1, 256), |all| all[2] = b'E');
        let entry = b"Entry 256".as_slice();
        log.change(&path("0", 1, 256), |all| all[..32].copy_from_slice(&record_hash(entry).0));
    });
    assert!(matches!(changed, Found::Hash { nth: 1, .. }), "{changed}");
    // And in the last tile, above which there is nothing, by the root.
    let changed = done(|log| {
        log.change(&path("entries", 2, 88), |all| all[2] = b'E');
        let entry = b"Entry 512".as_slice();
        log.change(&path("0", 2, 88), |all| all[..32].copy_from_slice(&record_hash(entry).0));
    });
    assert!(matches!(changed, Found::Root { size: 600, .. }), "{changed}");
}

#[test]
fn a_changed_tile_above_is_named() {
    let changed = done(|log| log.change(&path("1", 0, 2), |all| all[33] ^= 1));
    assert!(matches!(changed, Found::Hash { nth: 1, .. }), "{changed}");
    assert!(changed.to_string().contains("tile/1/000.p/2"), "{changed}");
}

#[test]
fn entries_that_were_swapped_taken_out_or_put_in_are_found() {
    let swapped = done(|log| {
        log.change(&path("entries", 0, 256), |all| {
            let (one, other) = (all[at(4)..at(5)].to_vec(), all[at(7)..at(8)].to_vec());
            all[at(4)..at(5)].copy_from_slice(&other);
            all[at(7)..at(8)].copy_from_slice(&one);
        });
    });
    assert!(matches!(swapped, Found::Entry { index: 4, .. }), "{swapped}");
    let out = done(|log| {
        log.change(&path("entries", 0, 256), |all| drop(all.drain(at(4)..at(5))));
    });
    assert!(out.to_string().contains("has 255 entries, not 256"), "{out}");
    let put_in = done(|log| {
        log.change(&path("entries", 2, 88), |all| all.extend_from_slice(b"\x00\x01x"));
    });
    assert!(put_in.to_string().contains("has 89 entries, not 88"), "{put_in}");
    let doubled = done(|log| {
        log.change(&path("entries", 0, 256), |all| all.copy_within(at(1)..at(2), at(2)));
    });
    assert!(matches!(doubled, Found::Entry { index: 2, .. }), "{doubled}");
}

#[test]
fn what_is_missing_or_cut_off_is_named() {
    for lost in [path("entries", 1, 256), path("0", 2, 88), path("1", 0, 2)] {
        let found = done(|log| log.remove(&lost));
        assert_eq!(found.to_string(), format!("{lost} is missing"));
    }
    let short = done(|log| log.change(&path("0", 0, 256), |all| all.truncate(8_000)));
    assert!(short.to_string().contains("has 8000 bytes, not 8192"), "{short}");
    let cut = done(|log| log.change(&path("entries", 0, 256), |all| all.truncate(all.len() - 1)));
    assert!(cut.to_string().contains("entry 255 of it ends after its end"), "{cut}");
}

#[test]
fn a_log_that_signs_another_root_is_caught() {
    let lie = done(|log| log.signs(600, record_hash(b"a lie")));
    assert!(matches!(lie, Found::Root { size: 600, .. }), "{lie}");
    let stale = done(|log| log.signs(600, root(&log.leaves[..599])));
    assert!(matches!(stale, Found::Root { .. }), "{stale}");
}

#[test]
fn history_that_was_rewritten_is_caught_by_what_was_signed_before() {
    // The log is whole by itself, but it is not the one that signed this.
    let rewritten = found(|log| {
        let mut entries: Vec<Vec<u8>> =
            (0..600).map(|n| format!("entry {n}").into_bytes()).collect();
        entries[5] = b"entry five".to_vec();
        let before = log.before(300);
        let key = std::mem::replace(&mut log.key, Key::named(ORIGIN));
        let mut other = Log::of(&entries);
        other.key = key;
        other.signs(600, root(&other.leaves));
        std::mem::swap(log, &mut other);
        vec![before]
    });
    assert!(matches!(rewritten, Found::Older { size: 300, .. }), "{rewritten}");
    let shorter = found(|log| {
        let before = log.before(600);
        log.write("checkpoint", &log.before(512));
        vec![before]
    });
    assert!(matches!(shorter, Found::Shorter { size: 512, older: 600 }), "{shorter}");
    let emptied = found(|log| {
        log.write("checkpoint", &log.before(0));
        Vec::new()
    });
    assert!(matches!(emptied, Found::Nothing), "{emptied}");
}

#[test]
fn a_checkpoint_counts_only_as_its_own_log_has_signed_it() {
    let log = Log::with(3);
    let good = log.before(3);
    log.open(&good).unwrap();
    let stranger = Key::named("stranger.example/two");
    let forged = checkpoint(&Key::named(ORIGIN), ORIGIN, 3, root(&log.leaves));
    assert!(matches!(log.open(&forged).unwrap_err(), CheckpointFault::Unsigned));
    let text = String::from_utf8(good.clone()).unwrap();
    let grown = text.replacen("\n3\n", "\n4\n", 1).into_bytes();
    assert!(matches!(log.open(&grown).unwrap_err(), CheckpointFault::BadSignature(_)));
    let keys = evidence::Keys::parse(&[&log.key.public, &stranger.public]).unwrap();
    let of_others = checkpoint(&stranger, ORIGIN, 3, root(&log.leaves));
    let fault = evidence::Checkpoint::open(&of_others, &keys).unwrap_err();
    assert!(matches!(fault, CheckpointFault::NotItsOwn { .. }), "{fault}");
    assert!(matches!(log.open(b"no note").unwrap_err(), CheckpointFault::NoNote(_)));
    let mut note = signed_note::Note::new(b"no checkpoint\n", &[]).unwrap();
    note.add_sigs(&[&log.key.signer]).unwrap();
    let fault = log.open(&note.to_bytes()).unwrap_err();
    assert!(matches!(fault, CheckpointFault::NoCheckpoint), "{fault}");
}
