//! Somebody else's light client, and headers as it takes them.
//!
//! Does not know how the headers came about.

use std::time::Duration;

use commands::Commands;
use domain::{
    block::Header,
    light::{SignedHeader, ValidatorSet},
};
use tendermint_light_client_verifier::{
    ProdVerifier, Verdict, Verifier as _,
    options::Options,
    types::{TrustThreshold, TrustedBlockState, UntrustedBlockState},
};

use crate::network::{self, chain};

/// A header with its commit and the set that signed it.
pub struct Made {
    /// The header with its commit.
    pub signed: SignedHeader,
    /// Who signed it.
    pub set: ValidatorSet,
}

/// A final header as light clients see it.
///
/// # Panics
/// When its height is not final.
pub async fn made(commands: &Commands, number: u64, header: &Header) -> Made {
    let started = network::started(commands, number).await;
    let commit = started.commit().expect("it is final");
    let header = header.header().clone();
    let signed =
        tendermint::block::signed_header::SignedHeader::new(header, commit.commit().clone());
    let seats = started.start().members.iter();
    let members: Vec<_> = seats.map(|seat| (seat.public_key, seat.power)).collect();
    let signed =
        SignedHeader::new(signed.expect("they belong together")).expect("a header within bounds");
    Made { signed, set: ValidatorSet::of(&members).expect("a set") }
}

/// What the light client of others says to a header, trusting another one.
///
/// # Panics
/// When the chain's name is none of theirs.
pub fn verdict(trusted: &Made, next: &ValidatorSet, untrusted: &Made) -> Verdict {
    let header = trusted.signed.signed().header();
    let chain_id: tendermint::chain::Id = chain().as_str().parse().expect("a chain id");
    let state = TrustedBlockState {
        chain_id: &chain_id,
        header_time: header.time,
        height: header.height,
        next_validators: next.set(),
        next_validators_hash: header.next_validators_hash,
    };
    let block = UntrustedBlockState {
        signed_header: untrusted.signed.signed(),
        validators: untrusted.set.set(),
        next_validators: None,
    };
    let options = Options {
        trust_threshold: TrustThreshold::ONE_THIRD,
        trusting_period: Duration::from_secs(100 * 365 * 86_400),
        clock_drift: Duration::from_secs(60),
    };
    ProdVerifier::default().verify_update_header(block, state, &options, tendermint::Time::now())
}
