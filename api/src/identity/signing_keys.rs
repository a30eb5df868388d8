//! The keys by which access tokens are signed, as they are kept: made, read, replaced in time, and
//! forgotten when no token can name them any more.
//!
//! Does not know what a token says.

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
    signature::Ed25519KeyPair,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use jsonwebtoken::{
    Algorithm, EncodingKey,
    jwk::{Jwk, PublicKeyUse},
};
use sqlx::PgPool;
use uuid::Uuid;

use super::{signing::ACCESS_TOKEN_S, vault::Vault};
use crate::problem::Problem;

/// How long a key is published before it signs, in seconds.
pub const SIGNS_AFTER_S: u64 = 15;
/// How often a server takes in the stored keys, in seconds: well before a new one signs.
pub const READ_EVERY_S: u64 = 5;
/// How long a key is kept after another signs in its place, in seconds.
const KEPT_S: u64 = 2 * ACCESS_TOKEN_S;
/// The advisory lock that keeps two servers from making two keys.
const KEY_LOCK: i64 = 0x6e30_7369_676e_696e;

/// By which algorithm tokens are signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenAlgorithm {
    /// Ed25519.
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256, 4,096 bits.
    Rs256,
}

impl TokenAlgorithm {
    /// As it is stored and configured.
    pub fn as_str(self) -> &'static str {
        match self {
            TokenAlgorithm::EdDsa => "EdDSA",
            TokenAlgorithm::Rs256 => "RS256",
        }
    }

    /// The algorithm of a stored name.
    pub fn named(name: &str) -> Option<TokenAlgorithm> {
        [TokenAlgorithm::EdDsa, TokenAlgorithm::Rs256].into_iter().find(|it| it.as_str() == name)
    }

    pub(super) fn of_jwt(self) -> Algorithm {
        match self {
            TokenAlgorithm::EdDsa => Algorithm::EdDSA,
            TokenAlgorithm::Rs256 => Algorithm::RS256,
        }
    }
}

/// A key as it is kept.
pub(super) struct Stored {
    pub(super) kid: String,
    pub(super) algorithm: TokenAlgorithm,
    pub(super) public: Jwk,
    /// Whether its time to sign has come.
    pub(super) signs: bool,
    sealed: Vec<u8>,
}

impl Stored {
    /// What signs.
    pub(super) fn encoding(&self, vault: &Vault) -> Result<EncodingKey, Problem> {
        let opened = vault.open(&purpose(&self.kid), &self.sealed).ok_or_else(|| {
            Problem::internal("a signing key was sealed under another master key")
        })?;
        encoding(self.algorithm, &opened)
    }
}

/// All keys, in the order in which they sign.
pub(super) async fn read(pool: &PgPool) -> Result<Vec<Stored>, Problem> {
    let statement = "select kid, algorithm, sealed, public_key, signs_from <= now() \
                     from signing_keys order by signs_from, kid";
    let rows: Vec<(String, String, Vec<u8>, String, bool)> =
        sqlx::query_as(statement).fetch_all(pool).await?;
    let mut keys = Vec::with_capacity(rows.len());
    for (kid, algorithm, sealed, public, signs) in rows {
        // The constraint signing_keys_algorithm_known admits no other name.
        let Some(algorithm) = TokenAlgorithm::named(&algorithm) else { continue };
        let public = serde_json::from_str(&public).map_err(Problem::internal)?;
        keys.push(Stored { kid, algorithm, public, signs, sealed });
    }
    Ok(keys)
}

/// Makes a key unless there is one of its algorithm that signs, or will sign, from after a time;
/// unless there is any, when no time is given: then it signs at once. Of many servers that ask at
/// once, one makes it.
pub(super) async fn add(
    pool: &PgPool,
    vault: &Vault,
    algorithm: TokenAlgorithm,
    unless_after: Option<DateTime<Utc>>,
) -> Result<(), Problem> {
    let statement = "select exists (select from signing_keys \
                     where algorithm = $1 and signs_from > coalesce($2, '-infinity'))";
    let there = sqlx::query_scalar(statement).bind(algorithm.as_str()).bind(unless_after);
    if there.fetch_one(pool).await? {
        return Ok(());
    }
    // An RSA key takes seconds: no lock is held meanwhile.
    let made = tokio::task::spawn_blocking(move || make(algorithm)).await;
    let pkcs8 = made.map_err(Problem::internal)??;
    let kid = Uuid::now_v7().to_string();
    let mut public = Jwk::from_encoding_key(&encoding(algorithm, &pkcs8)?, algorithm.of_jwt())
        .map_err(Problem::internal)?;
    public.common.key_id = Some(kid.clone());
    public.common.public_key_use = Some(PublicKeyUse::Signature);
    let public = serde_json::to_string(&public).map_err(Problem::internal)?;
    let sealed = vault.seal(&purpose(&kid), &pkcs8).map_err(Problem::internal)?;
    let mut transaction = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(KEY_LOCK)
        .execute(&mut *transaction)
        .await?;
    let statement = "insert into signing_keys (kid, algorithm, sealed, public_key, signs_from) \
                     select $3, $1, $4, $5, now() + make_interval(secs => $6) \
                     where not exists (select from signing_keys \
                     where algorithm = $1 and signs_from > coalesce($2, '-infinity'))";
    let after_s = unless_after.map_or(0, |_| SIGNS_AFTER_S);
    let done = sqlx::query(statement)
        .bind(algorithm.as_str())
        .bind(unless_after)
        .bind(&kid)
        .bind(sealed)
        .bind(public)
        .bind(after_s as f64)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    if done.rows_affected() == 1 {
        tracing::info!(kid, algorithm = algorithm.as_str(), after_s, "a signing key was made");
    }
    Ok(())
}

/// Forgets the keys in whose place another has signed for longer than any token is good.
pub(super) async fn forget(pool: &PgPool) -> Result<(), Problem> {
    let statement = "delete from signing_keys old where exists (select from signing_keys next \
                     where next.algorithm = old.algorithm and next.signs_from > old.signs_from \
                     and next.signs_from < now() - make_interval(secs => $1))";
    sqlx::query(statement).bind(KEPT_S as f64).execute(pool).await?;
    Ok(())
}

pub(super) fn purpose(kid: &str) -> String {
    format!("signing key {kid}")
}

/// A private key in PKCS #8; of Ed25519 in its first version, which is what the library takes.
fn make(algorithm: TokenAlgorithm) -> Result<Vec<u8>, Problem> {
    let unmade = |_| Problem::internal("no signing key can be made");
    match algorithm {
        TokenAlgorithm::EdDsa => {
            let pair = Ed25519KeyPair::generate().map_err(unmade)?;
            Ok(pair.to_pkcs8v1().map_err(unmade)?.as_ref().to_vec())
        }
        TokenAlgorithm::Rs256 => {
            let pair = KeyPair::generate(KeySize::Rsa4096).map_err(unmade)?;
            Ok(pair.as_der().map_err(unmade)?.as_ref().to_vec())
        }
    }
}

fn encoding(algorithm: TokenAlgorithm, pkcs8: &[u8]) -> Result<EncodingKey, Problem> {
    match algorithm {
        TokenAlgorithm::EdDsa => Ok(EncodingKey::from_ed_der(pkcs8)),
        // The library takes RSA keys out of PKCS #8 from PEM only.
        TokenAlgorithm::Rs256 => {
            let body = STANDARD.encode(pkcs8);
            let pem = format!("-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n");
            EncodingKey::from_rsa_pem(pem.as_bytes()).map_err(Problem::internal)
        }
    }
}
