//! Checkpoints: how far somebody who follows the log has dealt with it, and whether they are stuck.
//!
//! Knows nothing of what is done with the events: a position is saved when its effect is durable,
//! and what is done again must come to nothing.

use chrono::{DateTime, Utc};

use crate::error::StoreError;
use crate::read::{as_bigint, from_bigint};
use crate::store::EventStore;

/// How far a follower has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checkpoint {
    /// Everything up to here has been dealt with.
    pub position: u64,
    /// Why it does not go on; none while it does.
    pub parked: Option<Parked>,
}

/// That a follower cannot go on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parked {
    /// The event it cannot deal with.
    pub position: u64,
    /// Why, as a sentence.
    pub because: String,
    /// Since when, by the database's clock.
    pub since: DateTime<Utc>,
}

impl EventStore {
    /// How far a follower has come in this log; at the beginning when it never followed it.
    pub async fn checkpoint(&self, name: &str) -> Result<Checkpoint, StoreError> {
        let row = sqlx::query!(
            "select position, parked_position, parked_because, parked_since
               from reactions where name = $1 and incarnation = $2",
            name,
            self.incarnation(),
        )
        .fetch_optional(self.pool())
        .await?;
        let Some(row) = row else { return Ok(Checkpoint::default()) };
        let parked = match (row.parked_position, row.parked_because, row.parked_since) {
            (Some(position), Some(because), Some(since)) => {
                Some(Parked { position: from_bigint(position), because, since })
            }
            _ => None,
        };
        Ok(Checkpoint { position: from_bigint(row.position), parked })
    }

    /// Everything up to `position` has been dealt with: the follower goes on. Of several processes
    /// that follow under one name the furthest counts.
    pub async fn save_checkpoint(&self, name: &str, position: u64) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into reactions as r (name, position, incarnation) values ($1, $2, $3)
             on conflict on constraint reactions_name do update
                set position = case when r.incarnation = excluded.incarnation
                                    then greatest(r.position, excluded.position)
                                    else excluded.position end,
                    incarnation = excluded.incarnation, moved_at = now(),
                    parked_position = null, parked_because = null, parked_since = null",
            name,
            as_bigint(position),
            self.incarnation(),
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// The follower cannot deal with the event at `position`. Where another process of its name has
    /// come further already, nothing is said.
    pub async fn park(&self, name: &str, position: u64, because: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "insert into reactions as r
                    (name, incarnation, parked_position, parked_because, parked_since)
             values ($1, $2, $3, $4, now())
             on conflict on constraint reactions_name do update
                set position = case when r.incarnation = excluded.incarnation
                                    then r.position else 0 end,
                    incarnation = excluded.incarnation,
                    parked_position = excluded.parked_position,
                    parked_because = excluded.parked_because,
                    parked_since = excluded.parked_since
              where r.incarnation <> excluded.incarnation or r.position < excluded.parked_position",
            name,
            self.incarnation(),
            as_bigint(position),
            because,
        )
        .execute(self.pool())
        .await?;
        Ok(())
    }

    /// Lets a parked follower try again the event that it could not deal with; whether it was
    /// parked.
    pub async fn unpark(&self, name: &str) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "update reactions
                set parked_position = null, parked_because = null, parked_since = null
              where name = $1 and incarnation = $2 and parked_position is not null",
            name,
            self.incarnation(),
        )
        .execute(self.pool())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
