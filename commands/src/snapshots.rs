//! Snapshots of our own chain's state: how one is made, kept, and then recorded.
//!
//! Does not decide whether one may be: the chain does. A snapshot is state, not record: it can be
//! made anew from the log, and pruning removes nothing else. What blocks came to is record, and
//! stays, because it is what read models and later processes fold.

use domain::{
    aggregate::Aggregate as _,
    chain::{self, Chain, ChainStream, Command, Refusal},
    values::{ChainId, Height},
};
use event_store::{RecordError, StoreError};

use crate::{
    error::CommandError,
    execute::{Commands, Handled as _, stream_of},
    lane::{self, Answer},
    request::RequestContext,
};

impl Commands {
    /// Makes a snapshot of the state after a height, away from the threads that serve requests,
    /// keeps it, and records it: no event can name one that is not there.
    pub async fn create_snapshot(
        &self,
        chain: &ChainId,
        height: Height,
        context: RequestContext,
    ) -> Answer<Chain> {
        let stream = self.newest_stream(chain).await.map_err(CommandError::Unavailable)?;
        let command = Command::CreateSnapshot { height };
        // What will be refused need not be made.
        let dry = RequestContext { dry_run: true, idempotency_key: None, ..context.clone() };
        let would = self.execute::<Chain>(stream.clone(), command.clone(), dry).await;
        let missing = Refusal::SnapshotNotMade { height };
        if matches!(&would, Err(CommandError::Refused(refusal)) if *refusal == missing)
            && let Some(made) = self.made_snapshot(chain, height).await?
        {
            let (snapshot, prunable) = made;
            if context.dry_run {
                return self.would_record(&stream, &command, snapshot, &context).await;
            }
            self.store.put_prunable(&prunable).await.map_err(CommandError::from_blob)?;
            self.rooms.snapshots.insert((chain.clone(), height), snapshot);
        }
        self.execute::<Chain>(stream, command, context).await
    }

    /// A snapshot with what is kept of it; none when the state is not at hand.
    async fn made_snapshot(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<(chain::Snapshot, event_store::prunable::Prunable)>, CommandError<Refusal>>
    {
        let taken = self.taken(chain, height).await.map_err(CommandError::Unavailable)?;
        let Some(taken) = taken else { return Ok(None) };
        // Only what runs on the same threads as requests must be short.
        let made = tokio::task::spawn_blocking(move || taken.made()).await;
        let unusable = |why: String| CommandError::Invalid(RecordError::Malformed(why));
        match made {
            Ok(Ok(made)) => Ok(Some(made)),
            Ok(Err(why)) => Err(unusable(why.to_string())),
            Err(_) => Err(unusable("making the snapshot ended in a panic".to_owned())),
        }
    }

    /// What recording a snapshot that is not kept would come to.
    async fn would_record(
        &self,
        stream: &ChainStream,
        command: &Command,
        snapshot: chain::Snapshot,
        context: &RequestContext,
    ) -> Answer<Chain> {
        let unavailable = |error: StoreError| CommandError::Unavailable(error);
        let folded = self.state::<Chain>(stream).await.map_err(unavailable)?;
        let known = Chain::prepare(self, stream, &folded.state, command, context).await;
        let known = known.map_err(unavailable)?;
        let known = chain::Known { snapshot: Some(snapshot), ..known };
        let facts = folded.state.decide(command, &known).map_err(CommandError::Refused)?;
        let name = stream_of::<Chain>(stream).map_err(CommandError::Invalid)?;
        lane::would(name, folded.version, &facts, context.command_id())
            .map_err(CommandError::Invalid)
    }
}
