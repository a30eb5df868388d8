//! Feature flags.
//!
//! Does not know what a flag switches.

use std::{fmt::Display, str::FromStr};

use async_graphql::{ComplexObject, Context, Enum, Object, Result, SimpleObject};
use domain::configuration::{Key, Subject, flag::Flag as Aggregate};
use projections::{flags, past};

use crate::{
    graphql::{
        context,
        pages::{self, Page},
        past::{About, When},
        scalars::{AsOf, Moment, Position},
    },
    problem::Problem,
    rest::reply::read_problem,
};

/// Whether a flag is in use.
#[derive(Clone, Copy, PartialEq, Eq, Enum)]
#[graphql(remote = "flags::FlagStanding")]
pub enum FlagStanding {
    /// It is on for some, or for nobody yet.
    Alive,
    /// It is off for everybody.
    Killed,
}

/// A feature flag.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Flag {
    /// Its name.
    key: String,
    /// What it switches.
    description: String,
    /// Whether it is in use.
    standing: FlagStanding,
    /// For which part of all it is on, in basis points.
    bps: u16,
    /// For whom it is on in any case, by name.
    targets: Vec<String>,
    /// Why it was killed; null while it is in use.
    reason: Option<String>,
    /// The version of its stream.
    version: Position,
    /// When it was created, the last time.
    created_at: Moment,
    /// When it changed last.
    changed_at: Moment,
    #[graphql(skip)]
    row: flags::Flag,
}

impl From<flags::Flag> for Flag {
    fn from(row: flags::Flag) -> Flag {
        Flag {
            key: row.key.to_string(),
            description: row.description.to_string(),
            standing: row.standing.into(),
            bps: row.bps.value(),
            targets: row.targets.iter().map(ToString::to_string).collect(),
            reason: row.reason.as_ref().map(ToString::to_string),
            version: Position(row.version),
            created_at: Moment(row.created_at),
            changed_at: Moment(row.changed_at),
            row,
        }
    }
}

#[ComplexObject]
impl Flag {
    /// Whether it is on for somebody.
    async fn is_on(&self, subject: String) -> Result<bool> {
        Ok(self.row.is_on(&parsed::<Subject>("subject", &subject)?))
    }
}

fn parsed<T: FromStr<Err: Display>>(name: &str, text: &str) -> Result<T, Problem> {
    text.parse().map_err(|fault: T::Err| Problem::invalid_parameter(name, fault.to_string()))
}

/// Feature flags.
#[derive(Default)]
pub struct FlagQueries;

#[Object]
impl FlagQueries {
    /// A feature flag; null when there is none of this key.
    async fn flag(
        &self,
        context: &Context<'_>,
        key: String,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<Flag>> {
        let key: Key = parsed("key", &key)?;
        let when = When { min_position, as_of };
        let subject = past::Subject::of::<Aggregate>(&key);
        let about = About::enter(context, &[flags::NAME], when, subject).await?;
        let found = flags::get(about.pool(), &key).await.map_err(read_problem)?;
        Ok(found.map(Flag::from))
    }

    /// Feature flags, by key.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn flags(
        &self,
        context: &Context<'_>,
        standing: Option<FlagStanding>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Flag>> {
        let page = pages::request(first, after.as_deref())?;
        let filter = flags::Filter { standing: standing.map(Into::into) };
        let asker = context::enter(context, &[flags::NAME], min_position).await?;
        let found = flags::list(&asker.app().pool, filter, &page).await.map_err(read_problem)?;
        Ok(pages::connection(found, &page, Flag::from))
    }
}
