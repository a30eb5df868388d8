//! The log in the database, compared with what is published of it: each event with its entry, each
//! tile with the hashes of the events, and their root with the one that is signed.
//!
//! Does not know what an event means, and believes nothing that is kept in memory.

use event_store::{EventStore, StoreError, StoredEvent, read::PAGE_EVENTS_MAX};
use evidence::{
    Edge, Filled, Hash, Kind, Piece, Source, SourceError,
    bundle::{self, BundleFault},
};

use super::{AuditDifference, AuditError};
use crate::seal::{Now, Published};

/// The bytes of a hash.
const HASH_BYTES: usize = 32;

/// The log as far as it is compared.
#[derive(Default)]
pub(super) struct LogAudit {
    edge: Edge,
}

/// What a step came to.
pub(super) enum Step {
    /// All that is published is compared.
    Whole,
    /// There is more.
    On {
        /// So many events were compared.
        events: u64,
    },
    /// This is not as it should be; the next step looks at it again.
    Found(AuditDifference),
}

impl LogAudit {
    /// How many events are compared.
    pub fn size(&self) -> u64 {
        self.edge.size()
    }

    /// Compares some more events.
    pub async fn step(
        &mut self,
        store: &EventStore,
        published: &Published,
        events_max: u64,
    ) -> Result<Step, AuditError> {
        // Nothing is published yet.
        let Ok(now) = published.now() else { return Ok(Step::Whole) };
        let size = self.size();
        if size >= now.size {
            return Ok(match size == now.size {
                true => Step::Whole,
                false => found(None, format!("{size} events were published, now {}", now.size)),
            });
        }
        let to = now.size.min(size + events_max.clamp(1, PAGE_EVENTS_MAX as u64));
        let positions: Vec<u64> = (size + 1..=to).collect();
        let events = match store.read_at(&positions).await {
            Err(StoreError::Unreadable { position, reason }) => {
                return Ok(found(position, format!("event {position} cannot be read: {reason}")));
            }
            events => events?,
        };
        let mut there = events.iter().map(|event| event.position);
        if let Some(missing) = positions.iter().find(|position| there.next() != Some(**position)) {
            let sentence = format!("event {missing} is published, and is not in the database");
            return Ok(found(*missing, sentence));
        }
        let (edge, full) = match grown(self.edge.clone(), events).await? {
            Ok(grown) => grown,
            Err(fault) => return Ok(found(None, format!("after event {size}: {fault}"))),
        };
        for (piece, ours) in &full {
            let theirs = published.source().get(&piece.to_string()).await?;
            if let Some(found) = differs(*piece, ours, theirs.as_deref()) {
                return Ok(Step::Found(found));
            }
        }
        if edge.size() == now.size && edge.root() != now.root {
            return Ok(Step::Found(at_the_edge(&edge, published.source(), &now).await?));
        }
        self.edge = edge;
        Ok(Step::On { events: to - size })
    }
}

fn found(position: impl Into<Option<u64>>, sentence: String) -> Step {
    Step::Found(AuditDifference::of_log(position.into(), sentence))
}

/// The edge with these events, and what is full by them.
async fn grown(
    mut edge: Edge,
    events: Vec<StoredEvent>,
) -> Result<Result<(Edge, Vec<Filled>), BundleFault>, tokio::task::JoinError> {
    let growing = tokio::task::spawn_blocking(move || {
        let mut full = Vec::new();
        for event in &events {
            edge.push(&event.record, &mut full)?;
        }
        Ok((edge, full))
    });
    growing.await
}

/// In what a piece that the events come to is not the published one.
fn differs(piece: Piece, ours: &[u8], theirs: Option<&[u8]>) -> Option<AuditDifference> {
    let theirs = match theirs {
        Some(theirs) if theirs == ours => return None,
        Some(theirs) => theirs,
        None => return Some(AuditDifference::of_log(None, format!("{piece} is missing"))),
    };
    if piece.kind == Kind::Entries {
        return Some(other_entry(piece, ours, theirs));
    }
    let hashes = ours.chunks(HASH_BYTES).zip(theirs.chunks(HASH_BYTES));
    let nth = hashes.take_while(|(ours, theirs)| ours == theirs).count();
    let sentence = format!("hash {nth} of {piece} is not that of the events in the database");
    Some(AuditDifference::of_log(None, sentence))
}

/// The first entry of a bundle that is not the event in the database.
fn other_entry(piece: Piece, ours: &[u8], theirs: &[u8]) -> AuditDifference {
    let (ours, theirs) = match (bundle::read(ours, piece.width), bundle::read(theirs, piece.width))
    {
        (Ok(ours), Ok(theirs)) => (ours, theirs),
        (Err(fault), _) | (_, Err(fault)) => {
            return AuditDifference::of_log(None, format!("{piece} cannot be read: {fault}"));
        }
    };
    let same = ours.iter().zip(&theirs).take_while(|(ours, theirs)| ours == theirs).count();
    let position = piece.index * evidence::WIDTH + same as u64 + 1;
    let sentence =
        format!("event {position} in the database is not the one that is published in {piece}");
    AuditDifference::of_log(Some(position), sentence)
}

/// The root is another: in what, if it is in the bundle that is not full.
async fn at_the_edge(
    edge: &Edge,
    source: &Source,
    now: &Now,
) -> Result<AuditDifference, SourceError> {
    for (piece, ours) in edge.partials() {
        if piece.kind == Kind::Entries
            && let Some(theirs) = source.get(&piece.to_string()).await?
            && theirs != ours
        {
            return Ok(other_entry(piece, &ours, &theirs));
        }
    }
    let (size, root): (u64, Hash) = (now.size, edge.root());
    let sentence = format!(
        "the {size} events in the database have the root {root}, and {} is signed",
        now.root
    );
    Ok(AuditDifference::of_log(None, sentence))
}
