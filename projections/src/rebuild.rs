//! Repair: building a read model anew from the first event, and replaying a parked key.
//!
//! Does not know why either became necessary. For now a rebuild empties the tables in use and
//! replays: readers see the model fill up, and its status says so.

use event_store::{Filter, StoreError};
use sqlx::PgConnection;

use crate::{
    attachment,
    begin::begin,
    checkpoint::{self, Checkpoint, Id},
    event::Event,
    projection::{ApplyError, Projection},
    runner::{Member, Projections},
    worker::{ParkedKeys, apply_carefully, followed},
};

/// How many events of the log one transaction of a redrive looks at.
const REDRIVE_EVENTS_MAX: usize = 4_096;

/// Why a repair was not done.
#[derive(Debug, thiserror::Error)]
pub enum RepairError {
    /// No projection has this name.
    #[error("there is no projection {0:?}")]
    UnknownProjection(String),
    /// The key is not parked.
    #[error("{key:?} is not parked in {name}")]
    NotParked {
        /// The projection.
        name: String,
        /// The key.
        key: String,
    },
    /// The projection was built from another log.
    #[error("{0} was built from another log: rebuild it")]
    OtherLog(String),
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The database could not be reached or refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// How a redrive ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redriven {
    /// How many events of the key were applied.
    pub applied: u64,
    /// Where the key was parked again, and why; none when it moves with the others now.
    pub parked_again: Option<(u64, String)>,
}

/// What one transaction of a redrive did.
struct Stretch {
    applied: u64,
    ended: bool,
    parked_again: Option<(u64, String)>,
}

impl Projections {
    /// Empties a projection's tables and sets it back to the beginning of the present log, in one
    /// transaction; whoever runs it replays.
    pub async fn rebuild(&self, name: &str) -> Result<(), RepairError> {
        let member = self.known(name)?;
        let id = member.id();
        let incarnation = self.reader.store().head().await?.incarnation;
        checkpoint::open(&self.pool, id, incarnation).await?;
        let mut tx = begin(&self.pool).await?;
        checkpoint::lock(&mut tx, id).await?;
        member.projection.reset(&mut tx).await?;
        checkpoint::reset(&mut tx, id, incarnation).await?;
        tx.commit().await?;
        member.pulse.set(0);
        member.pulse.wake();
        Ok(())
    }

    /// Replays a parked key in order, from the event that could not be applied to where the
    /// projection stands, in bounded transactions; between them the rest of the projection moves.
    pub async fn redrive(&self, name: &str, key: &str) -> Result<Redriven, RepairError> {
        let member = self.known(name)?;
        let mut applied = 0;
        loop {
            let stretch = self.redrive_stretch(member, key).await?;
            applied += stretch.applied;
            if stretch.ended || stretch.parked_again.is_some() {
                return Ok(Redriven { applied, parked_again: stretch.parked_again });
            }
        }
    }

    async fn redrive_stretch(&self, member: &Member, key: &str) -> Result<Stretch, RepairError> {
        let id = member.id();
        let log = self.reader.store().head().await?.incarnation;
        let mut tx = begin(&self.pool).await?;
        let (checkpoint, from) = locked_key(&mut tx, id, key).await?;
        if checkpoint.incarnation != log {
            return Err(RepairError::OtherLog(id.name.to_owned()));
        }
        let categories = member.projection.follows().iter().map(|c| (*c).to_owned()).collect();
        let filter = Filter { categories, ..Filter::default() };
        let page = self.reader.store().read_all(from - 1, &filter, REDRIVE_EVENTS_MAX).await?;
        let mut stored = page.events;
        stored.retain(|event| event.position <= checkpoint.position);
        let (mut events, _) = attachment::decode(self.reader.store(), stored).await?;
        events.retain(|event| event.key() == key);
        let (applied, parked_again) =
            apply_key(&*member.projection, &events, &mut tx).await.map_err(database)?;
        // Nothing of the key is left between here and the checkpoint.
        let ended = page.scanned_to >= checkpoint.position || page.scanned_to < from;
        match &parked_again {
            Some((position, error)) => {
                checkpoint::park(&mut tx, id, key, *position, error).await?;
            }
            None if ended => checkpoint::unpark(&mut tx, id, key).await?,
            None => checkpoint::park(&mut tx, id, key, page.scanned_to + 1, "redriving").await?,
        }
        tx.commit().await?;
        Ok(Stretch { applied, ended, parked_again })
    }

    fn known(&self, name: &str) -> Result<&Member, RepairError> {
        self.member(name).ok_or_else(|| RepairError::UnknownProjection(name.to_owned()))
    }
}

/// Locks the checkpoint and finds where the key waits.
async fn locked_key(
    tx: &mut PgConnection,
    id: Id,
    key: &str,
) -> Result<(Checkpoint, u64), RepairError> {
    let not_parked = || RepairError::NotParked { name: id.name.to_owned(), key: key.to_owned() };
    let checkpoint = checkpoint::lock(tx, id).await?.ok_or_else(not_parked)?;
    let from = checkpoint::parked_keys(tx, id).await?.get(key).copied().ok_or_else(not_parked)?;
    Ok((checkpoint, from))
}

/// Applies a key's events; says how many, and where it stopped.
async fn apply_key(
    projection: &dyn Projection,
    events: &[Event],
    tx: &mut PgConnection,
) -> Result<(u64, Option<(u64, String)>), ApplyError> {
    let mut parked = ParkedKeys::default();
    let readable = followed(projection, events, &mut parked);
    // What comes before an event that cannot be read is applied; the rest waits behind it.
    apply_carefully(projection, &readable, tx, &mut parked).await?;
    let parked_again = parked.now().values().next().cloned();
    let stopped = parked_again.as_ref().map_or(u64::MAX, |(position, _)| *position);
    let applied = events.iter().filter(|event| event.position < stopped).count();
    Ok((u64::try_from(applied).unwrap_or(u64::MAX), parked_again))
}

fn database(error: ApplyError) -> RepairError {
    match error {
        ApplyError::Database(error) => RepairError::Database(error),
        // Refusals park the key instead of being returned.
        ApplyError::Refused(why) => RepairError::Database(sqlx::Error::Protocol(why)),
    }
}
