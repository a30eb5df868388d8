//! The history of reputations: every change, beginning with registration; and the duties behind
//! them.
//!
//! Does not know what a validator's reputation allows.

mod read;

pub use read::{first_of_many, list, performances};

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    validator::{Event as Happened, PerformanceRecorded, ReputationCause, Validator},
    values::{Address, Epoch, Moment},
};
use futures::future::{BoxFuture, FutureExt as _};
use serde::{Deserialize, Serialize};
use sqlx::PgConnection;
use utoipa::ToSchema;

use crate::{
    columns::{self, column, signed},
    event::{Chunk, Event},
    page::{Cursor, Numbered, Order},
    projection::{ApplyError, Projection},
};

/// The projection's name.
pub const NAME: &str = "reputation_history";

/// Why a reputation is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// It registered with it.
    Registration,
    /// An epoch's duties.
    Performance,
    /// Equivocation.
    Equivocation,
    /// A compromised key.
    KeyCompromise,
    /// Censorship.
    Censorship,
    /// Downtime.
    Downtime,
}

impl Cause {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Cause::Registration => "registration",
            Cause::Performance => "performance",
            Cause::Equivocation => "equivocation",
            Cause::KeyCompromise => "key-compromise",
            Cause::Censorship => "censorship",
            Cause::Downtime => "downtime",
        }
    }
}

impl From<ReputationCause> for Cause {
    fn from(cause: ReputationCause) -> Cause {
        match cause {
            ReputationCause::Performance => Cause::Performance,
            ReputationCause::Equivocation => Cause::Equivocation,
            ReputationCause::KeyCompromise => Cause::KeyCompromise,
            ReputationCause::Censorship => Cause::Censorship,
            ReputationCause::Downtime => Cause::Downtime,
        }
    }
}

/// A change of a reputation.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ReputationChange)]
pub struct Reputation {
    /// The position of the event.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// When it changed.
    pub at: Moment,
    /// The validator.
    pub address: Address,
    /// Why.
    pub cause: Cause,
    /// The epoch whose duties were counted, or in which the offence was punished.
    pub epoch: Epoch,
    /// Before; absent at a registration.
    pub from: Option<u32>,
    /// After.
    pub to: u32,
}

/// An epoch's duties, counted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Performance {
    /// The validator.
    pub address: Address,
    /// The epoch.
    pub epoch: Epoch,
    /// Blocks it proposed.
    pub proposed: u32,
    /// Heights it signed.
    pub signed: u32,
    /// Heights it should have signed and did not.
    pub missed: u32,
    /// Whether it missed more than is allowed.
    pub downtime: bool,
    /// When they were counted.
    pub at: Moment,
    /// The position of the event.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

const fn reputations_by(order: Order) -> Numbered {
    Numbered { list: "reputation_history", column: "position", order }
}

const fn performances_by(order: Order) -> Numbered {
    Numbered { list: "performances", column: "epoch", order }
}

impl Reputation {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        reputations_by(order).cursor(self.position)
    }
}

impl Performance {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        performances_by(order).cursor(self.epoch.value())
    }
}

/// The projection of reputations.
#[derive(Clone, Copy, Debug)]
pub struct ReputationHistory;

impl Projection for ReputationHistory {
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
            sqlx::query!(
                "truncate reputation_history_v1.reputations, reputation_history_v1.performances"
            )
            .execute(tx)
            .await?;
            Ok(())
        }
        .boxed()
    }
}

/// A change as it is folded.
struct Change<'a> {
    event: &'a Event,
    address: Address,
    cause: Cause,
    epoch: Epoch,
    from: Option<u32>,
    to: u32,
}

type Performed<'a> = (&'a Event, Address, &'a PerformanceRecorded);

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let (mut changes, mut performed) = (Vec::new(), Vec::new());
    for (event, address, happened) in chunk.validators() {
        match happened {
            Happened::ValidatorRegistered(data) => {
                let (epoch, to) = (data.epoch, data.reputation);
                let cause = Cause::Registration;
                changes.push(Change { event, address, cause, epoch, from: None, to });
            }
            Happened::ReputationChanged(data) => {
                let (epoch, from, to) = (data.epoch, Some(data.from), data.to);
                changes.push(Change { event, address, cause: data.cause.into(), epoch, from, to });
            }
            Happened::PerformanceRecorded(data) => performed.push((event, address, data)),
            Happened::ValidatorActivated(_)
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
            | Happened::ValidatorJailed(_)
            | Happened::ValidatorUnjailed(_)
            | Happened::ValidatorSlashed(_)
            | Happened::ValidatorTombstoned(_)
            | Happened::ExitInitiated(_)
            | Happened::ValidatorExited(_) => {}
        }
    }
    if !changes.is_empty() {
        save_changes(&changes, tx).await?;
    }
    if !performed.is_empty() {
        save_performed(&performed, tx).await?;
    }
    Ok(())
}

async fn save_changes(changes: &[Change<'_>], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let numbers = |of: fn(&Change<'_>) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        changes.iter().map(|change| signed(of(change))).collect()
    };
    sqlx::query!(
        r#"insert into reputation_history_v1.reputations
               (position, at, address, cause, epoch, "from", "to")
           select * from unnest($1::bigint[], $2::timestamptz[], $3::bytea[], $4::text[],
                                $5::bigint[], $6::bigint[], $7::bigint[])"#,
        &numbers(|change| change.event.position)?,
        &column(changes, |change| DateTime::<Utc>::from(change.event.at)),
        &column(changes, |change| change.address.as_bytes().as_slice()) as &[&[u8]],
        &column(changes, |change| change.cause.as_str()) as &[&str],
        &numbers(|change| change.epoch.value())?,
        &column(changes, |change| change.from.map(i64::from)) as &[Option<i64>],
        &column(changes, |change| i64::from(change.to)),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_performed(
    performed: &[Performed<'_>],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let numbers = |of: fn(&Performed<'_>) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        performed.iter().map(|row| signed(of(row))).collect()
    };
    sqlx::query!(
        "insert into reputation_history_v1.performances
             (address, epoch, proposed, signed, missed, downtime, at, position)
         select * from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                              $6::boolean[], $7::timestamptz[], $8::bigint[])",
        &column(performed, |(_, address, _)| address.as_bytes().as_slice()) as &[&[u8]],
        &numbers(|(_, _, data)| data.epoch.value())?,
        &column(performed, |(_, _, data)| i64::from(data.proposed)),
        &column(performed, |(_, _, data)| i64::from(data.signed)),
        &column(performed, |(_, _, data)| i64::from(data.missed)),
        &column(performed, |(_, _, data)| data.downtime),
        &column(performed, |(event, _, _)| DateTime::<Utc>::from(event.at)),
        &numbers(|(event, _, _)| event.position)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}
