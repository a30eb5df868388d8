//! The protocol parameters: what the network agreed its numbers are, with their defaults and
//! bounds.
//!
//! Does not know who may change them.

mod schedule;

pub use schedule::{CHANGES_MAX, Change, FIXED, NOTICE_EPOCHS, Overrides, Schedule, put};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::values::{Amount, Bps, Epoch};

/// The most members a validator set may be given: a rotation must fit one record.
pub const VALIDATORS_LIMIT: u32 = 300;
/// The longest epoch in heights.
const EPOCH_BLOCKS_LIMIT: u32 = 1_000_000;
/// The longest timeout in milliseconds.
const TIMEOUT_MS_LIMIT: u32 = 600_000;
/// The most transactions a block may hold.
const BLOCK_TXS_LIMIT: u32 = 1_000_000;
/// The largest block in bytes, as in CometBFT.
const BLOCK_BYTES_LIMIT: u32 = 104_857_600;
/// The most transactions a mempool may hold.
const MEMPOOL_TXS_LIMIT: u32 = 10_000_000;
/// The greatest reputation scale.
const REPUTATION_LIMIT: u32 = 1_000_000_000;
/// The longest time in jail in seconds: one year.
const JAIL_S_LIMIT: u32 = 31_536_000;

/// The least and the most that the parameters which are whole numbers may be; for members of a
/// parameter their names after a slash.
pub const BOUNDS: &[(&str, u32, u32)] = &[
    ("block_bytes_max", 1_024, BLOCK_BYTES_LIMIT),
    ("block_txs_max", 1, BLOCK_TXS_LIMIT),
    ("churn_per_epoch_max/floor", 2, VALIDATORS_LIMIT),
    ("churn_per_epoch_max/one_in", 1, u32::MAX),
    ("downtime_window_blocks", 1, EPOCH_BLOCKS_LIMIT),
    ("epoch_blocks", 4, EPOCH_BLOCKS_LIMIT),
    ("evidence_age_blocks_max", 1, u32::MAX),
    ("jail_s", 1, JAIL_S_LIMIT),
    ("mempool_per_sender_max", 1, MEMPOOL_TXS_LIMIT),
    ("mempool_ttl_blocks", 1, u32::MAX),
    ("mempool_txs_max", 1, MEMPOOL_TXS_LIMIT),
    ("reputation_activate_min", 0, REPUTATION_LIMIT),
    ("reputation_scale", 1, REPUTATION_LIMIT),
    ("reputation_start", 0, REPUTATION_LIMIT),
    ("rounds_ahead_max", 1, 1_000),
    ("timeout_precommit_ms", 1, TIMEOUT_MS_LIMIT),
    ("timeout_prevote_ms", 1, TIMEOUT_MS_LIMIT),
    ("timeout_propose_ms", 1, TIMEOUT_MS_LIMIT),
    ("timeout_step_ms", 0, TIMEOUT_MS_LIMIT),
    ("unbonding_epochs", 1, u32::MAX),
    ("validators_max", 1, VALIDATORS_LIMIT),
];

/// How many validators may join or leave at one rotation: the greater of a floor and a part of the
/// active set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Churn {
    /// At least so many may always change.
    pub floor: u32,
    /// One in so many of the active validators may change.
    pub one_in: u32,
}

/// The protocol parameters. Absent members take their defaults; unknown ones are refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Parameters {
    /// The largest block in bytes.
    pub block_bytes_max: u32,
    /// The most transactions in a block.
    pub block_txs_max: u32,
    /// The smallest bond a validator may have of its own.
    pub bond_min: Amount,
    /// Joins plus leaves at one rotation.
    pub churn_per_epoch_max: Churn,
    /// A validator that missed a greater part of its duties was down.
    pub downtime_missed_max_bps: Bps,
    /// Over how many heights downtime is judged.
    pub downtime_window_blocks: u32,
    /// Heights in an epoch; the validator set changes only at an epoch's first height.
    pub epoch_blocks: u32,
    /// Evidence older than this many heights is refused.
    pub evidence_age_blocks_max: u32,
    /// The smallest fee of a transaction.
    pub fee_min: Amount,
    /// How long a jailed validator stays in jail at least, in seconds.
    pub jail_s: u32,
    /// The most waiting transactions of one sender.
    pub mempool_per_sender_max: u32,
    /// For how many blocks a transaction may wait.
    pub mempool_ttl_blocks: u32,
    /// The most waiting transactions.
    pub mempool_txs_max: u32,
    /// The stake that makes one unit of voting power.
    pub power_reduction: Amount,
    /// The least reputation with which a validator is activated.
    pub reputation_activate_min: u32,
    /// The greatest reputation there is.
    pub reputation_scale: u32,
    /// The reputation a validator begins with.
    pub reputation_start: u32,
    /// Votes for rounds further ahead than this are refused.
    pub rounds_ahead_max: u32,
    /// How long a precommit is waited for, in milliseconds.
    pub timeout_precommit_ms: u32,
    /// How long a prevote is waited for, in milliseconds.
    pub timeout_prevote_ms: u32,
    /// How long a proposal is waited for, in milliseconds.
    pub timeout_propose_ms: u32,
    /// By how much each timeout grows with each round, in milliseconds.
    pub timeout_step_ms: u32,
    /// After how many epochs unbonding stake is released.
    pub unbonding_epochs: u32,
    /// The most members of the validator set.
    pub validators_max: u32,
}

impl Default for Parameters {
    fn default() -> Parameters {
        Parameters {
            block_bytes_max: 4 * 1024 * 1024,
            block_txs_max: 10_000,
            bond_min: Amount::new(1_000_000),
            churn_per_epoch_max: Churn { floor: 2, one_in: 50 },
            downtime_missed_max_bps: Bps::constant(5_000),
            downtime_window_blocks: 100,
            epoch_blocks: 32,
            evidence_age_blocks_max: 10_000,
            fee_min: Amount::new(1),
            jail_s: 600,
            mempool_per_sender_max: 10_000,
            mempool_ttl_blocks: 120,
            mempool_txs_max: 200_000,
            power_reduction: Amount::new(1_000_000),
            reputation_activate_min: 500,
            reputation_scale: 100_000,
            reputation_start: 500,
            rounds_ahead_max: 8,
            timeout_precommit_ms: 1_000,
            timeout_prevote_ms: 1_000,
            timeout_propose_ms: 1_000,
            timeout_step_ms: 500,
            unbonding_epochs: 320,
            validators_max: 100,
        }
    }
}

/// A parameter out of bounds, or two that contradict each other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[error("{parameter}: {sentence}")]
pub struct ParameterFault {
    /// The parameter's name.
    pub parameter: &'static str,
    /// What is wrong with it, with the numbers.
    pub sentence: String,
}

impl Parameters {
    /// Joins plus leaves allowed at one rotation of a set with `active` members.
    pub fn churn_max(&self, active: u32) -> u32 {
        let churn = self.churn_per_epoch_max;
        churn.floor.max(active / churn.one_in.max(1))
    }

    /// When stake that begins to unbond in `epoch` is released.
    pub fn matures(&self, epoch: Epoch) -> Epoch {
        epoch.plus(self.unbonding_epochs)
    }

    /// Everything that is out of bounds or contradictory; empty when the parameters may be in
    /// force.
    pub fn faults(&self) -> Vec<ParameterFault> {
        let mut faults = self.range_faults();
        if self.bond_min.is_zero() {
            faults.push(fault("bond_min", "is 0, at least 1 is needed".to_owned()));
        }
        if self.power_reduction.is_zero() {
            faults.push(fault("power_reduction", "is 0, at least 1 is needed".to_owned()));
        }
        if !self.power_reduction.is_zero() && self.bond_min < self.power_reduction {
            let sentence = format!(
                "is {}, less than power_reduction = {}: the smallest bond would give no power",
                self.bond_min, self.power_reduction
            );
            faults.push(fault("bond_min", sentence));
        }
        for (name, reputation) in [
            ("reputation_start", self.reputation_start),
            ("reputation_activate_min", self.reputation_activate_min),
        ] {
            if reputation > self.reputation_scale {
                let scale = self.reputation_scale;
                let sentence = format!("is {reputation}, more than reputation_scale = {scale}");
                faults.push(fault(name, sentence));
            }
        }
        if self.mempool_per_sender_max > self.mempool_txs_max {
            let sentence = format!(
                "is {}, more than mempool_txs_max = {}",
                self.mempool_per_sender_max, self.mempool_txs_max
            );
            faults.push(fault("mempool_per_sender_max", sentence));
        }
        faults.extend(self.unbonding_fault());
        faults
    }

    /// How many blocks unbonding stake waits at least: when it begins to at an epoch's last height,
    /// one height and `unbonding_epochs` - 1 whole epochs.
    fn unbonding_blocks_min(&self) -> u64 {
        let whole_epochs = u64::from(self.unbonding_epochs.saturating_sub(1));
        whole_epochs * u64::from(self.epoch_blocks) + 1
    }

    /// Stake must not leave before misbehaviour can be punished.
    fn unbonding_fault(&self) -> Option<ParameterFault> {
        let waits_blocks = self.unbonding_blocks_min();
        let evidence_blocks = u64::from(self.evidence_age_blocks_max);
        (waits_blocks <= evidence_blocks).then(|| {
            let sentence = format!(
                "is {}: stake would wait {waits_blocks} blocks at least, not longer than \
                 evidence_age_blocks_max = {evidence_blocks}: it would leave before \
                 misbehaviour is punished",
                self.unbonding_epochs
            );
            fault("unbonding_epochs", sentence)
        })
    }

    fn range_faults(&self) -> Vec<ParameterFault> {
        let written = serde_json::to_value(self).expect("parameters can be written");
        let found = |place: &str| written.pointer(&format!("/{place}")).and_then(Value::as_u64);
        let outside = BOUNDS.iter().filter_map(|(place, least, most)| {
            let found = found(place)?;
            let fits = (u64::from(*least)..=u64::from(*most)).contains(&found);
            let name = place.split_once('/').map_or(*place, |(name, _)| name);
            (!fits).then(|| fault(name, format!("is {found}, not in {least} to {most}")))
        });
        outside.collect()
    }
}

/// All faults in a row.
pub(crate) fn listed(faults: &[ParameterFault]) -> String {
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

fn fault(parameter: &'static str, sentence: String) -> ParameterFault {
    ParameterFault { parameter, sentence }
}
