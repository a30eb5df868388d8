//! Who there is, with which roles, sessions and keys: out of the directory, so that it is never
//! behind what counts.
//!
//! Does not show what is personal: an id names nobody.

use ::projections::{PageOf, PageRequest};
use chrono::Utc;
use commands::{PermissionSet, Role};
use domain::{
    identity::principal::{Identity, Kind as PrincipalKind, Principal, StandingName},
    values::{ApiKeyId, Moment, PermissionName, PrincipalId, RoleName, SessionId},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Identities, normalised};
use crate::{graphql::Component, problem::Problem};

/// The list of principals, as its cursors name it.
const PRINCIPALS: &str = "principals";

/// A person or a service.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Principal)]
pub struct PrincipalView {
    /// How many API keys it has that have not expired.
    pub api_keys: usize,
    /// Whether it is known to read its mail.
    pub email_verified: bool,
    /// Whether its personal data are erased, or about to be.
    pub erased: bool,
    /// The failed logins in a row.
    pub failed_logins: u32,
    /// A person or a service.
    pub kind: PrincipalKind,
    /// Whether a legal hold keeps its personal data from being erased.
    pub legal_hold: bool,
    /// Who.
    pub principal: PrincipalId,
    /// The roles it holds.
    pub roles: Vec<RoleName>,
    /// Whether its logins need a one-time code.
    pub second_factor: bool,
    /// How many sessions it has open.
    pub sessions: usize,
    /// What it is now.
    pub standing: StandingName,
}

impl Component for PrincipalView {
    const SCHEMA: &'static str = "Principal";
}

/// An open session.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionView {
    /// When it ends by itself.
    pub expires_at: Moment,
    /// Which.
    pub session: SessionId,
}

/// An API key that was not revoked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ApiKey)]
pub struct ApiKeyView {
    /// When it ends by itself.
    pub expires_at: Moment,
    /// Which, by its public half.
    pub key: ApiKeyId,
    /// What it is limited to.
    pub scopes: Vec<PermissionName>,
}

/// A role.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Role)]
pub struct RoleView {
    /// Whether it is part of the program.
    pub built_in: bool,
    /// What it is for; null for one that is built in.
    pub description: Option<String>,
    /// What its holders may do.
    pub permissions: Vec<PermissionName>,
    /// Its name.
    pub role: RoleName,
}

/// Which principals are wanted; all when nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only who has this mail address.
    pub email: Option<String>,
    /// Only who holds this role.
    pub role: Option<RoleName>,
    /// Only who is this now.
    pub standing: Option<StandingName>,
}

impl Identities {
    /// A page of the principals, in the order of their ids.
    pub async fn principals(
        &self,
        wanted: &Wanted,
        page: &PageRequest,
    ) -> Result<PageOf<PrincipalView>, Problem> {
        let index = match &wanted.email {
            Some(email) => {
                let wrong =
                    |problem: Problem| Problem::invalid_parameter("email", problem.detail());
                let email = normalised(email).map_err(wrong)?;
                Some(self.secrets.vault.index("email", &email))
            }
            None => None,
        };
        self.commands.refresh_directory().await?;
        let now = Moment::from(Utc::now());
        let mut found: Vec<(String, PrincipalView)> = {
            let directory = self.commands.directory();
            let all = directory.identities();
            all.filter(|(_, one)| index.is_none_or(|index| one.email_index == Some(index)))
                .filter(|(_, one)| wanted.role.iter().all(|role| one.roles.contains(role)))
                .map(|(id, one)| (id.to_string(), seen(id, one, now)))
                .filter(|(_, one)| wanted.standing.is_none_or(|is| one.standing == is))
                .collect()
        };
        found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let cut = page.cut(PRINCIPALS, found);
        cut.map_err(|error| Problem::invalid_parameter("after", error.to_string()))
    }

    /// One principal; none when there never was one of this id.
    pub async fn principal(&self, id: &PrincipalId) -> Result<Option<PrincipalView>, Problem> {
        let now = Moment::from(Utc::now());
        Ok(self.with(id, |identity| seen(id, identity, now)).await?)
    }

    /// The same as of a position of the log, at a moment.
    pub async fn principal_as_of(
        &self,
        id: &PrincipalId,
        position: u64,
        at: Moment,
    ) -> Result<Option<PrincipalView>, Problem> {
        let then = self.commands.as_of(position).aggregate::<Principal>(id).await?;
        Ok(then.and_then(|(then, _)| then.identity().map(|identity| seen(id, identity, at))))
    }

    /// The open sessions of a principal, the one that lasts longest first.
    pub async fn sessions(&self, id: &PrincipalId) -> Result<Option<Vec<SessionView>>, Problem> {
        let now = Moment::from(Utc::now());
        let open = self.with(id, |identity| {
            let open = identity.sessions_at(now);
            let mut open: Vec<SessionView> = open
                .map(|(session, expires_at)| SessionView { expires_at, session: session.clone() })
                .collect();
            open.sort_unstable_by_key(|one| std::cmp::Reverse(one.expires_at));
            open
        });
        Ok(open.await?)
    }

    /// The API keys of a principal that were not revoked, in the order of their names.
    pub async fn api_keys(&self, id: &PrincipalId) -> Result<Option<Vec<ApiKeyView>>, Problem> {
        let keys = self.with(id, |identity| {
            let keys = identity.api_keys.iter().map(|(key, known)| ApiKeyView {
                expires_at: known.expires_at,
                key: key.clone(),
                scopes: known.scopes.clone(),
            });
            keys.collect()
        });
        Ok(keys.await?)
    }

    /// All roles: those that are built in, then those that were defined here, by name.
    pub async fn roles(&self) -> Result<Vec<RoleView>, Problem> {
        let names = |set: PermissionSet| set.names().into_iter().collect();
        let mut roles = Vec::new();
        for role in Role::ALL {
            roles.push(RoleView {
                built_in: true,
                description: None,
                permissions: names(role.permissions()),
                role: role.as_str().parse().map_err(Problem::internal)?,
            });
        }
        self.commands.refresh_directory().await?;
        let directory = self.commands.directory();
        let mut defined: Vec<RoleView> = directory
            .defined_roles()
            .filter_map(|(name, role)| {
                let definition = role.definition()?;
                Some(RoleView {
                    built_in: false,
                    description: Some(definition.description.to_string()),
                    permissions: definition.permissions.iter().cloned().collect(),
                    role: name.clone(),
                })
            })
            .collect();
        defined.sort_unstable_by(|one, other| one.role.cmp(&other.role));
        roles.append(&mut defined);
        Ok(roles)
    }

    async fn with<T>(
        &self,
        id: &PrincipalId,
        look: impl FnOnce(&Identity) -> T,
    ) -> Result<Option<T>, event_store::StoreError> {
        self.commands.refresh_directory().await?;
        Ok(self.commands.directory().identity(id).map(look))
    }
}

fn seen(id: &PrincipalId, identity: &Identity, now: Moment) -> PrincipalView {
    PrincipalView {
        api_keys: identity.api_keys_at(now),
        email_verified: identity.email_verified,
        erased: identity.erased,
        failed_logins: identity.failures,
        kind: identity.kind,
        legal_hold: identity.held,
        principal: id.clone(),
        roles: identity.roles.iter().cloned().collect(),
        second_factor: identity.mfa.is_some(),
        sessions: identity.sessions_at(now).count(),
        standing: identity.standing_at(now),
    }
}
