//! Access tokens: JSON Web Tokens (RFC 7519) signed with EdDSA (RFC 8037) or RS256 under keys of
//! 4,096 bits (RFC 7518, 3.3), and the keys by which others can check them (RFC 7517).
//!
//! Does not know what a token's bearer may do.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::Utc;
use jsonwebtoken::{DecodingKey, EncodingKey, Header, Validation, jwk::Jwk};
use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use tokio::sync::Mutex;
use uuid::Uuid;

use super::{
    seconds,
    signing_keys::{self, TokenAlgorithm},
    vault::Vault,
};
use crate::problem::{Kind, Problem};

/// How long an access token is good for, in seconds: 15 minutes.
pub const ACCESS_TOKEN_S: u64 = 900;
/// How far the clocks of two servers may be apart, in seconds.
const CLOCKS_APART_S_MAX: u64 = 5;
/// How many tokens are known by their hash.
const SEEN_MAX: u64 = 50_000;
/// For how long a key that is not known is not looked for again, in milliseconds.
const LOOKED_FOR_MS: u64 = 1_000;
/// Who signs, and for whom.
const ISSUER: &str = "node0";
const AUDIENCE: &str = "node0-api";
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
    /// Tokens whose signature was good, by their hash.
    seen: Cache<[u8; 32], (Arc<str>, Arc<Claims>)>,
    /// Held while the stored keys are read or one is made.
    reading: Arc<Mutex<()>>,
}

#[derive(Default)]
struct Known {
    /// The newest of our algorithm whose time has come.
    signs: Option<(String, EncodingKey)>,
    checks: HashMap<String, (TokenAlgorithm, DecodingKey)>,
    public: Vec<Jwk>,
    read_at: Option<tokio::time::Instant>,
}

impl Signing {
    /// Keys that are kept in this database, sealed in this vault.
    pub fn new(pool: PgPool, vault: Vault, algorithm: TokenAlgorithm) -> Signing {
        let (known, reading) = (Arc::default(), Arc::default());
        Signing { pool, vault, algorithm, known, seen: Cache::new(SEEN_MAX), reading }
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

    /// What a token says, when it was signed here and is good now. Its signature is checked once: a
    /// token that was seen lately is known by its hash, as long as its key is and it is good.
    pub async fn check(&self, token: &str) -> Result<Arc<Claims>, Problem> {
        let hash: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = seconds();
        if let Some((kid, claims)) = self.seen.get(&hash)
            && now < claims.exp
            && self.checking(&kid).is_some()
        {
            return Ok(claims);
        }
        let (kid, claims) = self.check_signature(token).await?;
        let claims = Arc::new(claims);
        self.seen.insert(hash, (kid.into(), Arc::clone(&claims)));
        Ok(claims)
    }

    /// The same, and by which key. Which algorithm it is checked by
    /// is the key's to say, not the token's (RFC 8725, 3.1).
    async fn check_signature(&self, token: &str) -> Result<(String, Claims), Problem> {
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
        checked.map(|token| (kid, token.claims)).map_err(|error| {
            let expired = *error.kind() == jsonwebtoken::errors::ErrorKind::ExpiredSignature;
            refused(if expired { "it has expired" } else { "it was not signed here for this" })
        })
    }

    /// The public keys, for whoever checks tokens elsewhere.
    pub async fn public(&self) -> Result<Vec<Jwk>, Problem> {
        self.ensure().await?;
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
        signing_keys::add(&self.pool, &self.vault, self.algorithm, None).await?;
        self.read().await
    }

    /// Takes in the stored keys.
    async fn read(&self) -> Result<(), Problem> {
        let mut known = Known { read_at: Some(tokio::time::Instant::now()), ..Known::default() };
        for key in signing_keys::read(&self.pool).await? {
            let checks = DecodingKey::from_jwk(&key.public).map_err(Problem::internal)?;
            if key.algorithm == self.algorithm && key.signs {
                let signs = key.encoding(&self.vault)?;
                known.signs = Some((key.kid.clone(), signs));
            }
            known.checks.insert(key.kid, (key.algorithm, checks));
            known.public.push(key.public);
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Makes the next key, which signs in [`signing_keys::SIGNS_AFTER_S`] seconds: every server
    /// knows it by then. Nothing when one is coming already.
    pub async fn rotate(&self) -> Result<(), Problem> {
        self.ensure().await?;
        signing_keys::add(&self.pool, &self.vault, self.algorithm, Some(Utc::now())).await
    }

    /// Takes the stored keys in, and does what is due: the next key, when the one that signs has
    /// done so for long enough; those that no token can name any more are forgotten. The first key
    /// is made when it is needed.
    pub async fn tend(&self, signs_for: Duration) -> Result<(), Problem> {
        self.read().await?;
        if self.known.read().unwrap_or_else(PoisonError::into_inner).signs.is_some() {
            let since = Utc::now() - signs_for;
            signing_keys::add(&self.pool, &self.vault, self.algorithm, Some(since)).await?;
            signing_keys::forget(&self.pool).await?;
        }
        Ok(())
    }
}
