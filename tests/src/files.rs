//! Files as somebody finds them who looks through a folder.
//!
//! Does not read any.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Every file below a folder.
///
/// # Panics
/// When a folder cannot be read.
pub fn below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let entry = entry.expect("an entry");
        match entry.file_type().expect("it has a type").is_dir() {
            true => found.extend(below(&entry.path())),
            false => found.push(entry.path()),
        }
    }
    found
}
