//! The folder in which a validator keeps what it signed last: durably, before anything it signed
//! leaves the process; and for one process at a time.
//!
//! Does not know what may be signed: that is [`LastSigned`]'s.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use domain::values::Address;
use serde::{Deserialize, Serialize};

use crate::{Failure, rounds::LastSigned};

/// The file that holds what was signed last.
pub const LAST_SIGNED_FILE: &str = "last_signed.json";
/// The file that whoever uses the folder has locked.
pub const LOCK_FILE: &str = "lock";
/// What stands in the file, so that others are told from it.
const FORM: &str = "node0.last-signed/1";

/// A folder that nobody else uses. Free again when it is dropped, or the process ends.
#[derive(Debug)]
pub struct Folder {
    address: Address,
    root: PathBuf,
    _lock: File,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kept {
    address: Address,
    last_signed: LastSigned,
    v: String,
}

impl Folder {
    /// Takes the folder for a validator, and reads what it signed last. Refuses one that another
    /// process uses, that is another validator's, or whose file cannot be read: signing without
    /// knowing what was signed is how stake is lost.
    pub fn open(root: &Path, address: Address) -> Result<(Folder, LastSigned), Failure> {
        let shown = root.display();
        let cannot = |what: &str, fault: io::Error| {
            Failure::Usage(format!("The state folder {shown} cannot be {what}: {fault}"))
        };
        fs::create_dir_all(root).map_err(|fault| cannot("made", fault))?;
        let lock = OpenOptions::new().create(true).append(true).open(root.join(LOCK_FILE));
        let lock = lock.map_err(|fault| cannot("locked", fault))?;
        lock.try_lock().map_err(|fault| match fault {
            TryLockError::WouldBlock => Failure::Refused(format!(
                "The state folder {shown} is in use: two processes must never sign with one key. \
                 Stop the other one first."
            )),
            TryLockError::Error(fault) => cannot("locked", fault),
        })?;
        let folder = Folder { address, root: root.to_owned(), _lock: lock };
        let last_signed = folder.read()?;
        Ok((folder, last_signed))
    }

    fn read(&self) -> Result<LastSigned, Failure> {
        let path = self.root.join(LAST_SIGNED_FILE);
        let shown = path.display();
        let unusable = |why: String| {
            Failure::Refused(format!(
                "{shown} cannot be used: {why}. It says what this validator signed last; without \
                 it, it could sign twice and lose its stake. Restore the file, or, when you are \
                 certain that nothing was signed since the height the network is at, remove it."
            ))
        };
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            // The first start: kept at once, so that a file that cannot be written is told now.
            Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
                let nothing = LastSigned::default();
                self.keep(&nothing)?;
                return Ok(nothing);
            }
            Err(fault) => return Err(unusable(fault.to_string())),
        };
        let kept: Kept =
            serde_json::from_str(&text).map_err(|fault| unusable(fault.to_string()))?;
        if kept.v != FORM {
            return Err(unusable(format!("its form is {:?}, not {FORM:?}", kept.v)));
        }
        if kept.address != self.address {
            let (found, own) = (kept.address, self.address);
            return Err(unusable(format!("it is validator {found}'s, the key is {own}'s")));
        }
        Ok(kept.last_signed)
    }

    /// Keeps what is about to be signed. Durable when it returns.
    pub fn keep(&self, last_signed: &LastSigned) -> Result<(), Failure> {
        let kept = Kept { address: self.address, last_signed: *last_signed, v: FORM.to_owned() };
        let mut text = serde_json::to_vec(&kept).map_err(Failure::refused)?;
        text.push(b'\n');
        replace(&self.root.join(LAST_SIGNED_FILE), &text).map_err(|fault| {
            let shown = self.root.display();
            Failure::Refused(format!("What is to be signed cannot be kept in {shown}: {fault}"))
        })
    }
}

/// Puts content in place of a file, for its owner alone, durably: either the old one is there, or
/// all of the new one.
pub fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut new = path.as_os_str().to_owned();
    new.push(".new");
    let mut file =
        OpenOptions::new().create(true).write(true).truncate(true).mode(0o600).open(&new)?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&new, path)?;
    // Of a name alone the folder is this one.
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}
