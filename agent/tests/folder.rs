//! What was signed last is kept durably, for one process, for one validator.

use std::{fs, path::PathBuf};

use agent::{
    Failure, Folder, LAST_SIGNED_FILE,
    rounds::{LastSigned, Said},
};
use domain::consensus::Step;

use crate::world::{address, genesis_time, height, round};

/// A folder of a test's own, gone with it.
struct Place(PathBuf);

impl Place {
    fn new(name: &str) -> Place {
        let path = std::env::temp_dir().join(format!("agent-{name}-{}", std::process::id()));
        fs::remove_dir_all(&path).unwrap_or_default();
        Place(path)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap_or_default();
    }
}

fn signed() -> LastSigned {
    LastSigned::after(Said {
        block_id: None,
        height: height(7),
        pol_round: None,
        round: round(2),
        step: Step::Precommit,
        timestamp: genesis_time(),
    })
}

fn refusal(place: &Place, of: u8) -> String {
    match Folder::open(&place.0, address(of)) {
        Err(Failure::Refused(sentence)) => sentence,
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_was_kept_is_read_by_the_next_process() {
    let place = Place::new("kept");
    let (folder, nothing) = Folder::open(&place.0, address(1)).unwrap();
    assert_eq!(nothing, LastSigned::default());
    folder.keep(&signed()).unwrap();
    drop(folder);
    let (_, kept) = Folder::open(&place.0, address(1)).unwrap();
    assert_eq!(kept, signed());
}

#[test]
fn nobody_else_has_the_folder_while_it_is_used() {
    let place = Place::new("shared");
    let (folder, _) = Folder::open(&place.0, address(1)).unwrap();
    assert!(refusal(&place, 1).contains("is in use"));
    drop(folder);
    Folder::open(&place.0, address(1)).unwrap();
}

#[test]
fn another_validators_folder_is_refused() {
    let place = Place::new("other");
    drop(Folder::open(&place.0, address(1)).unwrap());
    assert!(refusal(&place, 2).contains(&format!("it is validator {}'s", address(1))));
}

#[test]
fn what_cannot_be_read_is_refused_and_left_as_it_is() {
    let place = Place::new("broken");
    drop(Folder::open(&place.0, address(1)).unwrap());
    let file = place.0.join(LAST_SIGNED_FILE);
    let good = fs::read_to_string(&file).unwrap();
    for broken in ["", &good[..good.len() / 2], &good.replace("last-signed/1", "last-signed/2")] {
        fs::write(&file, broken).unwrap();
        assert!(refusal(&place, 1).contains("Restore the file"), "{broken}");
        assert_eq!(fs::read_to_string(&file).unwrap(), broken);
    }
    // Half of a new file that a crash left behind harms nobody.
    fs::write(&file, &good).unwrap();
    fs::write(place.0.join(format!("{LAST_SIGNED_FILE}.new")), "{").unwrap();
    let (folder, _) = Folder::open(&place.0, address(1)).unwrap();
    folder.keep(&signed()).unwrap();
}
