//! The first start: a link by which the first super_admin registers, or a token that the
//! configuration names; and services that the program sets up for itself.
//!
//! Does not know how the link is shown.

use std::net::IpAddr;

use chrono::Utc;
use commands::{Actor, CommandError, Role};
use domain::{
    identity::principal::{API_KEY_S_MAX, Command, Kind as PrincipalKind, Refusal},
    values::{ApiKeyId, Hash, Moment, PermissionName, PrincipalId, RoleName},
};
use sqlx::PgExecutor;

use super::{Identities, TokenPair, bad_link, check_name, fresh_id, normalised, passwords, tokens};
use crate::problem::Problem;

/// The shortest set-up token that is taken, in characters.
pub const SETUP_TOKEN_CHARS_MIN: usize = 32;
/// The service whose token the configuration names.
const SETUP_SERVICE: &str = "service-setup";
/// Who sets up, as it stands in events.
const ACTOR: &str = "set-up";
/// What keys are called that the program issues by itself.
const LABEL: &str = "set up";
/// What takes the place of a key of the program's own.
const REPLACED: &str = "another takes its place";

impl Identities {
    /// Makes sure that somebody can get in. A set-up token is a super_admin's, and no earlier one
    /// is. Without one, while nobody may grant roles, each start makes a link's token and returns
    /// it: it is shown once, good once, and stored only as a hash.
    pub async fn ensure_somebody(
        &self,
        setup_token: Option<&str>,
    ) -> Result<Option<String>, Problem> {
        if let Some(token) = setup_token {
            let id: PrincipalId = SETUP_SERVICE.parse().map_err(Problem::internal)?;
            let key = tokens::key_of_text(token)?;
            self.service_key(&id, Role::SuperAdmin, (key, token)).await?;
            return Ok(None);
        }
        self.commands.refresh_directory().await?;
        if self.commands.directory().is_guarded() {
            return Ok(None);
        }
        let token = tokens::new_setup()?;
        let mut transaction = self.pool.begin().await?;
        sqlx::query("delete from setup_links").execute(&mut *transaction).await?;
        keep_link(&mut *transaction, &token).await?;
        transaction.commit().await?;
        Ok(Some(token))
    }

    /// Makes whoever follows the set-up link the first super_admin, and signs them in.
    pub async fn set_up(
        &self,
        token: &str,
        email: &str,
        display_name: &str,
        password: &str,
        from: Option<IpAddr>,
    ) -> Result<TokenPair, Problem> {
        let email = normalised(email)?;
        check_name(display_name)?;
        passwords::check(password, "/password")?;
        // Taken away at once, so that of two who follow it one gets in; should nobody, it is put
        // back. A server that dies in between makes another link when it starts.
        let statement = "delete from setup_links where token_hash = $1 returning true";
        let followed: Option<bool> = sqlx::query_scalar(statement)
            .bind(tokens::hash(token))
            .fetch_optional(&self.pool)
            .await?;
        if followed.is_none() {
            return Err(bad_link());
        }
        if let Err(problem) = self.register_first(&email, display_name, password).await {
            keep_link(&self.pool, token).await?;
            return Err(problem);
        }
        self.login(&email, password, None, from).await
    }

    async fn register_first(
        &self,
        email: &str,
        display_name: &str,
        password: &str,
    ) -> Result<(), Problem> {
        self.commands.refresh_directory().await?;
        if self.commands.directory().is_guarded() {
            return Err(bad_link());
        }
        let actor = Actor::new(ACTOR, Role::SuperAdmin);
        let role: RoleName = Role::SuperAdmin.as_str().parse().map_err(Problem::internal)?;
        let (_, token) = self.invite_silently(email, &[role], &actor).await?;
        self.register(&token, display_name, password).await.map(drop)
    }

    /// A key for a service in a role, both made by the program itself; the service's other keys are
    /// ended.
    pub async fn issue_service_key(&self, id: &PrincipalId, role: Role) -> Result<String, Problem> {
        let key: ApiKeyId = fresh_id("key")?;
        let token = tokens::new_api_key(&key)?;
        self.service_key(id, role, (key, &token)).await?;
        Ok(token)
    }

    /// The same for a key that is there; nothing when it alone is in force already. Another server
    /// may do the same at this moment: what it has done counts as done.
    async fn service_key(
        &self,
        id: &PrincipalId,
        role: Role,
        (key, token): (ApiKeyId, &str),
    ) -> Result<(), Problem> {
        let actor = Actor::on_behalf_of(id);
        let name: RoleName = role.as_str().parse().map_err(Problem::internal)?;
        self.commands.refresh_directory().await?;
        let known = self.commands.directory().identity(id).map(|service| {
            let keys: Vec<ApiKeyId> = service.api_keys.keys().cloned().collect();
            (service.roles.contains(&name), keys)
        });
        if known.as_ref().is_some_and(|(holds, keys)| *holds && *keys == [key.clone()]) {
            return Ok(());
        }
        let mut steps = Vec::new();
        if known.is_none() {
            steps.push(Command::Register {
                display_name: self.seal_personal(id, id.as_str()).await?,
                kind: PrincipalKind::Service,
                token: None,
                verifier: None,
            });
        }
        steps.push(Command::GrantRole { role: name });
        let own = known.map(|(_, keys)| keys).unwrap_or_default();
        for old in own.iter().filter(|old| **old != key) {
            let reason = REPLACED.parse().map_err(Problem::internal)?;
            steps.push(Command::RevokeApiKey { key: old.clone(), reason });
        }
        if !own.contains(&key) {
            let scopes = role.permissions().names().into_iter();
            steps.push(Command::IssueApiKey {
                expires_at: Moment::from(Utc::now()).plus_seconds(API_KEY_S_MAX),
                key,
                label: LABEL.parse().map_err(Problem::internal)?,
                scopes: scopes.collect::<Vec<PermissionName>>(),
                verifier: Hash::of(token.as_bytes()),
            });
        }
        for step in steps {
            match self.command(id, step, actor.clone()).await {
                Ok(()) => {}
                Err(CommandError::Refused(
                    Refusal::AlreadyRegistered { .. }
                    | Refusal::ApiKeyKnown { .. }
                    | Refusal::ApiKeyUnknown { .. },
                )) => {}
                Err(error) => return Err(Problem::of_command(error)),
            }
        }
        self.commands.refresh_directory().await?;
        Ok(())
    }
}

async fn keep_link(database: impl PgExecutor<'_>, token: &str) -> Result<(), sqlx::Error> {
    let statement = "insert into setup_links (token_hash) values ($1)";
    sqlx::query(statement).bind(tokens::hash(token)).execute(database).await.map(drop)
}
