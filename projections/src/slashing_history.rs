//! The history of penalties: every offence that was punished, and what it cost.
//!
//! Does not know what became of the validator (`validators`).

mod read;

pub use read::{first_of_many, list};

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    validator::{Event as Happened, Offence, Validator, ValidatorSlashed},
    values::{Address, Amount, Bps, Epoch, Hash, Height, Moment, Power},
};
use futures::future::{BoxFuture, FutureExt as _};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    columns::{self, column, name, signed},
    event::{Chunk, Event},
    page::{Cursor, Numbered, Order},
    projection::{ApplyError, Projection},
};

/// The projection's name.
pub const NAME: &str = "slashing_history";

/// A punished offence.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Slashing {
    /// The position of the event.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// When it was punished.
    pub at: Moment,
    /// The validator.
    pub address: Address,
    /// What it did.
    pub offence: Offence,
    /// The height at which it happened.
    pub height: Height,
    /// The epoch in which it was punished.
    pub epoch: Epoch,
    /// The epoch in which it happened.
    pub offence_epoch: Epoch,
    /// The hash of the evidence.
    pub evidence: Hash,
    /// The part of the own bond that was burned.
    pub bond_bps: Bps,
    /// The part of each delegation that was burned.
    pub delegated_bps: Bps,
    /// Everything that was burned.
    pub burned: Amount,
    /// Burned of its own bond.
    pub burned_bond: Amount,
    /// Burned of delegations.
    pub burned_delegated: Amount,
    /// Burned of unbonding stake.
    pub burned_unbonding: Amount,
    /// Its own bond after it.
    pub bond: Amount,
    /// All delegations after it.
    pub delegated: Amount,
    /// Its stake after it.
    pub stake: Amount,
    /// The voting power its stake gives after it.
    pub power: Power,
    /// Before this epoch it cannot be activated.
    pub quarantined_until: Epoch,
    /// Who asked for it.
    pub actor: String,
    /// The story it belongs to.
    #[schema(value_type = String, example = "0190f0d2-6d2c-7c7a-9a3b-3f6d3c1a2b4c")]
    pub correlation: Uuid,
}

/// Which penalties are wanted; an absent member lets everything through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this validator.
    pub address: Option<Address>,
    /// For this offence.
    pub offence: Option<Offence>,
}

const fn slashings_by(order: Order) -> Numbered {
    Numbered { list: "slashing_history", column: "position", order }
}

impl Slashing {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        slashings_by(order).cursor(self.position)
    }
}

/// The projection of penalties.
#[derive(Clone, Copy, Debug)]
pub struct SlashingHistory;

impl Projection for SlashingHistory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Validator::CATEGORY]
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        apply(chunk, tx).boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            sqlx::query!("truncate slashing_history_v1.slashings").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

type Slashed<'a> = (&'a Event, Address, &'a ValidatorSlashed);

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let slashed = chunk.validators().filter_map(|(event, address, happened)| match happened {
        Happened::ValidatorSlashed(data) => Some((event, address, &**data)),
        Happened::ValidatorRegistered(_)
        | Happened::ValidatorActivated(_)
        | Happened::RegistrationRequested(_)
        | Happened::RegistrationFailed(_)
        | Happened::ValidatorDeregistered(_)
        | Happened::ProfileUpdated(_)
        | Happened::CommissionSet(_)
        | Happened::StakeBonded(_)
        | Happened::UnbondingStarted(_)
        | Happened::DelegationAdded(_)
        | Happened::UndelegationStarted(_)
        | Happened::StakeReleased(_)
        | Happened::PerformanceRecorded(_)
        | Happened::ReputationChanged(_)
        | Happened::ValidatorJailed(_)
        | Happened::ValidatorUnjailed(_)
        | Happened::ValidatorTombstoned(_)
        | Happened::ExitInitiated(_)
        | Happened::ValidatorExited(_) => None,
    });
    let slashed: Vec<Slashed<'_>> = slashed.collect();
    if !slashed.is_empty() {
        save(&slashed, tx).await?;
    }
    Ok(())
}

async fn save(slashed: &[Slashed<'_>], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let numbers = |of: fn(&Slashed<'_>) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        slashed.iter().map(|row| signed(of(row))).collect()
    };
    let amounts = |of: fn(&ValidatorSlashed) -> Amount| -> Vec<String> {
        column(slashed, |(_, _, data)| of(data).to_string())
    };
    let offences: Result<Vec<String>, sqlx::Error> =
        slashed.iter().map(|(_, _, data)| name(&data.offence)).collect();
    sqlx::query!(
        "insert into slashing_history_v1.slashings (
             position, at, address, offence, height, epoch, offence_epoch, evidence, bond_bps,
             delegated_bps, burned, burned_bond, burned_delegated, burned_unbonding, bond,
             delegated, stake, power, quarantined_until, actor, correlation)
         select * from unnest(
             $1::bigint[], $2::timestamptz[], $3::bytea[], $4::text[], $5::bigint[], $6::bigint[],
             $7::bigint[], $8::bytea[], $9::integer[], $10::integer[], $11::text[]::numeric[],
             $12::text[]::numeric[], $13::text[]::numeric[], $14::text[]::numeric[],
             $15::text[]::numeric[], $16::text[]::numeric[], $17::text[]::numeric[],
             $18::bigint[], $19::bigint[], $20::text[], $21::uuid[])",
        &numbers(|(event, _, _)| event.position)?,
        &column(slashed, |(event, _, _)| DateTime::<Utc>::from(event.at)),
        &column(slashed, |(_, address, _)| address.as_bytes().as_slice()) as &[&[u8]],
        &offences?,
        &numbers(|(_, _, data)| data.height.value())?,
        &numbers(|(_, _, data)| data.epoch.value())?,
        &numbers(|(_, _, data)| data.offence_epoch.value())?,
        &column(slashed, |(_, _, data)| data.evidence.as_bytes().as_slice()) as &[&[u8]],
        &column(slashed, |(_, _, data)| i32::from(data.bond_bps.value())),
        &column(slashed, |(_, _, data)| i32::from(data.delegated_bps.value())),
        &amounts(|data| data.burned),
        &amounts(|data| data.burned_bond),
        &amounts(|data| data.burned_delegated),
        &amounts(|data| data.burned_unbonding),
        &amounts(|data| data.bond),
        &amounts(|data| data.delegated),
        &amounts(|data| data.stake),
        &numbers(|(_, _, data)| data.power.value())?,
        &numbers(|(_, _, data)| data.quarantined_until.value())?,
        &column(slashed, |(event, _, _)| &*event.actor) as &[&str],
        &column(slashed, |(event, _, _)| event.correlation),
    )
    .execute(tx)
    .await?;
    Ok(())
}
