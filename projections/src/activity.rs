//! The activity feed: one row for each event, with a sentence that says what happened.
//!
//! Does not hold what the event holds: whoever wants that asks the log for the position.

mod read;
mod sentence;

pub use read::{by_keys, get, list};

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _, chain::Chain, validator::Validator, validator_set::ValidatorSet,
    values::Moment,
};
use futures::future::{BoxFuture, FutureExt as _};
use serde::Serialize;
use sqlx::PgConnection;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    columns::{self, column, signed},
    event::{Chunk, Event, Fact},
    page::{Cursor, Numbered, Order},
    projection::{ApplyError, Projection},
};

/// The projection's name.
pub const NAME: &str = "activity";

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ActivityRow)]
pub struct Activity {
    /// The position of the event.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// When it was decided.
    pub at: Moment,
    /// The event's stream.
    #[schema(example = "validator-D5B865BA26FDF5285105626B708E8556809737F7")]
    pub stream: String,
    /// The event's version in its stream.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// The stream's category.
    #[schema(example = "validator")]
    pub category: String,
    /// What it happened to: a validator's address, or a chain's id.
    #[schema(example = "D5B865BA26FDF5285105626B708E8556809737F7")]
    pub subject: String,
    /// The event's stored name.
    #[serde(rename = "type")]
    #[schema(example = "validator-jailed.v1")]
    pub event_type: String,
    /// Who asked for it.
    pub actor: String,
    /// The story it belongs to.
    #[schema(value_type = String, example = "0190f0d2-6d2c-7c7a-9a3b-3f6d3c1a2b4c")]
    pub correlation: Uuid,
    /// What happened, as a sentence.
    pub summary: String,
}

/// Which activity is wanted; an absent member lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of streams of this category.
    pub category: Option<String>,
    /// Of this stream.
    pub stream: Option<String>,
    /// That happened to this validator or chain.
    pub subject: Option<String>,
    /// Of this type.
    pub event_type: Option<String>,
    /// That this actor asked for.
    pub actor: Option<String>,
    /// Of this story.
    pub correlation: Option<Uuid>,
}

const fn activity_by(order: Order) -> Numbered {
    Numbered { list: "activity", column: "position", order }
}

impl Activity {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        activity_by(order).cursor(self.position)
    }
}

/// The projection of the feed.
#[derive(Clone, Copy, Debug)]
pub struct Activities;

impl Projection for Activities {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Validator::CATEGORY, ValidatorSet::CATEGORY, Chain::CATEGORY]
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
            sqlx::query!("truncate activity_v1.activity").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

/// What it happened to.
fn subject(event: &Event, fact: &Fact) -> String {
    match fact {
        Fact::Validator(address, _) => address.to_string(),
        Fact::ValidatorSet(chain, _) => chain.to_string(),
        Fact::Chain(stream, _) => stream.chain.to_string(),
        // Not followed: they have read models of their own.
        Fact::Account(..)
        | Fact::Block(..)
        | Fact::Height(..)
        | Fact::Configuration(_)
        | Fact::Monitoring(_)
        | Fact::Network(_) => event.stream.id().to_owned(),
    }
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let events: Vec<(&Event, &Fact)> = chunk.facts().collect();
    let numbers = |of: fn(&Event) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        events.iter().map(|(event, _)| signed(of(event))).collect()
    };
    sqlx::query!(
        "insert into activity_v1.activity (
             position, at, stream, version, category, subject, event_type, actor, correlation,
             summary)
         select * from unnest(
             $1::bigint[], $2::timestamptz[], $3::text[], $4::bigint[], $5::text[], $6::text[],
             $7::text[], $8::text[], $9::uuid[], $10::text[])",
        &numbers(|event| event.position)?,
        &column(&events, |(event, _)| DateTime::<Utc>::from(event.at)),
        &column(&events, |(event, _)| event.stream.as_str()) as &[&str],
        &numbers(|event| event.version)?,
        &column(&events, |(event, _)| event.stream.category()) as &[&str],
        &column(&events, |(event, fact)| subject(event, fact)),
        &column(&events, |(_, fact)| fact.name()) as &[&str],
        &column(&events, |(event, _)| &*event.actor) as &[&str],
        &column(&events, |(event, _)| event.correlation),
        &column(&events, |(_, fact)| sentence::of(fact)),
    )
    .execute(tx)
    .await?;
    Ok(())
}
