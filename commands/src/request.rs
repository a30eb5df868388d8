//! What a request carries besides its command, and what it leaves behind.
//!
//! Does not know how the request arrived.

use std::sync::Arc;

use chrono::Utc;
use domain::values::{Moment, PrincipalId};
use event_store::{CommandDigest, CommandId, RecordError, StreamName, canonical};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::policy::{Permission, PermissionSet, Role};

/// The longest idempotency key in bytes.
pub const IDEMPOTENCY_KEY_BYTES_MAX: usize = 128;

/// Who asks, and what they may do.
#[derive(Clone, Debug, PartialEq)]
pub struct Actor {
    /// The name that stands in every event this actor causes.
    pub name: Arc<str>,
    /// All they may do at the time of the request.
    pub permissions: PermissionSet,
    /// The principal that asks; none for the program itself.
    pub principal: Option<PrincipalId>,
}

impl Actor {
    /// The program itself, under a name, with what one role gives.
    pub fn new(name: &str, role: Role) -> Actor {
        Actor { name: Arc::from(name), permissions: role.permissions(), principal: None }
    }

    /// The program itself, which does for a principal what that one has proved it wants.
    pub fn on_behalf_of(principal: &PrincipalId) -> Actor {
        let name = Arc::from(principal.as_str());
        Actor { name, permissions: PermissionSet::all(), principal: None }
    }

    /// A principal, with all that it may do.
    pub fn principal(principal: PrincipalId, permissions: PermissionSet) -> Actor {
        let name = Arc::from(principal.as_str());
        Actor { name, permissions, principal: Some(principal) }
    }

    /// Whether what is this one's own is not theirs: a validator's service has to do with its own
    /// validator only.
    pub fn is_kept_from(&self, owner: &PrincipalId) -> bool {
        self.principal.as_ref().is_some_and(|id| id.validator().is_some() && id != owner)
    }

    /// Whether they may.
    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.holds(permission)
    }
}

/// What surrounds a command: who, why, caused by what, and on which conditions.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// Who asks.
    pub actor: Actor,
    /// Makes the request repeatable: the same key of the same actor with the same content is done
    /// once.
    pub idempotency_key: Option<Arc<str>>,
    /// The event that caused the request.
    pub causation: Option<Uuid>,
    /// What all requests of one story share.
    pub correlation: Uuid,
    /// Why, in the actor's words.
    pub reason: Option<Arc<str>>,
    /// The version the stream must have; anything else is refused as stale.
    pub expected_version: Option<u64>,
    /// Decide, but append nothing.
    pub dry_run: bool,
    /// When the request was made.
    pub at: Moment,
}

impl RequestContext {
    /// A request of this actor, made now, without key or condition.
    pub fn new(actor: Actor) -> RequestContext {
        RequestContext {
            actor,
            idempotency_key: None,
            causation: None,
            correlation: Uuid::now_v7(),
            reason: None,
            expected_version: None,
            dry_run: false,
            at: Moment::from(Utc::now()),
        }
    }

    /// The same request under an idempotency key.
    pub fn with_key(mut self, key: &str) -> RequestContext {
        self.idempotency_key = Some(Arc::from(key));
        self
    }

    /// The id the request is stored under: bound to actor and key, or fresh when there is no key.
    pub(crate) fn command_id(&self) -> CommandId {
        match &self.idempotency_key {
            None => CommandId::fresh(),
            Some(key) => CommandId::from_key(&self.actor.name, key),
        }
    }
}

/// What a request's key is bound to: the stream and the canonical command.
pub(crate) fn digest(
    stream: &StreamName,
    command: &impl Serialize,
) -> Result<CommandDigest, RecordError> {
    Ok(CommandDigest::of(stream, &canonical::to_string(command)?))
}

/// An event of an outcome.
#[derive(Clone, Debug, Serialize)]
pub struct OutcomeEvent {
    /// Absent in a dry run: nothing was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Uuid>,
    /// The stored name with its version.
    #[serde(rename = "type")]
    pub event_type: String,
    /// The event's version in its stream.
    pub version: u64,
    /// The event's data, canonical JSON.
    pub data: Box<RawValue>,
}

/// What a request left behind.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The stream it spoke to.
    pub stream: StreamName,
    /// The stream's version after it.
    pub version: u64,
    /// The position of its last event; none when nothing was appended.
    pub position: Option<u64>,
    /// The id it is stored under; ask by it when an answer got lost.
    pub command_id: CommandId,
    /// The facts, in order.
    pub events: Vec<OutcomeEvent>,
    /// True when the same request had been done before, and this is its first answer again.
    pub repeated: bool,
    /// True when nothing was meant to be appended.
    pub dry_run: bool,
}
