//! What can be wrong with a signed header.
//!
//! Does not know what follows from it.

use serde::{Deserialize, Serialize};

use crate::values::{Address, ChainId, Hash, Height, Moment};

/// Why a header cannot be trusted. Powers are decimal strings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = HeaderFault))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Fault {
    #[error("the header's hash is {computed}, the commit is for {named}")]
    HeaderHashMismatch { computed: Hash, named: Hash },
    #[error("the header names the validator set {expected}, the one given has the hash {found}")]
    ValidatorSetMismatch { expected: Hash, found: Hash },
    #[error(
        "the header names the next validator set {expected}, the one given has the hash {found}"
    )]
    NextValidatorSetMismatch { expected: Hash, found: Hash },
    #[error("the header before names the validator set {expected}, this one names {found}")]
    SetNotAnnounced { expected: Hash, found: Hash },
    #[error("the commit has {signatures} entries for {validators} validators")]
    SignatureCountMismatch { signatures: u32, validators: u32 },
    #[error("entry {index} of the commit is by {found}, the set has {expected} there")]
    SignatureOutOfOrder { expected: Address, found: Address, index: u32 },
    #[error("entry {index} of the commit has no signature")]
    SignatureMissing { index: u32, validator: Address },
    #[error("the signature of {validator}, entry {index} of the commit, does not verify")]
    SignatureInvalid { index: u32, validator: Address },
    #[error("{signed} of {total} power signed, not more than two thirds")]
    QuorumMissing { signed: String, total: String },
    #[error("the header is of chain {found}, not of {expected}")]
    ChainMismatch { expected: ChainId, found: ChainId },
    #[error("height {found} is not after the trusted height {trusted}")]
    HeightNotLater { found: Height, trusted: Height },
    #[error("time {found} is not after the trusted header's {trusted}")]
    TimeNotLater { found: Moment, trusted: Moment },
    #[error("the trusted header could be relied on until {expired}; it is {now}")]
    TrustExpired { expired: Moment, now: Moment },
    #[error("time {found} is more than {drift_s} seconds ahead of {now}")]
    FromTheFuture { drift_s: u32, found: Moment, now: Moment },
    #[error("{sentence}")]
    Unverifiable { sentence: String },
}

impl Fault {
    /// The stable machine-readable code.
    pub fn code(&self) -> &'static str {
        match self {
            Fault::HeaderHashMismatch { .. } => "header-hash-mismatch",
            Fault::ValidatorSetMismatch { .. } => "validator-set-mismatch",
            Fault::NextValidatorSetMismatch { .. } => "next-validator-set-mismatch",
            Fault::SetNotAnnounced { .. } => "set-not-announced",
            Fault::SignatureCountMismatch { .. } => "signature-count-mismatch",
            Fault::SignatureOutOfOrder { .. } => "signature-out-of-order",
            Fault::SignatureMissing { .. } => "signature-missing",
            Fault::SignatureInvalid { .. } => "signature-invalid",
            Fault::QuorumMissing { .. } => "quorum-missing",
            Fault::ChainMismatch { .. } => "chain-mismatch",
            Fault::HeightNotLater { .. } => "height-not-later",
            Fault::TimeNotLater { .. } => "time-not-later",
            Fault::TrustExpired { .. } => "trust-expired",
            Fault::FromTheFuture { .. } => "from-the-future",
            Fault::Unverifiable { .. } => "unverifiable",
        }
    }

    /// Whether the fault is the header's own. Otherwise it is in what came with the header or in
    /// the circumstances, and the same header may be found good later.
    pub fn is_headers_own(&self) -> bool {
        match self {
            Fault::HeaderHashMismatch { .. }
            | Fault::SetNotAnnounced { .. }
            | Fault::SignatureCountMismatch { .. }
            | Fault::SignatureOutOfOrder { .. }
            | Fault::SignatureMissing { .. }
            | Fault::SignatureInvalid { .. }
            | Fault::QuorumMissing { .. }
            | Fault::TimeNotLater { .. } => true,
            Fault::ValidatorSetMismatch { .. }
            | Fault::NextValidatorSetMismatch { .. }
            | Fault::ChainMismatch { .. }
            | Fault::HeightNotLater { .. }
            | Fault::TrustExpired { .. }
            | Fault::FromTheFuture { .. }
            | Fault::Unverifiable { .. } => false,
        }
    }
}
