//! Why a command to a peer was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use crate::{
    aggregate,
    values::{Address, Moment, PeerId},
};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PeerRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the peer {peer} has not announced itself")]
    NotAnnounced { peer: PeerId },
    #[error("there is no validator {address}")]
    ValidatorUnknown { address: Address },
    #[error("the peer is banned")]
    Banned { until: Option<Moment> },
    #[error("the peer {peer} is not banned")]
    NotBanned { peer: PeerId },
    #[error("{until} is not after {now} and at most {latest}")]
    BanOutside { latest: Moment, now: Moment, until: Moment },
    #[error("the peer was heard of at {last_seen}, and is stale from {stale_at} on")]
    NotStale { last_seen: Moment, stale_at: Moment },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::NotAnnounced { .. } => "not-announced",
            Refusal::ValidatorUnknown { .. } => "validator-unknown",
            Refusal::Banned { .. } => "banned",
            Refusal::NotBanned { .. } => "not-banned",
            Refusal::BanOutside { .. } => "ban-outside",
            Refusal::NotStale { .. } => "not-stale",
        }
    }
}
