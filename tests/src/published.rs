//! A published log as whoever has its files, and even its key, can read and write it.
//!
//! Does not verify anything.

use std::{fs, path::Path};

use evidence::{Checkpoint, Edge, Kind, SignerKey, bundle, pieces};

/// The records of a published log of this size.
///
/// # Panics
/// When they are not there.
pub fn records(folder: &Path, size: u64) -> Vec<Vec<u8>> {
    let mut records = Vec::new();
    for piece in pieces(Kind::Entries, size) {
        let bytes = fs::read(folder.join(piece.to_string())).expect("the bundle is there");
        let entries = bundle::read(&bytes, piece.width).expect("it is one");
        records.extend(entries.into_iter().map(<[u8]>::to_vec));
    }
    records
}

/// Publishes a log of these records in a folder, in place of what is there: tiles, hashes and the
/// signature are all right.
///
/// # Panics
/// When it cannot be written.
pub fn publish(folder: &Path, key: &SignerKey, records: &[Vec<u8>]) {
    fs::remove_dir_all(folder.join("tile")).expect("there were tiles");
    let (mut edge, mut pieces) = (Edge::default(), Vec::new());
    for record in records {
        edge.push(record, &mut pieces).expect("it is short enough");
    }
    pieces.extend(edge.partials());
    for (piece, bytes) in pieces {
        let path = folder.join(piece.to_string());
        fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
        fs::write(path, bytes).expect("a file");
    }
    let signed = Checkpoint::sign(edge.size(), edge.root(), std::slice::from_ref(key));
    fs::write(folder.join("checkpoint"), signed.expect("it is signed")).expect("a file");
}
