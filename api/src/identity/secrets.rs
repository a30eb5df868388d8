//! What the vault seals, and where it is kept: passwords' hashes and persons' keys.
//!
//! Does not know what they prove.

use commands::CommandError;
use domain::{
    identity::principal::{Command, Refusal},
    values::{Hash, Personal, PrincipalId, Sealed},
};
use uuid::Uuid;

use super::{
    Identities, passwords,
    signing::Signing,
    vault::{self, Vault},
};
use crate::problem::Problem;

/// What a server with a master key has.
#[derive(Clone)]
pub(super) struct Secrets {
    pub(super) vault: Vault,
    pub(super) signing: Signing,
    pub(super) passwords: passwords::Passwords,
}

impl Identities {
    /// Does what a principal wants of a new password, told by its fingerprint; a password that is
    /// refused is not kept.
    pub(super) async fn with_password(
        &self,
        id: &PrincipalId,
        password: &str,
        command: impl FnOnce(Hash) -> Command,
    ) -> Result<Result<(), CommandError<Refusal>>, Problem> {
        let verifier = self.store_password(id, password).await?;
        let done = self.own(id, command(verifier)).await;
        if done.is_err() {
            self.forget_password(verifier).await;
        }
        Ok(done)
    }

    async fn store_password(
        &self,
        principal: &PrincipalId,
        password: &str,
    ) -> Result<Hash, Problem> {
        let phc = self.secrets.passwords.hash(password).await?;
        let verifier = Hash::of(phc.as_bytes());
        let sealed = self.secrets.vault.seal(&password_purpose(verifier), phc.as_bytes());
        let statement =
            "insert into password_verifiers (fingerprint, principal, sealed) values ($1, $2, $3)";
        sqlx::query(statement)
            .bind(verifier.as_bytes().as_slice())
            .bind(principal.as_str())
            .bind(sealed.map_err(Problem::internal)?)
            .execute(&self.pool)
            .await?;
        Ok(verifier)
    }

    async fn forget_password(&self, verifier: Hash) {
        let gone = sqlx::query("delete from password_verifiers where fingerprint = $1")
            .bind(verifier.as_bytes().as_slice())
            .execute(&self.pool)
            .await;
        if let Err(error) = gone {
            tracing::warn!(%error, "a password nobody has is still stored");
        }
    }

    pub(super) async fn stored_password(&self, verifier: Hash) -> Result<Option<String>, Problem> {
        let statement = "select sealed from password_verifiers where fingerprint = $1";
        let sealed: Option<Vec<u8>> = sqlx::query_scalar(statement)
            .bind(verifier.as_bytes().as_slice())
            .fetch_optional(&self.pool)
            .await?;
        let Some(sealed) = sealed else { return Ok(None) };
        let opened = self.secrets.vault.open(&password_purpose(verifier), &sealed);
        let opened = opened.and_then(|bytes| String::from_utf8(bytes).ok());
        let lost = || Problem::internal("a password was sealed under another master key");
        opened.ok_or_else(lost).map(Some)
    }

    /// Seals something personal under the person's own key, which is made when there is none.
    pub(super) async fn seal_personal<T>(
        &self,
        id: &PrincipalId,
        clear: &str,
    ) -> Result<Personal<T>, Problem> {
        let mut found = self.person_key(id).await?;
        if found.is_none() {
            let vault = &self.secrets.vault;
            let key_id = format!("key-{}", Uuid::now_v7().simple());
            let key = vault::random::<{ vault::KEY_BYTES }>().map_err(Problem::internal)?;
            let wrapped = vault.seal(&person_purpose(&key_id), &key).map_err(Problem::internal)?;
            let statement = "insert into person_keys (key_id, principal, wrapped) \
                             values ($1, $2, $3) on conflict (principal) do nothing";
            let insert = sqlx::query(statement).bind(key_id).bind(id.as_str()).bind(wrapped);
            insert.execute(&self.pool).await?;
            found = self.person_key(id).await?;
        }
        let (key_id, key) = found.ok_or_else(lost_key)?;
        let sealed = vault::seal_under(&key, id.as_str(), clear.as_bytes());
        let sealed = Sealed::new(&sealed.map_err(Problem::internal)?, &key_id);
        Ok(sealed.map_err(Problem::internal)?.into())
    }

    /// Opens what is personal; none when the person's key is destroyed.
    pub(super) async fn open_personal<T>(
        &self,
        id: &PrincipalId,
        personal: &Personal<T>,
    ) -> Result<Option<String>, Problem> {
        let sealed = personal.sealed();
        let found = self.person_key(id).await?;
        let found = found.filter(|(key_id, _)| key_id == sealed.key_id());
        let Some((_, key)) = found else { return Ok(None) };
        let clear = vault::open_under(&key, id.as_str(), &sealed.ciphertext());
        let clear = clear.and_then(|bytes| String::from_utf8(bytes).ok());
        clear.map(Some).ok_or_else(|| Problem::internal("what is personal is of another person"))
    }

    /// A person's own key and its name; none before the first use, and once it is destroyed.
    async fn person_key(
        &self,
        id: &PrincipalId,
    ) -> Result<Option<(String, [u8; vault::KEY_BYTES])>, Problem> {
        let statement = "select key_id, wrapped from person_keys where principal = $1";
        let found: Option<(String, Vec<u8>)> =
            sqlx::query_as(statement).bind(id.as_str()).fetch_optional(&self.pool).await?;
        let Some((key_id, wrapped)) = found else { return Ok(None) };
        let key = self.secrets.vault.open(&person_purpose(&key_id), &wrapped);
        let key = key.and_then(|key| key.try_into().ok()).ok_or_else(lost_key)?;
        Ok(Some((key_id, key)))
    }
}

fn lost_key() -> Problem {
    Problem::internal("a person's key was sealed under another master key")
}

pub(super) fn password_purpose(verifier: Hash) -> String {
    format!("password {verifier}")
}

pub(super) fn person_purpose(key_id: &str) -> String {
    format!("person {key_id}")
}
