//! The keys that sign checkpoints: where they are kept, apart from the database, and how one takes
//! the place of another.
//!
//! Does not sign. The first key is the log's; those after it, of the same name, sign too until they
//! are retired.

use std::{
    fs, io,
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use evidence::{KeyFault, Role, SignerKey};

/// The file of the keys, in a data folder of our own.
pub const FILE: &str = "seal.key";
/// Who may read it: its owner.
const MODE: u32 = 0o600;
/// The most keys that sign together.
const KEYS_MAX: usize = 4;

/// Why there are no keys.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum KeysError {
    #[error("a key that signs checkpoints is no key: {0}")]
    Malformed(#[from] KeyFault),
    #[error("there are no keys that sign checkpoints in {place}, or more than 4")]
    Count { place: String },
    #[error("{0} is a witness's key: it does not sign a log of its own")]
    Role(String),
    #[error("the keys that sign checkpoints are of {one} and of {other}: a log has one name")]
    Names { one: String, other: String },
    #[error("the keys in {path} cannot be had: {source}")]
    File { path: PathBuf, source: io::Error },
}

/// The keys of a text, one a line (or a word).
pub fn parse(text: &str, place: &str) -> Result<Vec<SignerKey>, KeysError> {
    let keys: Result<Vec<SignerKey>, KeyFault> = text.split_whitespace().map(str::parse).collect();
    let keys = keys?;
    let Some(first) = keys.first().filter(|_| keys.len() <= KEYS_MAX) else {
        return Err(KeysError::Count { place: place.to_owned() });
    };
    for key in &keys {
        let (one, other) = (first.public().name(), key.public().name());
        if key.public().role() != Role::Log {
            return Err(KeysError::Role(other.to_owned()));
        }
        if one != other {
            return Err(KeysError::Names { one: one.to_owned(), other: other.to_owned() });
        }
    }
    Ok(keys)
}

/// The keys in a data folder.
pub fn of_folder(folder: &Path) -> Result<Vec<SignerKey>, KeysError> {
    let path = folder.join(FILE);
    let fault = |source| KeysError::File { path: path.clone(), source };
    parse(&fs::read_to_string(&path).map_err(fault)?, &path.display().to_string())
}

/// The keys in a data folder; one is made where there are none, for a log of this name.
pub fn of_folder_or_new(
    folder: &Path,
    name: impl FnOnce() -> String,
) -> Result<Vec<SignerKey>, KeysError> {
    match of_folder(folder) {
        Err(KeysError::File { source, .. }) if source.kind() == io::ErrorKind::NotFound => {
            let keys = vec![SignerKey::generate(Role::Log, &name())?];
            keep(folder, FILE, &keys)?;
            Ok(keys)
        }
        found => found,
    }
}

/// A new key in front of those of a folder: from the next start on it is the log's, and the one
/// before it signs too.
pub fn rotate(folder: &Path) -> Result<Vec<SignerKey>, KeysError> {
    let mut keys = of_folder(folder)?;
    let name = keys.first().map(|key| key.public().name().to_owned()).unwrap_or_default();
    keys.insert(0, SignerKey::generate(Role::Log, &name)?);
    if keys.len() > KEYS_MAX {
        return Err(KeysError::Count { place: folder.display().to_string() });
    }
    keep(folder, FILE, &keys)?;
    Ok(keys)
}

/// All but the first key of a folder sign no more, from the next start on.
pub fn retire(folder: &Path) -> Result<Vec<SignerKey>, KeysError> {
    let mut keys = of_folder(folder)?;
    keys.truncate(1);
    keep(folder, FILE, &keys)?;
    Ok(keys)
}

/// Keeps keys in a file of a folder. Written beside, then put in place: there is never half a file.
pub fn keep(folder: &Path, name: &str, keys: &[SignerKey]) -> Result<(), KeysError> {
    let path = folder.join(name);
    let fault = |source| KeysError::File { path: path.clone(), source };
    let new = folder.join(format!("{name}.new"));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(MODE);
    let mut file = options.open(&new).map_err(fault)?;
    for key in keys {
        writeln!(file, "{}", key.secret()).map_err(fault)?;
    }
    file.sync_all().and_then(|()| fs::rename(&new, &path)).map_err(fault)?;
    fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)
}
