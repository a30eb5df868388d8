//! Whether a header can be trusted because an earlier one is: CometBFT's light client rules.
//!
//! Does not know how the earlier one came to be trusted.

use std::time::Duration;

use tendermint::{Time, block, chain};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict as TmVerdict, Verifier as _,
    errors::VerificationErrorDetail as Detail,
    options::Options as TmOptions,
    types::{TrustThreshold, TrustedBlockState, UntrustedBlockState},
};

use super::{Fault, SignedHeader, Tally, ValidatorSet, verify_commit};
use crate::values::{ChainId, Hash, Height, Moment};

/// By how much a header's time may be ahead of ours, in seconds.
pub const CLOCK_DRIFT_S: u32 = 10;

/// What a header is verified against.
#[derive(Clone, Debug)]
pub struct Trusted<'a> {
    /// The chain.
    pub chain_id: &'a ChainId,
    /// The trusted header's height.
    pub height: Height,
    /// Its time.
    pub time: Moment,
    /// What its time has below a microsecond, in nanoseconds.
    pub time_nanos: u16,
    /// The hash it announces the next set by.
    pub next_validators_hash: Hash,
    /// That set; needed only for headers that are not the very next.
    pub next_validators: Option<&'a ValidatorSet>,
}

/// How long trust lasts, and how far clocks may be apart.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// For how many seconds after its time a header can be relied on.
    pub trusting_period_s: u64,
    /// By how many seconds a header's time may be ahead of ours.
    pub clock_drift_s: u32,
}

/// What became of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It can be trusted.
    Trusted(Tally),
    /// Too little of the trusted set's power signed it to tell: headers between must come first.
    NotEnoughTrust {
        /// The trusted set's power that signed.
        signed: u64,
        /// The trusted set's power.
        total: u64,
    },
    /// It cannot.
    Refused(Fault),
}

/// Verifies `signed`, with the `set` that signs it and, if at hand, the `next` one, against a
/// trusted header: one that is the very next must be signed by more than two thirds of the
/// announced set; one further ahead also by more than one third of it; and in both cases the commit
/// passes [`verify_commit`].
pub fn verify(
    signed: &SignedHeader,
    set: &ValidatorSet,
    next: Option<&ValidatorSet>,
    trusted: &Trusted<'_>,
    options: Options,
    now: Moment,
) -> Verdict {
    let refused = |fault| Verdict::Refused(fault);
    match light_client_verdict(signed, set, next, trusted, options, now) {
        Err(fault) => refused(fault),
        Ok(TmVerdict::Success) => verify_commit(signed, set).map_or_else(refused, Verdict::Trusted),
        Ok(TmVerdict::NotEnoughTrust(tally)) => {
            Verdict::NotEnoughTrust { signed: tally.tallied, total: tally.total }
        }
        // What is wrong with the commit itself is said in our own words.
        Ok(TmVerdict::Invalid(detail)) => match verify_commit(signed, set) {
            Err(fault) => refused(fault),
            Ok(_) => refused(in_our_words(&detail, signed, next, trusted, options, now)),
        },
    }
}

fn light_client_verdict(
    signed: &SignedHeader,
    set: &ValidatorSet,
    next: Option<&ValidatorSet>,
    trusted: &Trusted<'_>,
    options: Options,
    now: Moment,
) -> Result<TmVerdict, Fault> {
    let unverifiable = |sentence: String| Fault::Unverifiable { sentence };
    let adjacent = trusted.height.next() == Some(signed.height());
    // The very next header is checked against the announced hash alone.
    let next_validators = match trusted.next_validators {
        Some(known) => known,
        None if adjacent => set,
        None => {
            let sentence = format!(
                "the validator set {} announced at height {} is not known",
                trusted.next_validators_hash, trusted.height
            );
            return Err(unverifiable(sentence));
        }
    };
    let chain_id: chain::Id = trusted
        .chain_id
        .as_str()
        .parse()
        .map_err(|fault: tendermint::Error| unverifiable(fault.to_string()))?;
    let height = block::Height::try_from(trusted.height.value())
        .map_err(|fault| unverifiable(fault.to_string()))?;
    let state = TrustedBlockState {
        chain_id: &chain_id,
        header_time: time(trusted.time, trusted.time_nanos)?,
        height,
        next_validators: next_validators.set(),
        next_validators_hash: tendermint::Hash::Sha256(*trusted.next_validators_hash.as_bytes()),
    };
    let untrusted = UntrustedBlockState {
        signed_header: signed.signed(),
        validators: set.set(),
        next_validators: next.map(ValidatorSet::set),
    };
    let limits = TmOptions {
        trust_threshold: TrustThreshold::ONE_THIRD,
        trusting_period: Duration::from_secs(options.trusting_period_s),
        clock_drift: Duration::from_secs(u64::from(options.clock_drift_s)),
    };
    let verifier = ProdVerifier::default();
    Ok(verifier.verify_update_header(untrusted, state, &limits, time(now, 0)?))
}

fn time(moment: Moment, nanos_below: u16) -> Result<Time, Fault> {
    let micros = moment.micros();
    let nanos = micros.rem_euclid(1_000_000) * 1_000 + i64::from(nanos_below);
    let nanos = u32::try_from(nanos).unwrap_or(0);
    Time::from_unix_timestamp(micros.div_euclid(1_000_000), nanos)
        .map_err(|fault| Fault::Unverifiable { sentence: fault.to_string() })
}

/// The verifier's reason, when the commit itself was found good.
fn in_our_words(
    detail: &Detail,
    signed: &SignedHeader,
    next: Option<&ValidatorSet>,
    trusted: &Trusted<'_>,
    options: Options,
    now: Moment,
) -> Fault {
    let named = signed.next_validators_hash();
    if let Some(given) = next.filter(|given| given.hash() != named) {
        return Fault::NextValidatorSetMismatch { expected: named, found: given.hash() };
    }
    if let Detail::NotWithinTrustPeriod(_) = detail {
        let expired = trusted.time.plus_seconds(options.trusting_period_s);
        return Fault::TrustExpired { expired, now };
    }
    if let Detail::NonMonotonicBftTime(_) = detail {
        return Fault::TimeNotLater { found: signed.time(), trusted: trusted.time };
    }
    if let Detail::ChainIdMismatch(_) = detail {
        let (expected, found) = (trusted.chain_id.clone(), signed.chain_id().clone());
        return Fault::ChainMismatch { expected, found };
    }
    if let Detail::NonIncreasingHeight(_) = detail {
        return Fault::HeightNotLater { found: signed.height(), trusted: trusted.height };
    }
    if let Detail::InvalidNextValidatorSet(_) = detail {
        let (expected, found) = (trusted.next_validators_hash, signed.validators_hash());
        return Fault::SetNotAnnounced { expected, found };
    }
    if let Detail::HeaderFromTheFuture(_) = detail {
        let drift_s = options.clock_drift_s;
        return Fault::FromTheFuture { drift_s, found: signed.time(), now };
    }
    Fault::Unverifiable { sentence: detail.to_string() }
}
