//! Real input that lives beside the project: headers of a running chain, genesis documents.
//!
//! Does not know what is in the files.

use std::path::{Path, PathBuf};

/// Set where the files must be there: then a test without its file fails.
pub const REQUIRED: &str = "NODE0_FIXTURES_REQUIRED";

/// The path of a file, or None with a note when this machine has no such files.
///
/// # Panics
/// When the file is missing although [`REQUIRED`] says that it must be there.
pub fn path(name: &str) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent()?;
    let path = workspace.join("../shared/fixtures").join(name);
    if path.exists() {
        return path.canonicalize().ok();
    }
    let required = std::env::var(REQUIRED).is_ok_and(|value| value != "0");
    assert!(!required, "{} is missing, but {REQUIRED} is set", path.display());
    eprintln!("skipped: {name} is not on this machine");
    None
}
