//! Everybody's identity and what every role gives, up to the newest event of the log.
//!
//! Does not know any secret, nor how somebody proves who they are.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{PoisonError, RwLock, RwLockReadGuard},
};

use domain::{
    aggregate::Aggregate,
    identity::{
        principal::{Event, Identity, Principal, Standing},
        role::RoleDefinition,
    },
    values::{ApiKeyId, BlindIndex, PrincipalId, RoleName, Website},
};
use event_store::{Filter, Page, RecordError, StoreError, StoredEvent};
use tokio::sync::Mutex;

use super::unfolded;
use crate::{
    execute::Commands,
    lane,
    policy::{Permission, PermissionSet, Role},
};

/// What is folded.
const CATEGORIES: [&str; 2] = [Principal::CATEGORY, RoleDefinition::CATEGORY];

/// The directory, and who brings it up to date.
#[derive(Default)]
pub(super) struct Kept {
    directory: RwLock<Directory>,
    /// Held while the log is read: one at a time folds.
    folding: Mutex<()>,
}

/// Everybody, as far as the log has been folded.
#[derive(Default)]
pub struct Directory {
    folded_to: u64,
    principals: HashMap<PrincipalId, Principal>,
    roles: HashMap<RoleName, RoleDefinition>,
    by_api_key: HashMap<ApiKeyId, PrincipalId>,
    by_email: HashMap<BlindIndex, PrincipalId>,
    by_subject: HashMap<(Website, BlindIndex), PrincipalId>,
}

impl Commands {
    /// Brings the directory up to the newest event of the log.
    pub async fn refresh_directory(&self) -> Result<(), StoreError> {
        let kept = &self.rooms.ledger.directory;
        let _folding = kept.folding.lock().await;
        if self.directory().folded_to == 0 {
            self.begin_directory().await?;
        }
        let categories = CATEGORIES.map(str::to_owned).to_vec();
        let filter = Filter { categories, ..Filter::default() };
        let mut after = self.directory().folded_to;
        while let Some(page) = unfolded(&self.store, &filter, after).await? {
            after = self.fold_directory(page)?;
        }
        Ok(())
    }

    /// Folds what there is up to now stream by stream, so that a start need not look through the
    /// whole log.
    async fn begin_directory(&self) -> Result<(), StoreError> {
        // First the head: whatever is named up to it is in a stream that is there now.
        let head = self.store.head().await?.position;
        let mut streams = Vec::new();
        for category in CATEGORIES {
            streams.extend(self.store.streams_of(category).await?);
        }
        let filter = Filter { streams, ..Filter::default() };
        let mut after = 0;
        while after < head && !filter.streams.is_empty() {
            let Some(mut page) = unfolded(&self.store, &filter, after).await? else { break };
            page.events.retain(|event| event.position <= head);
            page.scanned_to = page.scanned_to.min(head);
            after = self.fold_directory(page)?;
        }
        self.fold_directory(Page { events: Vec::new(), scanned_to: head }).map(drop)
    }

    /// Folds a page, and says how far the directory goes then.
    fn fold_directory(&self, page: Page) -> Result<u64, StoreError> {
        let kept = &self.rooms.ledger.directory;
        let mut directory = kept.directory.write().unwrap_or_else(PoisonError::into_inner);
        for event in &page.events {
            directory.fold(event)?;
            directory.folded_to = event.position;
        }
        directory.folded_to = page.scanned_to;
        Ok(directory.folded_to)
    }

    /// The directory as it is in memory: [`Commands::refresh_directory`] brings it up to date. Not
    /// to be held while anything is awaited.
    pub fn directory(&self) -> RwLockReadGuard<'_, Directory> {
        let kept = &self.rooms.ledger.directory;
        kept.directory.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Directory {
    /// What is known of a principal; none when there never was one.
    pub fn identity(&self, id: &PrincipalId) -> Option<&Identity> {
        self.principals.get(id).and_then(Principal::identity)
    }

    /// Everybody there ever was, in no order.
    pub fn identities(&self) -> impl Iterator<Item = (&PrincipalId, &Identity)> {
        self.principals.iter().filter_map(|(id, principal)| Some((id, principal.identity()?)))
    }

    /// Who has the mail address; nobody once they are closed.
    pub fn by_email(&self, index: &BlindIndex) -> Option<&PrincipalId> {
        self.by_email.get(index)
    }

    /// Who is linked to an issuer's subject; nobody once they are closed.
    pub fn by_subject(&self, issuer: &Website, index: &BlindIndex) -> Option<&PrincipalId> {
        self.by_subject.get(&(issuer.clone(), *index))
    }

    /// Whose API key it is; nobody's once it is revoked.
    pub fn by_api_key(&self, key: &ApiKeyId) -> Option<&PrincipalId> {
        self.by_api_key.get(key)
    }

    /// What a role gives; none when there is no such role.
    pub fn role(&self, name: &RoleName) -> Option<PermissionSet> {
        match Role::named(name.as_str()) {
            Some(role) => Some(role.permissions()),
            None => {
                let definition = self.roles.get(name)?.definition()?;
                Some(PermissionSet::named(&definition.permissions))
            }
        }
    }

    /// The roles that were defined here and are not retired, in no order.
    pub fn defined_roles(&self) -> impl Iterator<Item = (&RoleName, &RoleDefinition)> {
        self.roles.iter().filter(|(_, role)| role.definition().is_some())
    }

    /// What a principal may do through all its roles; nothing unless it is active, locked or not.
    pub fn permissions(&self, id: &PrincipalId) -> PermissionSet {
        self.identity(id)
            .filter(|identity| identity.standing == Standing::Active)
            .map(|identity| self.permissions_of(identity))
            .unwrap_or_default()
    }

    fn permissions_of(&self, identity: &Identity) -> PermissionSet {
        let given = identity.roles.iter().filter_map(|role| self.role(role));
        given.fold(PermissionSet::default(), PermissionSet::union)
    }

    /// The roles that let their holder grant roles.
    pub(crate) fn guardian_roles(&self) -> BTreeSet<RoleName> {
        let built_in = Role::ALL.iter().filter_map(|role| role.as_str().parse().ok());
        let defined = self.defined_roles().map(|(name, _)| name.clone());
        let guards = |name: &RoleName| {
            self.role(name).is_some_and(|given| given.holds(Permission::IdentityGrant))
        };
        built_in.chain(defined).filter(guards).collect()
    }

    /// Who is active and holds one of these roles.
    fn active_holders(&self, roles: &BTreeSet<RoleName>) -> impl Iterator<Item = &PrincipalId> {
        let holds = |(_, identity): &(&PrincipalId, &Identity)| {
            identity.standing == Standing::Active && !identity.roles.is_disjoint(roles)
        };
        self.identities().filter(holds).map(|(id, _)| id)
    }

    /// Whether anybody active may grant roles.
    pub fn is_guarded(&self) -> bool {
        self.active_holders(&self.guardian_roles()).next().is_some()
    }

    /// How many active principals but one hold one of these roles.
    pub(crate) fn holders_but(&self, id: &PrincipalId, roles: &BTreeSet<RoleName>) -> u32 {
        let others = self.active_holders(roles).filter(|other| *other != id);
        u32::try_from(others.count()).unwrap_or(u32::MAX)
    }

    /// How many principals that are not closed hold a role.
    pub(crate) fn holders(&self, role: &RoleName) -> u32 {
        let holds = |(_, identity): &(&PrincipalId, &Identity)| {
            identity.standing != Standing::Closed && identity.roles.contains(role)
        };
        u32::try_from(self.identities().filter(holds).count()).unwrap_or(u32::MAX)
    }

    fn fold(&mut self, stored: &StoredEvent) -> Result<(), StoreError> {
        let position = stored.position;
        let unreadable = |error: String| {
            let reason = RecordError::Malformed(error);
            StoreError::Unreadable { position, reason }
        };
        let id = stored.stream.id();
        if stored.stream.category() == RoleDefinition::CATEGORY {
            let name: RoleName = id.parse().map_err(|error| unreadable(format!("{error}")))?;
            self.roles.entry(name).or_default().evolve(&lane::read(stored)?);
            return Ok(());
        }
        let id: PrincipalId = id.parse().map_err(|error| unreadable(format!("{error}")))?;
        let event: Event = lane::read(stored)?;
        self.principals.entry(id.clone()).or_default().evolve(&event);
        self.index(id, &event);
        Ok(())
    }

    fn index(&mut self, id: PrincipalId, event: &Event) {
        match event {
            Event::PrincipalInvited(data) => {
                self.by_email.insert(data.email_index, id);
            }
            Event::OidcLinked(data) => {
                self.by_subject.insert((data.issuer.clone(), data.subject_index), id);
            }
            Event::ApiKeyIssued(data) => {
                self.by_api_key.insert(data.key.clone(), id);
            }
            Event::ApiKeyRevoked(data) => {
                self.by_api_key.remove(&data.key);
            }
            // Whoever comes again with the same address is somebody new.
            Event::PrincipalClosed(_) => {
                self.by_email.retain(|_, owner| *owner != id);
                self.by_subject.retain(|_, owner| *owner != id);
                self.by_api_key.retain(|_, owner| *owner != id);
            }
            Event::PrincipalRegistered(_)
            | Event::EmailVerified(_)
            | Event::PasswordChanged(_)
            | Event::PasswordResetRequested(_)
            | Event::RoleGranted(_)
            | Event::RoleRevoked(_)
            | Event::PrincipalSuspended(_)
            | Event::PrincipalReactivated(_)
            | Event::PrincipalLocked(_)
            | Event::PrincipalUnlocked(_)
            | Event::LoginFailed(_)
            | Event::SessionStarted(_)
            | Event::SessionRevoked(_)
            | Event::RefreshReuseDetected(_)
            | Event::MfaEnrolled(_)
            | Event::MfaRemoved(_)
            | Event::LegalHoldLaid(_)
            | Event::LegalHoldLifted(_)
            | Event::PersonalDataErased(_)
            | Event::SubjectKeyDestroyed(_) => {}
        }
    }
}
