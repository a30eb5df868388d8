//! Passwords: Argon2id (RFC 9106) with the parameters OWASP asks for, a few at a time.
//!
//! Does not know whose they are, nor where they are kept.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2, PasswordHasher as _, PasswordVerifier as _,
    password_hash::{self, phc::PasswordHash},
};
use tokio::sync::Semaphore;

use super::vault::{KEY_BYTES, VaultError, random};
use crate::problem::{Fault, Kind, Problem};

/// The shortest password, in characters (NIST SP 800-63B, 5.1.1.2, asks for 8).
pub const PASSWORD_CHARS_MIN: usize = 12;
/// The longest password, in bytes.
pub const PASSWORD_BYTES_MAX: usize = 1_024;
/// How many are hashed at once: each takes 19 MiB and a core.
const HASHED_AT_ONCE_MAX: usize = 4;
/// How long one waits for its turn, in milliseconds.
const TURN_MS_MAX: u64 = 2_000;

/// Who hashes.
#[derive(Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// What is compared where there is nothing to compare with: it takes as long.
    nobody: Arc<str>,
}

impl Passwords {
    /// With a hash of its own that no password has.
    pub fn new() -> Result<Passwords, VaultError> {
        let secret = random::<KEY_BYTES>().map_err(VaultError::Random)?;
        let nobody = hash(&secret).map_err(|error| VaultError::Unhashed(error.to_string()))?;
        let nobody = Arc::from(nobody);
        Ok(Passwords { turns: Arc::new(Semaphore::new(HASHED_AT_ONCE_MAX)), nobody })
    }

    /// The hash of a password in PHC form.
    pub async fn hash(&self, password: &str) -> Result<String, Problem> {
        let password = password.to_owned();
        self.in_turn(move || hash(password.as_bytes())).await?.map_err(Problem::internal)
    }

    /// Whether it is the password that was hashed. Without a hash it is not, after the same time.
    pub async fn matches(&self, password: &str, hash: Option<&str>) -> Result<bool, Problem> {
        let (password, known) = (password.to_owned(), hash.is_some());
        let hash = hash.unwrap_or(&self.nobody).to_owned();
        let same = self.in_turn(move || matches(password.as_bytes(), &hash)).await?;
        Ok(same && known)
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let waited = Duration::from_millis(TURN_MS_MAX);
        let turn = tokio::time::timeout(waited, Arc::clone(&self.turns).acquire_owned()).await;
        let Ok(Ok(turn)) = turn else {
            let detail = "too many passwords are being compared: try again in a moment";
            return Err(Problem::new(Kind::Overloaded, detail));
        };
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(turn);
            done
        });
        done.await.map_err(Problem::internal)
    }
}

fn hash(password: &[u8]) -> Result<String, password_hash::Error> {
    let hash: PasswordHash = Argon2::default().hash_password(password)?;
    Ok(hash.to_string())
}

fn matches(password: &[u8], hash: &str) -> bool {
    Argon2::default().verify_password(password, hash).is_ok()
}

/// Refuses a password that is too short or too long; the pointer names its member.
pub fn check(password: &str, pointer: &str) -> Result<(), Problem> {
    let long_enough = password.chars().count() >= PASSWORD_CHARS_MIN;
    if long_enough && password.len() <= PASSWORD_BYTES_MAX {
        return Ok(());
    }
    let detail =
        format!("at least {PASSWORD_CHARS_MIN} characters, at most {PASSWORD_BYTES_MAX} bytes");
    Err(Problem::invalid_body(vec![Fault::at(pointer, detail)]))
}
