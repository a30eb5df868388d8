//! A log that is published into a folder, by the letter of RFC 6962 and tlog-tiles: slowly, and
//! without the code under test.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::SigningKey;
use evidence::{Checkpoint, CheckpointFault, Failure, Keys, Nobody, Report, Source, verify};
use signed_note::{Note, Signer, StandardSigner, new_ed25519_verifier_key};
use tlog_tiles::{EMPTY_HASH, Hash, node_hash, record_hash};

pub const ORIGIN: &str = "log.example/one";

/// A key, and what it is verified by.
pub struct Key {
    pub signer: StandardSigner,
    pub public: String,
}

impl Key {
    pub fn named(name: &str) -> Key {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let mut seed = [0; 32];
        seed[..4].copy_from_slice(&NEXT.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        let public = SigningKey::from_bytes(&seed).verifying_key();
        let public = new_ed25519_verifier_key(name, &public);
        let id = public.split('+').nth(1).unwrap();
        // Ed25519 has the number 1.
        let private = BASE64_STANDARD.encode([&[1][..], &seed].concat());
        let private = format!("PRIVATE+KEY+{name}+{id}+{private}");
        Key { signer: StandardSigner::new(&private).unwrap(), public }
    }
}

/// MTH of RFC 6962, section 2.1.
pub fn root(hashes: &[Hash]) -> Hash {
    match hashes {
        [] => EMPTY_HASH,
        [one] => *one,
        many => {
            let half = many.len().next_power_of_two() / 2;
            node_hash(root(&many[..half]), root(&many[half..]))
        }
    }
}

pub fn checkpoint(key: &Key, origin: &str, size: u64, root: Hash) -> Vec<u8> {
    let text = tlog_tiles::Checkpoint::new(origin, size, root, "").unwrap().to_bytes();
    let mut note = Note::new(&text, &[]).unwrap();
    note.add_sigs(&[&key.signer as &dyn Signer]).unwrap();
    note.to_bytes()
}

/// A published log; gone when it is dropped.
pub struct Log {
    pub folder: PathBuf,
    pub key: Key,
    pub leaves: Vec<Hash>,
}

impl Log {
    pub fn of(entries: &[Vec<u8>]) -> Log {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("evidence-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let leaves: Vec<Hash> = entries.iter().map(|entry| record_hash(entry)).collect();
        let log = Log { folder, key: Key::named(ORIGIN), leaves };
        for (index, some) in entries.chunks(256).enumerate() {
            let mut bundle = Vec::new();
            for entry in some {
                bundle.extend_from_slice(&u16::try_from(entry.len()).unwrap().to_be_bytes());
                bundle.extend_from_slice(entry);
            }
            log.write(&path("entries", index, some.len()), &bundle);
        }
        let (mut level, mut hashes) = (0, log.leaves.clone());
        while !hashes.is_empty() {
            for (index, some) in hashes.chunks(256).enumerate() {
                let bytes: Vec<u8> = some.iter().flat_map(|hash| hash.0).collect();
                log.write(&path(&level.to_string(), index, some.len()), &bytes);
            }
            hashes = hashes.chunks_exact(256).map(root).collect();
            level += 1;
        }
        log.signs(log.leaves.len(), root(&log.leaves));
        log
    }

    /// With so many short entries.
    pub fn with(count: usize) -> Log {
        Log::of(&(0..count).map(|n| format!("entry {n}").into_bytes()).collect::<Vec<_>>())
    }

    pub fn write(&self, path: &str, bytes: &[u8]) {
        let path = self.folder.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }

    pub fn read(&self, path: &str) -> Vec<u8> {
        fs::read(self.folder.join(path)).unwrap()
    }

    pub fn change(&self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.read(path);
        change(&mut bytes);
        self.write(path, &bytes);
    }

    pub fn remove(&self, path: &str) {
        fs::remove_file(self.folder.join(path)).unwrap();
    }

    /// Says this of itself.
    pub fn signs(&self, size: usize, root: Hash) {
        self.write("checkpoint", &checkpoint(&self.key, ORIGIN, size as u64, root));
    }

    /// What it said when it had so many entries.
    pub fn before(&self, size: usize) -> Vec<u8> {
        checkpoint(&self.key, ORIGIN, size as u64, root(&self.leaves[..size]))
    }

    pub fn open(&self, checkpoint: &[u8]) -> Result<Checkpoint, CheckpointFault> {
        Checkpoint::open(checkpoint, &Keys::parse(&[&self.key.public]).unwrap())
    }

    pub fn source(&self) -> Source {
        Source::of(self.folder.to_str().unwrap(), None).unwrap()
    }

    pub fn root(&self) -> Hash {
        root(&self.leaves)
    }

    pub fn verified(&self, older: &[Vec<u8>]) -> Result<Report, Failure> {
        let now = self.open(&self.read("checkpoint")).unwrap();
        let older: Vec<_> = older.iter().map(|one| self.open(one).unwrap()).collect();
        wait(verify(&self.source(), &now, &older, &mut Nobody, |_| {}))
    }
}

impl Drop for Log {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

/// Runs it to its end.
pub fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(future)
}

/// By hand, for indexes of up to six digits.
pub fn path(kind: &str, index: usize, width: usize) -> String {
    let index = match index {
        0..1_000 => format!("{index:03}"),
        _ => format!("x{:03}/{:03}", index / 1_000, index % 1_000),
    };
    let partial = if width < 256 { format!(".p/{width}") } else { String::new() };
    format!("tile/{kind}/{index}{partial}")
}

/// Whether something is there.
pub fn has(folder: &Path, path: &str) -> bool {
    folder.join(path).exists()
}
