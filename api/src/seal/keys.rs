//! The keys that sign checkpoints, a log's or a witness's: where they are kept, apart from the
//! database, and how one takes the place of another.
//!
//! Does not sign. The first key is the log's; those after it, of the same name, sign too until they
//! are retired.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use evidence::{KeyFault, Role, SignerKey};

/// The file of a log's keys, in a data folder of our own.
const FILE: &str = "seal.key";
/// The file of a witness's key, in its folder.
const WITNESS_FILE: &str = "witness.key";
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
    OfWitness(String),
    #[error("{0} is a log's key: a witness has one of its own")]
    OfLog(String),
    #[error("there is no key yet in {0}, and no name for one")]
    Nameless(String),
    #[error("the keys that sign checkpoints are of {one} and of {other}: a log has one name")]
    Names { one: String, other: String },
    #[error("the keys in {path} cannot be had: {source}")]
    File { path: PathBuf, source: io::Error },
}

/// A log's keys out of a text, one a line (or a word).
pub fn parse(text: &str, place: &str) -> Result<Vec<SignerKey>, KeysError> {
    parse_as(Role::Log, text, place)
}

fn parse_as(role: Role, text: &str, place: &str) -> Result<Vec<SignerKey>, KeysError> {
    let keys: Result<Vec<SignerKey>, KeyFault> = text.split_whitespace().map(str::parse).collect();
    let keys = keys?;
    let Some(first) = keys.first().filter(|_| keys.len() <= KEYS_MAX) else {
        return Err(KeysError::Count { place: place.to_owned() });
    };
    for key in &keys {
        let (one, other) = (first.public().name(), key.public().name());
        match (role, key.public().role()) {
            (Role::Log, Role::Cosigner) => return Err(KeysError::OfWitness(other.to_owned())),
            (Role::Cosigner, Role::Log) => return Err(KeysError::OfLog(other.to_owned())),
            (Role::Log, Role::Log) | (Role::Cosigner, Role::Cosigner) => {}
        }
        if one != other {
            return Err(KeysError::Names { one: one.to_owned(), other: other.to_owned() });
        }
    }
    Ok(keys)
}

fn read(role: Role, path: &Path) -> Result<Vec<SignerKey>, KeysError> {
    let fault = |source| KeysError::File { path: path.to_owned(), source };
    parse_as(role, &fs::read_to_string(path).map_err(fault)?, &path.display().to_string())
}

/// The keys in a file of a folder; one is made where there are none, of this name.
fn read_or_make(
    role: Role,
    (folder, file): (&Path, &str),
    name: impl FnOnce() -> Option<String>,
) -> Result<Vec<SignerKey>, KeysError> {
    match read(role, &folder.join(file)) {
        Err(KeysError::File { path, source }) if source.kind() == io::ErrorKind::NotFound => {
            let name = name().ok_or_else(|| KeysError::Nameless(path.display().to_string()))?;
            let keys = vec![SignerKey::generate(role, &name)?];
            keep((folder, file), &keys)?;
            Ok(keys)
        }
        found => found,
    }
}

/// A log's keys in a data folder.
pub fn of_folder(folder: &Path) -> Result<Vec<SignerKey>, KeysError> {
    read(Role::Log, &folder.join(FILE))
}

/// The same; one is made where there are none, for a log of this name.
pub fn of_folder_or_new(
    folder: &Path,
    name: impl FnOnce() -> String,
) -> Result<Vec<SignerKey>, KeysError> {
    read_or_make(Role::Log, (folder, FILE), || Some(name()))
}

/// The key of a witness in its folder; one is made where there is none, of this name.
pub fn of_witness(folder: &Path, name: Option<String>) -> Result<SignerKey, KeysError> {
    let keys = read_or_make(Role::Cosigner, (folder, WITNESS_FILE), || name)?;
    let none = || KeysError::Count { place: folder.display().to_string() };
    keys.into_iter().next().ok_or_else(none)
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
    keep((folder, FILE), &keys)?;
    Ok(keys)
}

/// All but the first key of a folder sign no more, from the next start on.
pub fn retire(folder: &Path) -> Result<Vec<SignerKey>, KeysError> {
    let mut keys = of_folder(folder)?;
    keys.truncate(1);
    keep((folder, FILE), &keys)?;
    Ok(keys)
}

fn keep((folder, file): (&Path, &str), keys: &[SignerKey]) -> Result<(), KeysError> {
    let fault = |source| KeysError::File { path: folder.join(file), source };
    let text: String = keys.iter().map(|key| format!("{}\n", key.secret())).collect();
    fs::create_dir_all(folder).map_err(fault)?;
    agent::replace(&folder.join(file), text.as_bytes()).map_err(fault)
}
