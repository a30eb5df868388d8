//! What happened, in sentences.
//!
//! Does not hold what the events hold: the log does.

use async_graphql::{Context, Enum, InputObject, Object, Result, SimpleObject};
use projections::{Order, activity};

use crate::{
    graphql::{
        context,
        pages::{self, Page},
        scalars::{Moment, Position},
    },
    problem::Problem,
    rest::reply::read_problem,
};

/// The order of things that happened one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Order")]
pub enum SortOrder {
    /// The last one first.
    Newest,
    /// The first one first.
    Oldest,
}

/// Something that happened.
#[derive(SimpleObject)]
pub struct Activity {
    /// The position of the event.
    position: Position,
    /// When it was decided.
    at: Moment,
    /// Its stream.
    stream: String,
    /// Its version in the stream.
    version: Position,
    /// The category of its stream.
    category: String,
    /// What it happened to: a validator's address, or a chain's id.
    subject: String,
    /// The event's stored name.
    #[graphql(name = "type")]
    event_type: String,
    /// Who asked for it.
    actor: String,
    /// The story it belongs to.
    correlation: String,
    /// What happened, as a sentence.
    summary: String,
}

impl From<activity::Activity> for Activity {
    fn from(row: activity::Activity) -> Activity {
        Activity {
            position: Position(row.position),
            at: Moment(row.at),
            stream: row.stream,
            version: Position(row.version),
            category: row.category,
            subject: row.subject,
            event_type: row.event_type,
            actor: row.actor,
            correlation: row.correlation.to_string(),
            summary: row.summary,
        }
    }
}

/// Which activity is wanted; absent members let everything through.
#[derive(Default, InputObject)]
pub struct ActivityFilter {
    /// Of this category of streams.
    category: Option<String>,
    /// Of this stream.
    stream: Option<String>,
    /// To this validator or chain.
    subject: Option<String>,
    /// Of this stored name.
    #[graphql(name = "type")]
    event_type: Option<String>,
    /// Asked for by this actor.
    actor: Option<String>,
    /// Of this story.
    correlation: Option<String>,
}

impl ActivityFilter {
    fn read(self) -> Result<activity::Filter, Problem> {
        let correlation = self.correlation.map(|id| id.parse()).transpose();
        let correlation = correlation.map_err(|error: uuid::Error| {
            Problem::invalid_parameter("correlation", error.to_string())
        })?;
        Ok(activity::Filter {
            category: self.category,
            stream: self.stream,
            subject: self.subject,
            event_type: self.event_type,
            actor: self.actor,
            correlation,
        })
    }
}

/// The feed.
#[derive(Default)]
pub struct ActivityQueries;

#[Object]
impl ActivityQueries {
    /// What happened, as far as it passes the filter.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn activity(
        &self,
        context: &Context<'_>,
        filter: Option<ActivityFilter>,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Activity>> {
        let page = pages::request(first, after.as_deref())?;
        let filter = filter.unwrap_or_default().read()?;
        let asker = context::enter(context, &[activity::NAME], min_position).await?;
        let found = activity::list(&asker.app().pool, &filter, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Activity::from))
    }
}
