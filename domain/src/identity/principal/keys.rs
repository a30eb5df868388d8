//! API keys: less than their owner's rights, never more, and not for ever.
//!
//! Does not know a key: the row that a fingerprint names holds its hash.

use std::collections::BTreeSet;

use super::{
    API_KEY_S_MAX, API_KEYS_MAX, ApiKeyIssued, ApiKeyRevoked, Event, Identity, Known, Refusal,
    SCOPES_MAX, decide::active,
};
use crate::values::{ApiKeyId, Hash, Label, Moment, PermissionName, Reason};

/// A key that is asked for.
pub(super) struct Wanted<'a> {
    pub expires_at: Moment,
    pub key: &'a ApiKeyId,
    pub label: &'a Label,
    pub scopes: &'a [PermissionName],
    pub verifier: Hash,
}

/// Refuses an end that is not after now, or more than `seconds_max` away.
pub(super) fn within(expires_at: Moment, seconds_max: u64, known: &Known) -> Result<(), Refusal> {
    let (latest, now) = (known.now.plus_seconds(seconds_max), known.now);
    if expires_at <= now || expires_at > latest {
        return Err(Refusal::ExpiryOutside { expires_at, latest, now });
    }
    Ok(())
}

pub(super) fn issue(
    identity: &Identity,
    wanted: &Wanted<'_>,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    active(identity, "be issued an API key", known)?;
    let key = wanted.key.clone();
    if identity.api_keys.contains_key(&key) {
        return Err(Refusal::ApiKeyKnown { key });
    }
    if identity.api_keys_at(known.now) >= API_KEYS_MAX {
        return Err(Refusal::ApiKeysExhausted { maximum: API_KEYS_MAX });
    }
    within(wanted.expires_at, API_KEY_S_MAX, known)?;
    let scopes: BTreeSet<PermissionName> = wanted.scopes.iter().cloned().collect();
    if !(1..=SCOPES_MAX).contains(&scopes.len()) {
        return Err(Refusal::ScopesOutside { found: scopes.len(), maximum: SCOPES_MAX });
    }
    if let Some(scope) = scopes.difference(&known.permissions).next() {
        return Err(Refusal::ScopeBeyondOwner { scope: scope.clone() });
    }
    if let Some(scope) = scopes.difference(&known.actor_permissions).next() {
        return Err(Refusal::ScopeBeyondOwn { scope: scope.clone() });
    }
    Ok(vec![Event::ApiKeyIssued(ApiKeyIssued {
        expires_at: wanted.expires_at,
        issued_at: known.now,
        key,
        label: wanted.label.clone(),
        scopes: scopes.into_iter().collect(),
        verifier: wanted.verifier,
    })])
}

pub(super) fn revoke(
    identity: &Identity,
    key: &ApiKeyId,
    reason: &Reason,
) -> Result<Vec<Event>, Refusal> {
    if !identity.api_keys.contains_key(key) {
        return Err(Refusal::ApiKeyUnknown { key: key.clone() });
    }
    let (key, reason) = (key.clone(), reason.clone());
    Ok(vec![Event::ApiKeyRevoked(ApiKeyRevoked { key, reason })])
}
