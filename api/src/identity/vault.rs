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
/// Who may read the file of the master key: its owner.
const KEY_FILE_MODE: u32 = 0o600;

/// What everything secret is sealed under. Cheap to clone; never shown.
#[derive(Clone)]
pub struct Vault(Arc<Keys>);

struct Keys {
    sealing: LessSafeKey,
    index: hmac::Key,
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
        let master = hmac::Key::new(hmac::HMAC_SHA256, master);
        let derived = |purpose: &str| hmac::sign(&master, purpose.as_bytes());
        Vault(Arc::new(Keys {
            sealing: sealing_key(derived("node0 sealing v1").as_ref()),
            index: hmac::Key::new(hmac::HMAC_SHA256, derived("node0 index v1").as_ref()),
        }))
    }

    /// Of a master key as it is configured: 32 bytes in padded base64.
    pub fn parse(text: &str) -> Option<Vault> {
        let bytes = STANDARD.decode(text.trim()).ok()?;
        Some(Vault::new(&bytes.try_into().ok()?))
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
        Vault::parse(&text).ok_or_else(|| VaultError::Malformed(path.display().to_string()))
    }

    /// Seals; what it is for must be told again to open it, so that nothing is opened in the place
    /// of something else.
    pub fn seal(&self, purpose: &str, clear: &[u8]) -> Result<Vec<u8>, getrandom::Error> {
        seal(&self.0.sealing, purpose, clear)
    }

    /// What was sealed for this purpose under this master key; none when it was not.
    pub fn open(&self, purpose: &str, sealed: &[u8]) -> Option<Vec<u8>> {
        let (nonce, ciphertext) = sealed.split_first_chunk::<NONCE_BYTES>()?;
        let mut bytes = ciphertext.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let aad = Aad::from(purpose.as_bytes());
        let clear = self.0.sealing.open_in_place(nonce, aad, &mut bytes).ok()?;
        Some(clear.to_vec())
    }

    /// By what a text is found without being stored; `kind` keeps those of one kind from those of
    /// another.
    pub fn index(&self, kind: &str, text: &str) -> BlindIndex {
        let tag = hmac::sign(&self.0.index, format!("{kind}\0{text}").as_bytes());
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
