//! The data folder: where it is, whose it is, who is using it, and where the socket goes.
//!
//! Does not know how PostgreSQL is started or stopped.

use std::{
    env,
    fs::{self, DirBuilder, File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::{
        ffi::OsStrExt,
        fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown},
    },
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::fs::{FlockOperation, flock, statvfs};
use sha2::{Digest, Sha256};

use super::ClusterError;

/// The data folder when none is asked for, relative to where the program is started.
pub const DATA_DEFAULT: &str = ".node0";
/// The data folder of root when the user who runs PostgreSQL cannot reach the default one.
pub const DATA_OF_ROOT: &str = "/var/lib/node0";
/// What a new data folder needs at least, in MiB: about 40 of catalogues and the first of the log.
pub const NEW_CLUSTER_MIB: u64 = 64;
/// Below this many MiB a failure to start is blamed on the disk.
const FULL_DISK_MIB: u64 = 4;
/// The port; only part of the socket's name, nothing listens on it.
pub const PORT: u16 = 5432;
/// The longest path of a Unix socket in bytes.
const SOCKET_PATH_BYTES_MAX: usize = 107;
/// How many bytes of a hash name a socket folder outside the data folder.
const SOCKET_NAME_BYTES: usize = 8;

/// The operating system's user that runs PostgreSQL.
#[derive(Clone, Debug)]
pub struct OsUser {
    /// Its name, for messages.
    pub name: String,
    /// Its user id.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
    /// True when this program is root and must become that user to run PostgreSQL.
    pub switch: bool,
}

impl OsUser {
    /// Oneself; for root, the user of that name, because PostgreSQL refuses to run as root.
    pub fn find(name_for_root: &str) -> Result<OsUser, ClusterError> {
        let (uid, gid) = (rustix::process::geteuid(), rustix::process::getegid());
        if !uid.is_root() {
            let name = env::var("USER").unwrap_or_else(|_| format!("id {}", uid.as_raw()));
            return Ok(OsUser { name, uid: uid.as_raw(), gid: gid.as_raw(), switch: false });
        }
        let number = |option: &str| {
            let output = Command::new("id").args([option, name_for_root]).output().ok()?;
            String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
        };
        match (number("-u"), number("-g")) {
            (Some(uid), Some(gid)) if uid != 0 => {
                Ok(OsUser { name: name_for_root.to_owned(), uid, gid, switch: true })
            }
            _ => Err(ClusterError::NoUser { user: name_for_root.to_owned() }),
        }
    }

    /// Whether this user can enter a folder.
    fn reaches(&self, folder: &Path) -> bool {
        let mut test = Command::new("test");
        test.arg("-x").arg(folder).stderr(Stdio::null());
        if self.switch {
            use std::os::unix::process::CommandExt;
            test.uid(self.uid).gid(self.gid);
        }
        test.status().is_ok_and(|status| status.success())
    }

    /// Hands a file or folder that we made over to this user.
    fn give(&self, path: &Path) -> Result<(), ClusterError> {
        if self.switch {
            chown(path, Some(self.uid), Some(self.gid))
                .map_err(ClusterError::io("change the owner of", path))?;
        }
        Ok(())
    }
}

/// A data folder that exists and that the user who runs PostgreSQL can reach.
#[derive(Clone, Debug)]
pub struct DataFolder {
    root: PathBuf,
    socket: PathBuf,
    /// Who runs PostgreSQL in it.
    pub user: OsUser,
}

impl DataFolder {
    /// The folder asked for, or the default one; made when it does not exist.
    pub fn open(asked_for: Option<&Path>, user: OsUser) -> Result<DataFolder, ClusterError> {
        let root = match asked_for {
            Some(folder) => folder.to_owned(),
            None => default_folder(&user)?,
        };
        fs::create_dir_all(&root).map_err(ClusterError::io("make the data folder", &root))?;
        let root = root.canonicalize().map_err(ClusterError::io("find", &root))?;
        if !user.reaches(&root) {
            return Err(ClusterError::Unreachable { user: user.name, folder: root });
        }
        let socket = socket_folder(&root);
        let folder = DataFolder { root, socket, user };
        folder.check_owner(&folder.pgdata())?;
        Ok(folder)
    }

    /// The folder itself.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// PostgreSQL's own data.
    pub fn pgdata(&self) -> PathBuf {
        self.root.join("pg")
    }

    /// Where new data is made, to be renamed when it is whole.
    pub fn pgdata_new(&self) -> PathBuf {
        self.root.join("pg.new")
    }

    /// What PostgreSQL has to say.
    pub fn log(&self) -> PathBuf {
        self.root.join("postgres.log")
    }

    /// The folder of the socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The file that says that the cluster is up, and by which process.
    pub fn ready_mark(&self) -> PathBuf {
        self.root.join("ready")
    }

    /// Makes a folder for PostgreSQL alone: closed to others.
    pub fn make_private(&self, path: &Path) -> Result<(), ClusterError> {
        let made = DirBuilder::new().mode(0o700).create(path);
        made.map_err(|source| self.trouble("make", path, source))?;
        self.user.give(path)
    }

    /// Makes the socket folder, or sees that the existing one is ours and closed to others.
    pub fn make_socket_folder(&self) -> Result<(), ClusterError> {
        let path = self.socket.as_path();
        if fs::symlink_metadata(path).is_err() {
            return self.make_private(path);
        }
        let found = fs::symlink_metadata(path).map_err(ClusterError::io("look at", path))?;
        let closed = found.permissions().mode() & 0o077 == 0;
        if found.is_dir() && found.uid() == self.user.uid && closed {
            return Ok(());
        }
        Err(ClusterError::SocketFolder { folder: path.to_owned(), expected: self.user.uid })
    }

    fn check_owner(&self, path: &Path) -> Result<(), ClusterError> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.uid() != self.user.uid => Err(ClusterError::Owner {
                folder: path.to_owned(),
                owner: found.uid(),
                expected: self.user.uid,
            }),
            _ => Ok(()),
        }
    }

    /// The major version that made the data, or None when there is no data yet.
    pub fn made_by(&self) -> Result<Option<u32>, ClusterError> {
        let path = self.pgdata().join("PG_VERSION");
        match fs::read_to_string(&path) {
            Ok(version) => Ok(version.trim().parse().ok()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(self.trouble("read", &path, error)),
        }
    }

    /// Free space for ordinary users, in MiB.
    pub fn free_mib(&self) -> u64 {
        statvfs(&self.root).map_or(u64::MAX, |fs| fs.f_bavail.saturating_mul(fs.f_frsize) >> 20)
    }

    /// The message for a full disk when it is one: by what was said, or by what is left.
    pub fn full_disk(&self, doing: &'static str, said: &str) -> Option<ClusterError> {
        let free_mib = self.free_mib();
        (said.contains("No space left on device") || free_mib < FULL_DISK_MIB).then(|| {
            let (folder, needed_mib) = (self.root.clone(), NEW_CLUSTER_MIB);
            ClusterError::DiskFull { folder, doing, free_mib, needed_mib }
        })
    }

    /// An I/O fault in this folder, told apart from a full disk.
    pub fn trouble(&self, doing: &'static str, path: &Path, source: io::Error) -> ClusterError {
        let full = source.kind() == io::ErrorKind::StorageFull;
        let full = full.then(|| self.full_disk(doing, "No space left on device")).flatten();
        full.unwrap_or_else(|| ClusterError::io(doing, path)(source))
    }
}

fn default_folder(user: &OsUser) -> Result<PathBuf, ClusterError> {
    let here = env::current_dir().map_err(ClusterError::io("find", "."))?;
    let folder = here.join(DATA_DEFAULT);
    let reached = user.reaches(if folder.exists() { &folder } else { &here });
    Ok(if user.switch && !reached { PathBuf::from(DATA_OF_ROOT) } else { folder })
}

/// In the data folder, or in a short folder of its own when the path would be too long for a
/// socket.
fn socket_folder(root: &Path) -> PathBuf {
    let inside = root.join("socket");
    let name_bytes = format!("/.s.PGSQL.{PORT}").len();
    if inside.as_os_str().len() + name_bytes <= SOCKET_PATH_BYTES_MAX {
        return inside;
    }
    let hash = Sha256::digest(root.as_os_str().as_bytes());
    env::temp_dir().join(format!("node0-{}", hex::encode(&hash[..SOCKET_NAME_BYTES])))
}

/// The right to run PostgreSQL in a data folder; the operating system takes it back when the
/// process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the right, or says who has it.
    pub fn take(folder: &DataFolder, purpose: &str) -> Result<Lock, ClusterError> {
        let path = folder.root().join("lock");
        let mut file = open_lock(&path)?;
        if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
            let mut holder = String::new();
            // Who holds it is only for the message: an unreadable file must not hide the reason.
            file.read_to_string(&mut holder).unwrap_or_default();
            let holder = holder.trim();
            let holder = if holder.is_empty() { "just starting" } else { holder }.to_owned();
            return Err(ClusterError::InUse { folder: folder.root().to_owned(), holder });
        }
        let holder = format!("process {}, `node0 {purpose}`\n", std::process::id());
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(holder.as_bytes()))
            .map_err(|source| folder.trouble("write", &path, source))?;
        Ok(Lock { _file: file })
    }
}

/// Shows the process that runs PostgreSQL that somebody else is using it.
#[derive(Debug)]
pub struct Guest {
    _file: File,
}

impl Guest {
    /// Signs in.
    pub fn sign_in(folder: &DataFolder) -> Result<Guest, ClusterError> {
        let path = folder.root().join("guests");
        let file = open_lock(&path)?;
        flock(&file, FlockOperation::LockShared)
            .map_err(|error| ClusterError::io("lock", &path)(error.into()))?;
        Ok(Guest { _file: file })
    }

    /// Whether nobody is signed in.
    pub fn none_left(folder: &DataFolder) -> Result<bool, ClusterError> {
        let file = open_lock(&folder.root().join("guests"))?;
        Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok())
    }
}

fn open_lock(path: &Path) -> Result<File, ClusterError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).map_err(ClusterError::io("open", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_path_that_would_be_too_long_gets_a_short_folder_of_its_own() {
        let short = Path::new("/srv/node0");
        assert_eq!(socket_folder(short), Path::new("/srv/node0/socket"));
        let long = PathBuf::from(format!("/srv/{}", "x".repeat(90)));
        let folder = socket_folder(&long);
        assert!(!folder.starts_with(&long));
        assert!(folder.join(".s.PGSQL.5432").as_os_str().len() <= SOCKET_PATH_BYTES_MAX);
        assert_ne!(folder, socket_folder(&PathBuf::from(format!("/srv/{}", "y".repeat(90)))));
    }
}
