//! Tokens that are found by their hash: links, refresh tokens and API keys; and who shows an access
//! token or a key.
//!
//! Does not know what their bearers may do beyond what the directory says.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use chrono::Utc;
use commands::{Actor, PermissionSet};
use domain::identity::principal::Command;
use domain::values::{ApiKeyId, Hash, Label, Moment, PermissionName, PrincipalId, SessionId};
use event_store::StoreError;
use sqlx::PgPool;

use super::{Identities, fresh_id, vault};
use crate::problem::{Kind, Problem};

/// What every API key begins with, so that scanners for leaked secrets can know it.
pub const API_KEY_PREFIX: &str = "nk_";
/// What every set-up link's token begins with.
const SETUP_PREFIX: &str = "ns_";
/// What every refresh token begins with.
const REFRESH_PREFIX: &str = "nr_";
/// The bytes of a hash that name a key.
const NAME_BYTES: usize = 12;
/// The random bytes of a token.
const RANDOM_BYTES: usize = 32;

fn new_secret() -> Result<String, Problem> {
    let bytes = vault::random::<RANDOM_BYTES>().map_err(Problem::internal)?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// The token of a link that is sent to a principal; it says whose it is.
pub(super) fn new_link(principal: &PrincipalId) -> Result<String, Problem> {
    Ok(format!("{principal}.{}", new_secret()?))
}

/// Whose link it is.
pub(super) fn of_link(token: &str) -> Option<PrincipalId> {
    token.split_once('.')?.0.parse().ok()
}

pub(super) fn new_refresh() -> Result<String, Problem> {
    Ok(format!("{REFRESH_PREFIX}{}", new_secret()?))
}

pub(super) fn new_setup() -> Result<String, Problem> {
    Ok(format!("{SETUP_PREFIX}{}", new_secret()?))
}

pub(super) fn new_api_key(key: &ApiKeyId) -> Result<String, Problem> {
    Ok(format!("{API_KEY_PREFIX}{key}_{}", new_secret()?))
}

/// The name of a key whose text somebody else chose, and that does not say it: out of its hash.
pub(super) fn key_of_text(token: &str) -> Result<ApiKeyId, Problem> {
    let digits = hex::encode(&hash(token)[..NAME_BYTES]);
    format!("key-{digits}").parse().map_err(Problem::internal)
}

pub(super) fn hash(token: &str) -> Vec<u8> {
    Hash::of(token.as_bytes()).as_bytes().to_vec()
}

/// Keeps a session's refresh token, by its hash, and forgets those that have expired.
pub(super) async fn store_refresh(
    pool: &PgPool,
    token: &str,
    principal: &PrincipalId,
    session: &SessionId,
    seconds: u64,
) -> Result<(), Problem> {
    sqlx::query("delete from refresh_tokens where expires_at < now()").execute(pool).await?;
    let statement = "insert into refresh_tokens (token_hash, principal, session, expires_at) \
                     values ($1, $2, $3, now() + make_interval(secs => $4))";
    sqlx::query(statement)
        .bind(hash(token))
        .bind(principal.as_str())
        .bind(session.as_str())
        .bind(seconds as f64)
        .execute(pool)
        .await?;
    Ok(())
}

/// What became of a refresh token.
pub(super) enum Used {
    /// It was good, and another takes its place.
    Now { principal: PrincipalId, session: SessionId, next: String },
    /// Somebody had used it.
    Before { principal: PrincipalId, session: SessionId },
}

/// Uses a refresh token up, in one transaction with the one that takes its place; none when it is
/// not known, or its session is not open any more.
pub(super) async fn use_refresh(
    pool: &PgPool,
    token: &str,
    is_open: impl Fn(&PrincipalId, &SessionId) -> bool,
) -> Result<Option<Used>, Problem> {
    let mut transaction = pool.begin().await?;
    let statement = "select principal, session, used_at is not null from refresh_tokens \
                     where token_hash = $1 and expires_at > now() for update";
    let row: Option<(String, String, bool)> =
        sqlx::query_as(statement).bind(hash(token)).fetch_optional(&mut *transaction).await?;
    let Some((principal, session, used)) = row else { return Ok(None) };
    let principal: PrincipalId = principal.parse().map_err(Problem::internal)?;
    let session: SessionId = session.parse().map_err(Problem::internal)?;
    if used {
        return Ok(Some(Used::Before { principal, session }));
    }
    if !is_open(&principal, &session) {
        return Ok(None);
    }
    let next = new_refresh()?;
    let statement = "with used as (update refresh_tokens set used_at = now() \
                     where token_hash = $1 returning principal, session, expires_at) \
                     insert into refresh_tokens (token_hash, principal, session, expires_at) \
                     select $2, principal, session, expires_at from used";
    sqlx::query(statement).bind(hash(token)).bind(hash(&next)).execute(&mut *transaction).await?;
    transaction.commit().await?;
    Ok(Some(Used::Now { principal, session, next }))
}

/// An API key, shown this once.
#[derive(Debug)]
pub struct NewApiKey {
    /// Its public half.
    pub key: ApiKeyId,
    /// The whole of it.
    pub token: String,
}

impl Identities {
    /// Issues an API key of a principal's.
    pub async fn issue_api_key(
        &self,
        principal: &PrincipalId,
        label: Label,
        scopes: Vec<PermissionName>,
        expires_at: Moment,
        actor: Actor,
    ) -> Result<NewApiKey, Problem> {
        let key: ApiKeyId = fresh_id("key")?;
        let token = new_api_key(&key)?;
        let verifier = Hash::of(token.as_bytes());
        let issue = Command::IssueApiKey { expires_at, key: key.clone(), label, scopes, verifier };
        self.command(principal, issue, actor).await.map_err(Problem::of_command)?;
        self.commands.refresh_directory().await?;
        Ok(NewApiKey { key, token })
    }

    /// Who shows an API key, limited to what the key is for, and the key by its public half.
    pub(crate) async fn by_api_key(&self, token: &str) -> Result<(Actor, ApiKeyId), Problem> {
        let unknown = || {
            let detail = "the API key is unknown, expired or revoked";
            Problem::new(Kind::NotAuthenticated, detail)
        };
        let key = match token.strip_prefix(API_KEY_PREFIX) {
            Some(rest) => rest.split_once('_').and_then(|(key, _)| key.parse().ok()),
            None => Some(key_of_text(token)?),
        };
        let key: ApiKeyId = key.ok_or_else(unknown)?;
        let actor = self.looked_up(|| self.key_now(&key, token)).await?.ok_or_else(unknown)?;
        Ok((actor, key))
    }

    fn key_now(&self, key: &ApiKeyId, token: &str) -> Option<Actor> {
        let directory = self.commands.directory();
        let principal = directory.by_api_key(key)?.clone();
        let known = directory.identity(&principal)?.api_keys.get(key)?;
        // Hashes of random tokens: how far they agree tells nothing of either.
        let good = known.verifier == Hash::of(token.as_bytes())
            && Moment::from(Utc::now()) < known.expires_at;
        let scopes = PermissionSet::named(&known.scopes);
        let permissions = directory.permissions(&principal).intersection(scopes);
        good.then(|| Actor::principal(principal, permissions))
    }

    /// Who shows an access token, and in which session.
    pub async fn by_access_token(&self, token: &str) -> Result<(Actor, SessionId), Problem> {
        let claims = self.secrets.signing.check(token).await?;
        let ended = || Problem::new(Kind::NotAuthenticated, "the session has ended");
        let principal: PrincipalId = claims.sub.parse().map_err(|_| ended())?;
        let session: SessionId = claims.sid.parse().map_err(|_| ended())?;
        let open = || self.is_open(&principal, &session).then_some(());
        self.looked_up(open).await?.ok_or_else(ended)?;
        let permissions = self.commands.directory().permissions(&principal);
        Ok((Actor::principal(principal, permissions), session))
    }

    /// What the directory says; when it says nothing, it is first brought up to date. A database
    /// that is away is told as that: what is in memory goes on to count.
    async fn looked_up<T>(&self, look: impl Fn() -> Option<T>) -> Result<Option<T>, StoreError> {
        match look() {
            Some(found) => Ok(Some(found)),
            None => {
                self.commands.refresh_directory().await?;
                Ok(look())
            }
        }
    }
}
