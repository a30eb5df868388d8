//! One thing as it is, or as it was: what a field of the query root that answers with one reads.
//!
//! Does not know which thing.

use async_graphql::{Context, SelectionField};
use projections::{Folded, Subject};
use sqlx::PgPool;

use super::{
    context::{self, Asker},
    scalars::{AsOf, Position},
};
use crate::problem::Problem;

/// Fields within things that are read by themselves, as they are now.
const BEYOND: &[&str] = &[
    "block",
    "chain",
    "delegations",
    "head",
    "members",
    "proposerValidator",
    "reputationHistory",
    "slashings",
    "transaction",
    "validator",
    "validatorSet",
];

/// When a thing is asked for.
#[derive(Clone, Copy, Debug)]
pub struct When {
    /// Now, and not before this.
    pub min_position: Option<Position>,
    /// Then.
    pub as_of: Option<AsOf>,
}

/// What a field reads.
pub struct About<'c> {
    asker: &'c Asker,
    folded: Option<Folded>,
}

impl<'c> About<'c> {
    /// Lets the caller into a field of the query root that answers with one thing, whose history
    /// is this.
    pub async fn enter(
        context: &Context<'c>,
        models: &[&str],
        when: When,
        subject: Subject,
    ) -> Result<About<'c>, Problem> {
        match About::then(context, when).await? {
            None => About::now(context, models, when).await,
            Some((asker, until)) => About::folded(asker, models, subject, until).await,
        }
    }

    /// The same for a thing whose history is found by what it is now. What is not there now never
    /// was.
    pub async fn enter_what_is(
        context: &Context<'c>,
        models: &[&str],
        when: When,
        subject: impl AsyncFnOnce(&Asker) -> Result<Option<Subject>, Problem>,
    ) -> Result<About<'c>, Problem> {
        let Some((asker, until)) = About::then(context, when).await? else {
            return About::now(context, models, when).await;
        };
        asker.app().reach(models, Some(until)).await?;
        let subject = subject(asker).await?.unwrap_or_else(Subject::unknown);
        About::folded(asker, models, subject, until).await
    }

    /// The position at which it is asked for; none for what it is now.
    async fn then(
        context: &Context<'c>,
        When { as_of, .. }: When,
    ) -> Result<Option<(&'c Asker, u64)>, Problem> {
        let Some(AsOf(point)) = as_of else { return Ok(None) };
        let asker = context::admitted(context)?;
        if let Some(field) = beyond(context.field()) {
            let detail = format!(
                "{field} is another thing, and would be as it is now: ask for it by itself, or ask \
                 a replay"
            );
            return Err(Problem::invalid_parameter("asOf", detail));
        }
        Ok(Some((asker, asker.app().position_of(point).await?)))
    }

    async fn now(
        context: &Context<'c>,
        models: &[&str],
        When { min_position, .. }: When,
    ) -> Result<About<'c>, Problem> {
        let asker = context::enter(context, models, min_position).await?;
        Ok(About { asker, folded: None })
    }

    async fn folded(
        asker: &'c Asker,
        models: &[&str],
        subject: Subject,
        until: u64,
    ) -> Result<About<'c>, Problem> {
        let folded = asker.app().fold(models, subject, until).await?;
        asker.note(until);
        Ok(About { asker, folded: Some(folded) })
    }

    /// Who asks.
    pub fn asker(&self) -> &'c Asker {
        self.asker
    }

    /// Whether it is read as it is now.
    pub fn is_now(&self) -> bool {
        self.folded.is_none()
    }

    /// Where it is to be read.
    pub fn pool(&self) -> &PgPool {
        self.folded.as_ref().map_or(&self.asker.app().pool, Folded::pool)
    }
}

/// A field within this one, however deep, that reads something else.
fn beyond(field: SelectionField<'_>) -> Option<&str> {
    field.selection_set().find_map(|within| {
        let name = within.name();
        BEYOND.contains(&name).then_some(name).or_else(|| beyond(within))
    })
}
