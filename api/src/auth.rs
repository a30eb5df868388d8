//! Who asks: bearer tokens, kept as hashes, remembered for a while.
//!
//! Does not know what anybody may do: that is the policy's.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use commands::{Actor, Permission, Role};
use domain::values::SessionId;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use crate::{
    identity::{API_KEY_PREFIX, Identities},
    problem::{Kind, Problem},
};

/// What every token made here begins with, so that scanners for leaked secrets can know it.
pub const TOKEN_PREFIX: &str = "n0_";
/// The random bytes of a token.
const TOKEN_RANDOM_BYTES: usize = 32;
/// The shortest set-up token that is taken, in characters.
pub const SETUP_TOKEN_CHARS_MIN: usize = 32;
/// The longest set-up token, in characters.
pub const TOKEN_CHARS_MAX: usize = 512;
/// The longest token of any kind that is looked at, in characters.
const SHOWN_CHARS_MAX: usize = 4_096;
/// Tokens remembered at once.
const REMEMBERED_TOKENS_MAX: usize = 10_000;
/// Seconds after which a remembered token is looked up again: so long may a removed one still work.
const REMEMBERED_S: u64 = 30;
/// Seconds a remembered token is trusted on while the database is away.
const REMEMBERED_OUTAGE_S: u64 = 5;
/// The principal of the first token.
const FIRST_PRINCIPAL: &str = "principal-super-admin";
/// The principal of the token named by the configuration.
const SETUP_PRINCIPAL: &str = "principal-setup";
/// The advisory lock that keeps two first starts from making two tokens.
const FIRST_TOKEN_LOCK: i64 = 0x6e30_746f_6b65_6e31;

type TokenHash = [u8; 32];

/// The tokens of one database. Cheap to clone.
#[derive(Clone)]
pub struct Auth {
    pool: PgPool,
    identities: Identities,
    remembered: Arc<RwLock<HashMap<TokenHash, Remembered>>>,
}

struct Remembered {
    actor: Actor,
    until: Instant,
}

/// Why the first token could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The set-up token could be guessed.
    #[error(
        "the set-up token has {found} characters: at least {SETUP_TOKEN_CHARS_MIN} and at most \
         {TOKEN_CHARS_MAX} visible ASCII characters are needed"
    )]
    BadSetupToken {
        /// How many it has.
        found: usize,
    },
    /// The database did not answer.
    #[error("the tokens cannot be read: {0}")]
    Database(#[from] sqlx::Error),
    /// The operating system gave no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// Makes sure that somebody can get in. With a set-up token, that token (and no earlier set-up
/// token) is a super_admin's. Without one, the first start makes a random token and returns it: it
/// is shown once and stored only as a hash.
pub async fn ensure_super_admin(
    pool: &PgPool,
    setup_token: Option<&str>,
) -> Result<Option<String>, SetupError> {
    let mut transaction = pool.begin().await?;
    sqlx::query("select pg_advisory_xact_lock($1)")
        .bind(FIRST_TOKEN_LOCK)
        .execute(&mut *transaction)
        .await?;
    let made = match setup_token {
        Some(token) => {
            if token.len() < SETUP_TOKEN_CHARS_MIN || !is_token(token) {
                return Err(SetupError::BadSetupToken { found: token.chars().count() });
            }
            sqlx::query("delete from api_tokens where principal = $1 and token_hash <> $2")
                .bind(SETUP_PRINCIPAL)
                .bind(hash(token).as_slice())
                .execute(&mut *transaction)
                .await?;
            store(&mut transaction, token, SETUP_PRINCIPAL, Role::SuperAdmin).await?;
            None
        }
        None if has_super_admin(&mut transaction).await? => None,
        None => {
            let token = new_token().map_err(SetupError::Random)?;
            store(&mut transaction, &token, FIRST_PRINCIPAL, Role::SuperAdmin).await?;
            Some(token)
        }
    };
    transaction.commit().await?;
    Ok(made)
}

/// Makes a token for a principal in a role and returns it: it is stored only as a hash.
pub async fn issue_token(pool: &PgPool, principal: &str, role: Role) -> Result<String, SetupError> {
    let token = new_token().map_err(SetupError::Random)?;
    let mut connection = pool.acquire().await?;
    store(&mut connection, &token, principal, role).await?;
    Ok(token)
}

async fn has_super_admin(connection: &mut sqlx::PgConnection) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar("select exists (select from api_tokens where role = $1)")
        .bind(Role::SuperAdmin.as_str())
        .fetch_one(connection)
        .await
}

async fn store(
    connection: &mut sqlx::PgConnection,
    token: &str,
    principal: &str,
    role: Role,
) -> Result<(), sqlx::Error> {
    let statement = "insert into api_tokens (token_hash, principal, role) values ($1, $2, $3) \
                     on conflict on constraint api_tokens_pkey do nothing";
    sqlx::query(statement)
        .bind(hash(token).as_slice())
        .bind(principal)
        .bind(role.as_str())
        .execute(connection)
        .await
        .map(drop)
}

fn new_token() -> Result<String, getrandom::Error> {
    let mut bytes = [0; TOKEN_RANDOM_BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(format!("{TOKEN_PREFIX}{}", URL_SAFE_NO_PAD.encode(bytes)))
}

fn is_token(text: &str) -> bool {
    (1..=TOKEN_CHARS_MAX).contains(&text.len()) && is_visible(text)
}

fn hash(token: &str) -> TokenHash {
    Sha256::digest(token.as_bytes()).into()
}

impl Auth {
    /// The tokens in this database.
    pub fn new(pool: PgPool, identities: Identities) -> Auth {
        Auth { pool, identities, remembered: Arc::default() }
    }

    /// Who the request comes from; none when it shows no token.
    ///
    /// Tokens are found by their SHA-256, so no comparison's time depends on a secret's characters.
    pub async fn caller(&self, headers: &HeaderMap) -> Result<Option<Actor>, Problem> {
        Ok(self.asker(headers).await?.0)
    }

    /// The same, and the session when it is an access token that the request shows.
    pub async fn asker(
        &self,
        headers: &HeaderMap,
    ) -> Result<(Option<Actor>, Option<SessionId>), Problem> {
        let Some(token) = shown(headers)? else { return Ok((None, None)) };
        if is_access_token(token) {
            let (actor, session) = self.identities.by_access_token(token).await?;
            return Ok((Some(actor), Some(session)));
        }
        let actor = if token.starts_with(API_KEY_PREFIX) {
            self.identities.by_api_key(token).await?
        } else {
            self.known(hash(token)).await?
        };
        Ok((Some(actor), None))
    }

    async fn known(&self, hash: TokenHash) -> Result<Actor, Problem> {
        let now = Instant::now();
        let remembered = {
            let tokens = self.remembered.read().unwrap_or_else(PoisonError::into_inner);
            tokens.get(&hash).map(|found| (found.actor.clone(), found.until))
        };
        match remembered {
            Some((actor, until)) if until > now => Ok(actor),
            Some((actor, _)) => {
                // Trusted a little longer first: one request asks, the others do not wait for it.
                let until = now + Duration::from_secs(REMEMBERED_OUTAGE_S);
                self.remember(hash, actor.clone(), until);
                match self.look_up(&hash).await {
                    Ok(found) => self.answer(hash, found, now),
                    Err(error) => {
                        tracing::warn!(%error, "tokens cannot be looked up: one remembered is used");
                        Ok(actor)
                    }
                }
            }
            None => {
                let found = self.look_up(&hash).await?;
                self.answer(hash, found, now)
            }
        }
    }

    fn answer(
        &self,
        hash: TokenHash,
        found: Option<Actor>,
        now: Instant,
    ) -> Result<Actor, Problem> {
        let Some(actor) = found else {
            self.remembered.write().unwrap_or_else(PoisonError::into_inner).remove(&hash);
            return Err(Problem::new(Kind::NotAuthenticated, "the token is unknown or revoked"));
        };
        self.remember(hash, actor.clone(), now + Duration::from_secs(REMEMBERED_S));
        Ok(actor)
    }

    fn remember(&self, hash: TokenHash, actor: Actor, until: Instant) {
        let mut tokens = self.remembered.write().unwrap_or_else(PoisonError::into_inner);
        if tokens.len() >= REMEMBERED_TOKENS_MAX && !tokens.contains_key(&hash) {
            tokens.clear();
        }
        tokens.insert(hash, Remembered { actor, until });
    }

    async fn look_up(&self, hash: &TokenHash) -> Result<Option<Actor>, sqlx::Error> {
        let statement = "select principal, role from api_tokens where token_hash = $1";
        let row: Option<(String, String)> =
            sqlx::query_as(statement).bind(hash.as_slice()).fetch_optional(&self.pool).await?;
        // The constraint api_tokens_role_known admits no role without a name here.
        Ok(row.and_then(|(name, role)| Role::named(&role).map(|role| Actor::new(&name, role))))
    }
}

/// The token that a request shows; none when it shows none.
fn shown(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| (1..=SHOWN_CHARS_MAX).contains(&token.len()) && is_visible(token));
    token.map(Some).ok_or_else(|| {
        Problem::new(
            Kind::NotAuthenticated,
            "the Authorization header is not of the form: Bearer <token>",
        )
    })
}

/// Three parts with dots between them, of which the first is base64url of an object (RFC 7519, 3).
fn is_access_token(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The actor, if it may: otherwise 401 for strangers, 403 naming the permission for others.
pub fn require(caller: Option<&Actor>, permission: Permission) -> Result<&Actor, Problem> {
    let actor = caller.ok_or_else(|| {
        Problem::new(
            Kind::NotAuthenticated,
            format!("this needs a token whose role holds {}", permission.as_str()),
        )
        .with("permission", permission.as_str())
    })?;
    if actor.may(permission) {
        return Ok(actor);
    }
    let detail = format!("none of your roles holds {}", permission.as_str());
    Err(Problem::new(Kind::NotPermitted, detail).with("permission", permission.as_str()))
}
