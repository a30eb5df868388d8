//! The vault: what is secret is sealed under the installation's master key, with AES-256-GCM
//! (NIST SP 800-38D), and what must be found without being known is found by a keyed hash.
//!
//! Does not know what it seals, nor where that is kept.

use std::{fs, io, io::Write as _, os::unix::fs::OpenOptionsExt as _, path::Path, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey},
    hmac,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::values::BlindIndex;

/// The bytes of a key.
pub const KEY_BYTES: usize = 32;
/// The bytes of a nonce; it stands before the ciphertext.
const NONCE_BYTES: usize = 12;
/// What is derived for sealing.
const SEALING: &str = "node0 sealing v1";
/// What is derived for finding.
const INDEX: &str = "node0 index v1";
/// Who may read the file of the master key: its owner.
const KEY_FILE_MODE: u32 = 0o600;

/// What everything secret is sealed under. Cheap to clone; never shown.
#[derive(Clone)]
pub struct Vault {
    sealing: Arc<LessSafeKey>,
    /// What opens too, while one master key takes the place of another.
    other: Option<Arc<LessSafeKey>>,
    index: [u8; KEY_BYTES],
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// Its file does not hold one.
    #[error("{0} holds no master key: 32 bytes in padded base64 are expected")]
    Malformed(String),
    /// Its file cannot be read or made.
    #[error("the master key in {path} cannot be had: {source}")]
    File {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// The secrets in the database were sealed under another one.
    #[error(
        "the secrets in this database are sealed under another master key: configure that one \
         (NODE0_MASTER_KEY), or this one and that one (NODE0_OTHER_MASTER_KEY)"
    )]
    OtherKey,
    /// The secrets cannot be read.
    #[error("the database does not answer: {0}")]
    Database(#[from] sqlx::Error),
    /// The password nobody has cannot be hashed.
    #[error("Argon2id does not work: {0}")]
    Unhashed(String),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

impl Vault {
    /// Of a master key: one key is derived from it for each use.
    pub fn new(master: &[u8; KEY_BYTES]) -> Vault {
        let sealing = Arc::new(sealing_key(&derived(master, SEALING)));
        Vault { sealing, other: None, index: derived(master, INDEX) }
    }

    /// The same, and what is sealed under another master key opens too. Nothing is sealed under it.
    pub fn opening(self, other: &[u8; KEY_BYTES]) -> Vault {
        let other = Some(Arc::new(sealing_key(&derived(other, SEALING))));
        Vault { other, ..self }
    }

    /// The same, with another key by which texts are found: it outlives the master key, as what is
    /// found by it is in the log for ever.
    pub fn finding_by(self, index: [u8; KEY_BYTES]) -> Vault {
        Vault { index, ..self }
    }

    /// By what texts are found.
    pub(super) fn index_key(&self) -> [u8; KEY_BYTES] {
        self.index
    }

    /// Of the master key in a file; a file that is not there is made, with a random key that only
    /// its owner may read.
    pub fn of_file(path: &Path) -> Result<Vault, VaultError> {
        let fault = |source| VaultError::File { path: path.display().to_string(), source };
        let mut options = fs::OpenOptions::new();
        options.write(true).create_new(true).mode(KEY_FILE_MODE);
        match options.open(path) {
            Ok(mut file) => {
                let key = STANDARD.encode(random::<KEY_BYTES>().map_err(VaultError::Random)?);
                file.write_all(key.as_bytes()).and_then(|()| file.sync_all()).map_err(fault)?;
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(fault(error)),
        }
        let text = fs::read_to_string(path).map_err(fault)?;
        parse(&text)
            .map(|master| Vault::new(&master))
            .ok_or_else(|| VaultError::Malformed(path.display().to_string()))
    }

    /// Seals; what it is for must be told again to open it, so that nothing is opened in the place
    /// of something else.
    pub fn seal(&self, purpose: &str, clear: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        seal(&self.sealing, purpose, clear)
    }

    /// What was sealed for this purpose under this master key; none when it was not.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let current = open(&self.sealing, purpose, sealed);
        current.or_else(|| open(self.other.as_ref()?, purpose, sealed))
    }

    /// The same sealed anew, when it is sealed under the other master key; none when there is
    /// nothing to do, or nothing that can be done.
    pub(super) fn renewed(
        &self,
        purpose: &str,
        sealed: &[u8],
    ) -> Result<Option<Vec<u8>>, getrandom::Error> {
        let clear = self.other.as_ref().and_then(|other| open(other, purpose, sealed));
        clear.map(|clear| self.seal(purpose, &clear)).transpose()
    }

    /// By what a text is found without being stored; `kind` keeps those of one kind from those of
    /// another.
    pub fn index(&self, kind: &str, text: &str) -> BlindIndex {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.index);
        let tag = hmac::sign(&key, format!("{kind}\0{text}").as_bytes());
        let mut bytes = [0; KEY_BYTES];
        bytes.copy_from_slice(tag.as_ref());
        BlindIndex::from_bytes(bytes)
    }
}

/// Seals under a key that itself is sealed in the vault.
pub fn seal_under(
    key: &[u8; KEY_BYTES],
    purpose: &str,
    clear: &[u8],
) -> Result<Vec<u8>, getrandom::Error> {
    seal(&sealing_key(key), purpose, clear)
}

/// Opens what [`seal_under`] sealed; none when it is not that.
pub fn open_under(key: &[u8; KEY_BYTES], purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    open(&sealing_key(key), purpose, sealed)
}

/// The key of a use.
fn derived(master: &[u8; KEY_BYTES], purpose: &str) -> [u8; KEY_BYTES] {
    let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, master), purpose.as_bytes());
    tag.as_ref().try_into().expect("HMAC-SHA-256 has 32 bytes")
}

/// A master key as it is configured: 32 bytes in padded base64.
pub fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    STANDARD.decode(text.trim()).ok()?.try_into().ok()
}

fn open(key: &LessSafeKey, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
    let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
    let mut bytes = ciphertext.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let clear = key.open_in_place(nonce, Aad::from(purpose.as_bytes()), &mut bytes).ok()?;
    Some(clear.to_vec())
}

fn sealing_key(key: &[u8]) -> LessSafeKey {
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, key).expect("the key has 32 bytes"))
}

/// Nonce, ciphertext and tag. Nonces are random: 2^32 of them under one key are safe (SP 800-38D,
/// section 8.3), and no installation seals as many.
fn seal(key: &LessSafeKey, purpose: &str, clear: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
    let nonce = random::<NONCE_BYTES>()?;
    let mut sealed = nonce.to_vec();
    let mut bytes = clear.to_vec();
    let aad = Aad::from(purpose.as_bytes());
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), aad, &mut bytes)
        .expect("what is sealed here is short");
    sealed.append(&mut bytes);
    Ok(sealed)
}

/// Random bytes of the operating system.
pub fn random<const N: usize>() -> Result<[u8; N], getrandom::Error> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_opens_only_under_its_key_for_its_purpose_and_untouched() {
        let (vault, other) = (Vault::new(&[1; 32]), Vault::new(&[2; 32]));
        let sealed = vault.seal("a", b"secret").unwrap();
        assert_eq!(vault.open("a", &sealed).unwrap(), b"secret");
        assert_eq!(vault.open("b", &sealed), None);
        assert_eq!(other.open("a", &sealed), None);
        for at in 0..sealed.len() {
            let mut touched = sealed.clone();
            touched[at] ^= 1;
            assert_eq!(vault.open("a", &touched), None, "byte {at}");
            assert_eq!(vault.open("a", &sealed[..at]), None, "cut at {at}");
        }
        assert_ne!(vault.seal("a", b"secret").unwrap(), sealed, "no nonce is used twice");
        assert_ne!(vault.index("a", "x"), vault.index("b", "x"));
        assert_ne!(vault.index("a", "x"), other.index("a", "x"));
    }

    #[test]
    fn one_master_key_takes_the_place_of_another_and_texts_are_still_found() {
        let old = Vault::new(&[1; 32]);
        let sealed = old.seal("a", b"secret").unwrap();
        let both = Vault::new(&[2; 32]).opening(&[1; 32]).finding_by(old.index_key());
        assert_eq!(both.open("a", &sealed).unwrap(), b"secret");
        assert_eq!(both.index("a", "x"), old.index("a", "x"));
        assert_eq!(both.renewed("b", &sealed).unwrap(), None);
        let renewed = both.renewed("a", &sealed).unwrap().unwrap();
        assert_eq!(Vault::new(&[2; 32]).open("a", &renewed).unwrap(), b"secret");
        assert_eq!(both.renewed("a", &renewed).unwrap(), None, "it is renewed already");
        assert_eq!(old.open("a", &renewed), None);
    }

    #[test]
    fn the_key_s_file_is_made_once_and_is_its_owner_s_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let path = std::env::temp_dir().join(format!("node0-key-{}", std::process::id()));
        let made = Vault::of_file(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let again = Vault::of_file(&path).unwrap();
        assert_eq!(made.index("a", "x"), again.index("a", "x"));
        fs::write(&path, "nothing").unwrap();
        assert!(matches!(Vault::of_file(&path), Err(VaultError::Malformed(_))));
        fs::remove_file(&path).unwrap();
    }
}
