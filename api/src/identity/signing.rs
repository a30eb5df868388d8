//! Access tokens: JSON Web Tokens (RFC 7519) signed with EdDSA (RFC 8037) or RS256 under keys of
//! 4,096 bits (RFC 7518, 3.3), and the keys by which others can check them (RFC 7517).
//!
//! Does not know what a token's bearer may do.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use aws_lc_rs::{
    encoding::AsDer as _,
    rsa::{KeyPair, KeySize},
    signature::Ed25519KeyPair,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::vault::Vault;
use crate::problem::{Kind, Problem};

/// How long an access token is good for, in seconds: 15 minutes.
pub const ACCESS_TOKEN_S: u64 = 900;
/// How far the clocks of two servers may be apart, in seconds.
const CLOCKS_APART_S_MAX: u64 = 5;
/// For how long a key that is not known is not looked for again, in milliseconds.
const LOOKED_FOR_MS: u64 = 1_000;
/// Who signs, and for whom.
const ISSUER: &str = "node0";
const AUDIENCE: &str = "node0-api";
/// The advisory lock that keeps two servers from making two first keys.
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

    fn of_jwt(self) -> Algorithm {
        match self {
            TokenAlgorithm::EdDsa => Algorithm::EdDSA,
            TokenAlgorithm::Rs256 => Algorithm::RS256,
        }
    }
}

/// What an access token says.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed it.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// The principal.
    pub sub: String,
    /// The session.
    pub sid: String,
    /// From when, in seconds since 1970.
    pub nbf: u64,
    /// Made when, in seconds since 1970.
    pub iat: u64,
    /// Until when, in seconds since 1970.
    pub exp: u64,
    /// Its own name.
    pub jti: String,
}

/// The keys of one installation. Cheap to clone.
#[derive(Clone)]
pub struct Signing {
    pool: PgPool,
    vault: Vault,
    algorithm: TokenAlgorithm,
    known: Arc<RwLock<Known>>,
    /// Held while the stored keys are read or one is made.
    reading: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Known {
    /// The newest of the algorithm that signs.
    signs: Option<(String, EncodingKey)>,
    checks: HashMap<String, (TokenAlgorithm, DecodingKey)>,
    public: Vec<Jwk>,
    read_at: Option<tokio::time::Instant>,
}

impl Signing {
    /// Keys that are kept in this database, sealed in this vault.
    pub fn new(pool: PgPool, vault: Vault, algorithm: TokenAlgorithm) -> Signing {
        let (known, reading) = (Arc::default(), Arc::default());
        Signing { pool, vault, algorithm, known, reading }
    }

    /// A token for a principal's session, good for [`ACCESS_TOKEN_S`] from now on.
    pub async fn sign(&self, sub: &str, sid: &str, now: u64) -> Result<String, Problem> {
        self.ensure().await?;
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: sub.to_owned(),
            sid: sid.to_owned(),
            nbf: now,
            iat: now,
            exp: now + ACCESS_TOKEN_S,
            jti: Uuid::now_v7().to_string(),
        };
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let (kid, key) =
            known.signs.as_ref().ok_or_else(|| Problem::internal("there is no signing key"))?;
        let header = Header { kid: Some(kid.clone()), ..Header::new(self.algorithm.of_jwt()) };
        jsonwebtoken::encode(&header, &claims, key).map_err(Problem::internal)
    }

    /// What a token says, when it was signed here and is good now. Which algorithm it is checked by
    /// is the key's to say, not the token's (RFC 8725, 3.1).
    pub async fn check(&self, token: &str) -> Result<Claims, Problem> {
        let refused = |why: &str| {
            Problem::new(Kind::NotAuthenticated, format!("the access token is no good: {why}"))
        };
        let header = jsonwebtoken::decode_header(token).map_err(|_| refused("it is malformed"))?;
        let kid = header.kid.ok_or_else(|| refused("it names no key"))?;
        let key = match self.checking(&kid) {
            Some(key) => key,
            None => {
                self.look_again().await?;
                self.checking(&kid).ok_or_else(|| refused("its key is not known"))?
            }
        };
        let (algorithm, key) = key;
        let mut rules = Validation::new(algorithm.of_jwt());
        rules.leeway = CLOCKS_APART_S_MAX;
        rules.validate_nbf = true;
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        rules.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
        let checked = jsonwebtoken::decode::<Claims>(token, &key, &rules);
        checked.map(|token| token.claims).map_err(|error| {
            let expired = *error.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature;
            refused(if expired { "it has expired" } else { "it was not signed here for this" })
        })
    }

    /// The public keys, for whoever checks tokens elsewhere.
    pub async fn public(&self) -> Result<Vec<Jwk>, Problem> {
        self.ensure().await?;
        self.read().await?;
        Ok(self.known.read().unwrap_or_else(PoisonError::into_inner).public.clone())
    }

    fn checking(&self, kid: &str) -> Option<(TokenAlgorithm, DecodingKey)> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.checks.get(kid).cloned()
    }

    /// Reads the stored keys for one that is not known; not every time somebody makes one up.
    async fn look_again(&self) -> Result<(), Problem> {
        let _reading = self.reading.lock().await;
        let read_at = self.known.read().unwrap_or_else(PoisonError::into_inner).read_at;
        match read_at {
            Some(at) if at.elapsed() < Duration::from_millis(LOOKED_FOR_MS) => Ok(()),
            Some(_) | None => self.read().await,
        }
    }

    /// Makes the first key when there is none.
    async fn ensure(&self) -> Result<(), Problem> {
        let signs = || self.known.read().unwrap_or_else(PoisonError::into_inner).signs.is_some();
        if signs() {
            return Ok(());
        }
        let _reading = self.reading.lock().await;
        if signs() {
            return Ok(());
        }
        self.read().await?;
        if signs() {
            return Ok(());
        }
        self.make().await?;
        self.read().await
    }

    async fn make(&self) -> Result<(), Problem> {
        let algorithm = self.algorithm;
        let made = tokio::task::spawn_blocking(move || make(algorithm)).await;
        let pkcs8 = made.map_err(Problem::internal)??;
        let kid = Uuid::now_v7().to_string();
        let mut public = Jwk::from_encoding_key(&encoding(algorithm, &pkcs8)?, algorithm.of_jwt())
            .map_err(Problem::internal)?;
        public.common.key_id = Some(kid.clone());
        public.common.public_key_use = Some(jsonwebtoken::jwk::PublicKeyUse::Signature);
        let public = serde_json::to_string(&public).map_err(Problem::internal)?;
        let sealed = self.vault.seal(&purpose(&kid), &pkcs8).map_err(Problem::internal)?;
        let mut transaction = self.pool.begin().await?;
        sqlx::query("select pg_advisory_xact_lock($1)")
            .bind(KEY_LOCK)
            .execute(&mut *transaction)
            .await?;
        // Of two servers that start at once, the second takes the first one's key.
        let statement = "insert into signing_keys (kid, algorithm, sealed, public_key) \
                         select $1, $2, $3, $4 \
                         where not exists (select from signing_keys where algorithm = $2)";
        sqlx::query(statement)
            .bind(kid)
            .bind(algorithm.as_str())
            .bind(sealed)
            .bind(public)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        Ok(())
    }

    async fn read(&self) -> Result<(), Problem> {
        let statement =
            "select kid, algorithm, sealed, public_key from signing_keys order by created_at, kid";
        let rows: Vec<(String, String, Vec<u8>, String)> =
            sqlx::query_as(statement).fetch_all(&self.pool).await?;
        let mut known = Known { read_at: Some(tokio::time::Instant::now()), ..Known::default() };
        for (kid, algorithm, sealed, public) in rows {
            let Some(algorithm) = TokenAlgorithm::named(&algorithm) else { continue };
            let public: Jwk = serde_json::from_str(&public).map_err(Problem::internal)?;
            let checks = DecodingKey::from_jwk(&public).map_err(Problem::internal)?;
            if algorithm == self.algorithm {
                let opened = self.vault.open(&purpose(&kid), &sealed).ok_or_else(|| {
                    Problem::internal("a signing key was sealed under another master key")
                })?;
                known.signs = Some((kid.clone(), encoding(algorithm, &opened)?));
            }
            known.checks.insert(kid, (algorithm, checks));
            known.public.push(public);
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }
}

fn purpose(kid: &str) -> String {
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
