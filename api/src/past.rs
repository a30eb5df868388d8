//! As of: what one thing was at a position of the log, or at a moment.
//!
//! Does not know what is asked of it. The thing's history is folded anew for each question, in a
//! database beside ours ([`crate::beside`]).

use std::{fmt, str::FromStr};

use chrono::{DateTime, SecondsFormat, Utc};
use projections::{Folded, Past, PastError, Subject, state_history};

use crate::{beside, problem::Problem, rest::reply::read_problem, server::Surface};

/// What the database beside ours is called in which questions about the past are answered.
const BESIDE: &str = "past";

/// A point of the past.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AsOf {
    /// When the log ended here.
    Position(u64),
    /// When it was this late.
    Time(DateTime<Utc>),
}

/// It is neither a position nor a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be a position (a whole number from 0), or a moment (RFC 3339)")]
pub struct NoPoint;

impl FromStr for AsOf {
    type Err = NoPoint;

    fn from_str(text: &str) -> Result<AsOf, NoPoint> {
        if text.bytes().all(|byte| byte.is_ascii_digit()) {
            let position = text.parse().ok().filter(|position| i64::try_from(*position).is_ok());
            return position.map(AsOf::Position).ok_or(NoPoint);
        }
        let moment = DateTime::parse_from_rfc3339(text).map_err(|_| NoPoint)?;
        Ok(AsOf::Time(moment.to_utc()))
    }
}

impl fmt::Display for AsOf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AsOf::Position(position) => position.fmt(f),
            AsOf::Time(moment) => f.write_str(&moment.to_rfc3339_opts(SecondsFormat::AutoSi, true)),
        }
    }
}

impl Surface {
    /// The position of a point. One beyond the end of the log is none of this log's; no moment is.
    pub async fn position_of(&self, point: AsOf) -> Result<u64, Problem> {
        match point {
            AsOf::Position(position) => {
                self.is_within(position).await?;
                Ok(position)
            }
            AsOf::Time(moment) => Ok(self.store.position_at(moment).await?),
        }
    }

    /// When it was then, of a point that is at this position: no later than now.
    pub async fn moment_of(&self, point: AsOf, position: u64) -> Result<DateTime<Utc>, Problem> {
        match point {
            AsOf::Time(moment) => Ok(moment.min(Utc::now())),
            AsOf::Position(_) => match self.store.read_at(&[position]).await?.first() {
                Some(event) => Ok(event.parse().map_err(Problem::internal)?.at),
                None => Ok(DateTime::UNIX_EPOCH),
            },
        }
    }

    /// Folds what a thing was at a position, for these read models.
    pub async fn fold(
        &self,
        models: &[&str],
        subject: Subject,
        until: u64,
    ) -> Result<Folded, Problem> {
        let subject = self.looked_up(subject, until).await?;
        let past = self.past.get_or_try_init(|| async {
            let beside = beside::open(&self.tables, BESIDE).await?;
            Ok::<_, Problem>(Past::new(self.store.clone(), beside))
        });
        past.await?.fold(models, &subject, until).await.map_err(|error| match error {
            PastError::TooLong | PastError::TooManyBlocks => Problem::invalid_parameter(
                "as_of",
                format!("{error}: build a replay up to there (POST /api/v1/replays), and ask that"),
            ),
            PastError::Refused(_) => Problem::internal(error),
            PastError::Log(error) => error.into(),
            PastError::Database(error) => error.into(),
        })
    }

    /// A thing with the blocks that say what it was at a position.
    async fn looked_up(&self, subject: Subject, until: u64) -> Result<Subject, Problem> {
        if !subject.is_of_the_state() {
            return Ok(subject);
        }
        self.reach(&[state_history::NAME], Some(until)).await?;
        subject.looked_up(&self.pool, until).await.map_err(read_problem)
    }
}
