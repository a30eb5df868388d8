//! How headers of a foreign chain are taken in.
//!
//! Does not verify signatures itself: that is [`crate::light`]'s.

use super::{
    Chain, EPOCH_HEADERS_LIMIT, Event, HEADER_RECORD_BYTES_MAX, Head, HeaderObserved,
    HeaderRejected, Known, ObservationStarted, Observed, REJECTIONS_MAX, Refusal, Verification,
    decide::{expires, observed, opened},
};
use crate::{
    aggregate::Aggregate as _,
    light::{
        CLOCK_DRIFT_S, Fault, LightBlock, Options, SignedHeader, Tally, Trusted, ValidatorSet,
        Verdict, verify, verify_commit,
    },
    values::{Epoch, Hash, Power},
};

/// A header as it was handed in.
pub(super) struct Given<'a> {
    pub header: &'a SignedHeader,
    pub set: Option<&'a ValidatorSet>,
    pub next: Option<&'a ValidatorSet>,
}

impl Given<'_> {
    fn invalid(&self, fault: Fault) -> Refusal {
        let (hash, height) = (self.header.hash(), self.header.height());
        Refusal::HeaderInvalid { fault, hash, height }
    }
}

/// Begins an observation from an anchor that is trusted without proof, but must be a good header.
pub(super) fn start(
    chain: &Chain,
    anchor: &LightBlock,
    epoch_headers: u32,
    trusting_period_s: u32,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let header = &anchor.signed_header;
    let (height, hash) = (header.height(), header.hash());
    for (option, found, most) in [
        ("epoch_headers", epoch_headers, EPOCH_HEADERS_LIMIT),
        ("trusting_period_s", trusting_period_s, u32::MAX),
    ] {
        if found == 0 || found > most {
            return Err(Refusal::OptionOutOfRange { found, least: 1, most, option });
        }
    }
    check_stream(header, height.epoch(epoch_headers), known)?;
    match chain {
        Chain::Unbegun => {}
        Chain::Observed(begun)
            if begun.hashes.get(&height) == Some(&hash)
                && begun.epoch_headers == epoch_headers
                && begun.trusting_period_s == trusting_period_s =>
        {
            return Ok(Vec::new());
        }
        Chain::Native(_) | Chain::Observed(_) => return Err(Refusal::BegunAlready),
    }
    let set = anchor.validator_set.as_ref();
    let set = set.ok_or(Refusal::ValidatorSetMissing { hash: header.validators_hash() })?;
    let tally = check_anchor(anchor, set, trusting_period_s, known)?;
    let started = ObservationStarted {
        chain_id: header.chain_id().clone(),
        epoch_headers,
        hash,
        height,
        trusting_period_s,
        validator_set: set.clone(),
    };
    let started = Event::ObservationStarted(Box::new(started));
    let mut begun = Chain::Unbegun;
    begun.evolve(&started);
    let given = Given { header, set: Some(set), next: anchor.next_validator_set.as_ref() };
    let recorded = recorded(observed(&begun)?, &given, tally, Verification::Anchor)?;
    Ok(vec![started, recorded])
}

fn check_stream(header: &SignedHeader, epoch: Epoch, known: &Known) -> Result<(), Refusal> {
    if *header.chain_id() != known.stream.chain {
        let (expected, found) = (known.stream.chain.clone(), header.chain_id().clone());
        return Err(Refusal::ChainMismatch { expected, found });
    }
    if epoch != known.stream.epoch {
        let (found, height) = (known.stream.epoch, header.height());
        return Err(Refusal::EpochMismatch { expected: epoch, found, height });
    }
    Ok(())
}

fn check_anchor(
    anchor: &LightBlock,
    set: &ValidatorSet,
    trusting_period_s: u32,
    known: &Known,
) -> Result<Tally, Refusal> {
    let header = &anchor.signed_header;
    let invalid = |fault| Refusal::AnchorInvalid { fault };
    let tally = verify_commit(header, set).map_err(invalid)?;
    let expected = header.next_validators_hash();
    if let Some(next) = anchor.next_validator_set.as_ref().filter(|set| set.hash() != expected) {
        return Err(invalid(Fault::NextValidatorSetMismatch { expected, found: next.hash() }));
    }
    let expired = expires(header.time(), trusting_period_s);
    if expired <= known.now {
        return Err(invalid(Fault::TrustExpired { expired, now: known.now }));
    }
    if header.time() >= known.now.plus_seconds(u64::from(CLOCK_DRIFT_S)) {
        let (found, now) = (header.time(), known.now);
        return Err(invalid(Fault::FromTheFuture { drift_s: CLOCK_DRIFT_S, found, now }));
    }
    Ok(tally)
}

/// Verifies a header against the last one and records it. In a stream where nothing happened yet
/// the epoch is opened first, when an earlier one carries over.
pub(super) fn observe(
    chain: &Chain,
    given: &Given<'_>,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if let Chain::Unbegun = chain {
        let opening = opened(known).map_err(|_| Refusal::NotBegun)?;
        let mut begun = Chain::Unbegun;
        begun.evolve(&opening);
        let mut events = vec![opening];
        events.extend(extend(observed(&begun)?, given, known)?);
        return Ok(events);
    }
    extend(observed(chain)?, given, known)
}

fn extend(chain: &Observed, given: &Given<'_>, known: &Known) -> Result<Vec<Event>, Refusal> {
    let (height, hash) = (given.header.height(), given.header.hash());
    if *given.header.chain_id() != chain.chain_id {
        let (expected, found) = (chain.chain_id.clone(), given.header.chain_id().clone());
        return Err(Refusal::ChainMismatch { expected, found });
    }
    let head = chain.head.as_ref().ok_or(Refusal::NotBegun)?;
    match chain.hashes.get(&height) {
        Some(recorded) if *recorded == hash => return Ok(Vec::new()),
        Some(recorded) => {
            return Err(Refusal::ForkSuspected { found: hash, height, recorded: *recorded });
        }
        None => {}
    }
    if let Some(fork) = &chain.fork {
        return Err(Refusal::ForkUnresolved { height: fork.detected.height });
    }
    check_place(chain, head, given)?;
    let set = given.set.or_else(|| chain.known_set(given.header.validators_hash()));
    let set = set.ok_or(Refusal::ValidatorSetMissing { hash: given.header.validators_hash() })?;
    let trusted = Trusted {
        chain_id: &chain.chain_id,
        height: head.height,
        time: head.time,
        time_nanos: head.time_nanos,
        next_validators_hash: head.next_validators_hash,
        next_validators: chain.next_validators.as_ref(),
    };
    let options = Options {
        trusting_period_s: u64::from(chain.trusting_period_s),
        clock_drift_s: CLOCK_DRIFT_S,
    };
    let event = match verify(given.header, set, given.next, &trusted, options, known.now) {
        Verdict::Trusted(tally) => {
            let next = head.height.next() == Some(height);
            let how = if next { Verification::Sequential } else { Verification::Skipping };
            recorded(chain, &Given { set: Some(set), ..*given }, tally, how)?
        }
        Verdict::NotEnoughTrust { signed, total } => {
            let (signed, total) = (signed.to_string(), total.to_string());
            return Err(Refusal::NotEnoughTrust { signed, total, trusted: head.height });
        }
        Verdict::Refused(fault) if fault.is_headers_own() => rejected(chain, given, fault)?,
        Verdict::Refused(fault) => return Err(Refusal::HeaderUnverifiable { fault }),
    };
    Ok(vec![event])
}

/// A header that is not recorded must come after the head, in this epoch, while its books are open.
fn check_place(chain: &Observed, head: &Head, given: &Given<'_>) -> Result<(), Refusal> {
    let (epoch, height) = (chain.epoch, given.header.height());
    let belongs = height.epoch(chain.epoch_headers);
    if belongs < epoch {
        return Err(Refusal::EpochMismatch { expected: belongs, found: epoch, height });
    }
    if belongs == epoch && chain.closed {
        return Err(Refusal::EpochClosed { epoch });
    }
    if belongs > epoch {
        return Err(Refusal::EpochOver { epoch, height, next: belongs });
    }
    if height <= head.height {
        return Err(Refusal::HeightSkipped { head: head.height, height });
    }
    Ok(())
}

/// The record of a verified header. The sets are kept only when no earlier event holds them, and
/// the announced one only while it fits.
fn recorded(
    chain: &Observed,
    given: &Given<'_>,
    tally: Tally,
    verification: Verification,
) -> Result<Event, Refusal> {
    let header = given.header;
    let signers = header.validators_hash();
    let announced = header.next_validators_hash();
    let validator_set = given.set.filter(|set| chain.known_set(set.hash()).is_none());
    let unknown = |hash: Hash| hash != signers && chain.known_set(hash).is_none();
    let signed_header = header.raw();
    let mut bytes = base64_bytes(signed_header.as_bytes().len());
    bytes += validator_set.map_or(0, |set| base64_bytes(set.to_protobuf().len()));
    if bytes > HEADER_RECORD_BYTES_MAX {
        return Err(Refusal::HeaderTooLarge { bytes, maximum: HEADER_RECORD_BYTES_MAX });
    }
    let next_validator_set = given.next.filter(|set| {
        let more = base64_bytes(set.to_protobuf().len());
        unknown(set.hash()) && bytes + more <= HEADER_RECORD_BYTES_MAX
    });
    Ok(Event::HeaderObserved(Box::new(HeaderObserved {
        app_hash: header.app_hash().clone(),
        data_hash: header.data_hash(),
        hash: header.hash(),
        height: header.height(),
        last_block_hash: header.last_block_hash(),
        next_validator_set: next_validator_set.cloned(),
        next_validators_hash: announced,
        proposer: header.proposer(),
        round: header.round(),
        signed_header,
        signed_power: Power::new(tally.signed).unwrap_or_default(),
        time: header.time(),
        time_nanos: header.time_nanos(),
        total_power: Power::new(tally.total).unwrap_or_default(),
        validator_set: validator_set.cloned(),
        validators_hash: signers,
        verification,
    })))
}

fn base64_bytes(bytes: usize) -> usize {
    bytes.div_ceil(3) * 4
}

/// The record of a header that is not valid: once for each distinct header with its commit, and for
/// so many in an epoch; after that the reason is the answer.
fn rejected(chain: &Observed, given: &Given<'_>, fault: Fault) -> Result<Event, Refusal> {
    let signed_header_hash = Hash::of(&given.header.to_protobuf());
    let known = chain.rejected.contains(&signed_header_hash);
    if known || chain.rejected.len() >= REJECTIONS_MAX {
        return Err(given.invalid(fault));
    }
    Ok(Event::HeaderRejected(HeaderRejected {
        reason: fault.to_string(),
        fault,
        hash: given.header.hash(),
        height: given.header.height(),
        signed_header_hash,
    }))
}
