//! What events name by its hash and folds need: the document a chain began with, and what blocks
//! came to.
//!
//! Does not know the folds. A fold that needs an attachment that is not kept parks the event's key
//! rather than pass over it.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    aggregate::Aggregate as _,
    chain::{self, Chain},
    ledger::{Entry, Execution, Ledger},
    values::Hash,
};
use event_store::{EventStore, Filter, StoreError, StoredEvent};

use crate::event::{Event, Fact};

/// What an event names.
#[derive(Debug)]
pub enum Attachment {
    /// The state a chain of our own begins with.
    Beginning(Vec<Entry>),
    /// What a block came to.
    Execution(Execution),
}

impl Attachment {
    fn read(fact: &Fact, content: &[u8]) -> Result<Attachment, String> {
        match named(fact) {
            Some((Kind::Beginning, _)) => {
                let document = String::from_utf8_lossy(content);
                let ledger = Ledger::genesis(&document).map_err(|fault| fault.to_string())?;
                Ok(Attachment::Beginning(ledger.entries().collect()))
            }
            Some((Kind::Execution, _)) => {
                let execution =
                    Execution::from_bytes(content).map_err(|fault| fault.to_string())?;
                Ok(Attachment::Execution(execution))
            }
            None => Err("it names nothing".to_owned()),
        }
    }

    /// What a block came to.
    pub fn execution(&self) -> Option<&Execution> {
        match self {
            Attachment::Execution(execution) => Some(execution),
            Attachment::Beginning(_) => None,
        }
    }

    /// Forgets the entries that do not pass.
    pub(crate) fn retain(&mut self, passes: impl FnMut(&Entry) -> bool) {
        match self {
            Attachment::Beginning(entries) => entries.retain(passes),
            Attachment::Execution(execution) => execution.changed.retain(passes),
        }
    }

    /// Every entry of the state that is another one now.
    pub fn entries(&self) -> &[Entry] {
        match self {
            Attachment::Beginning(entries) => entries,
            Attachment::Execution(execution) => &execution.changed,
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Beginning,
    Execution,
}

/// What a fact names by its hash.
fn named(fact: &Fact) -> Option<(Kind, Hash)> {
    let Fact::Chain(_, happened) = fact else { return None };
    match happened {
        chain::Event::GenesisInitialised(data) => Some((Kind::Beginning, data.genesis_hash)),
        chain::Event::BlockApplied(data) => Some((Kind::Execution, data.results)),
        chain::Event::ObservationStarted(_)
        | chain::Event::HeaderObserved(_)
        | chain::Event::HeaderRejected(_)
        | chain::Event::ForkDetected(_)
        | chain::Event::ForkResolved(_)
        | chain::Event::EpochClosed(_)
        | chain::Event::EpochOpened(_)
        | chain::Event::ChainHalted(_)
        | chain::Event::StateSnapshotCreated(_)
        | chain::Event::StatePruned(_)
        | chain::Event::ParametersScheduled(_) => None,
    }
}

/// Decodes stored events with their attachments, away from the threads that serve; says how many
/// bytes the attachments have.
pub async fn decode(
    store: &EventStore,
    stored: Vec<StoredEvent>,
) -> Result<(Vec<Event>, usize), StoreError> {
    let decoded = tokio::task::spawn_blocking(move || {
        stored.iter().map(Event::decode).collect::<Vec<Event>>()
    });
    let mut events = decoded.await.map_err(|_| StoreError::Closed)?;
    let named = |event: &Event| event.fact.as_ref().ok().and_then(named);
    let hashes: Vec<[u8; 32]> =
        events.iter().filter_map(named).map(|(_, hash)| *hash.as_bytes()).collect();
    if hashes.is_empty() {
        return Ok((events, 0));
    }
    let contents = store.blobs(&hashes).await?;
    let bytes = contents.iter().map(|(_, content)| content.len()).sum();
    let contents: BTreeMap<[u8; 32], bytes::Bytes> = contents.into_iter().collect();
    let attached = tokio::task::spawn_blocking(move || {
        for event in &mut events {
            attach(event, &contents);
        }
        events
    });
    Ok((attached.await.map_err(|_| StoreError::Closed)?, bytes))
}

/// Every event of a log that names an attachment, by its position, and the attachment's hash.
pub async fn named_in(store: &EventStore) -> Result<Vec<(u64, Hash)>, StoreError> {
    let filter = Filter { categories: vec![Chain::CATEGORY.to_owned()], ..Filter::default() };
    let mut found = Vec::new();
    let see = |event: StoredEvent| {
        let fact = Event::decode(&event).fact;
        let hash = fact.as_ref().ok().and_then(named).map(|(_, hash)| hash);
        found.extend(hash.map(|hash| (event.position, hash)));
    };
    store.each(&filter, see).await?;
    Ok(found)
}

fn attach(event: &mut Event, contents: &BTreeMap<[u8; 32], bytes::Bytes>) {
    let Ok(fact) = &event.fact else { return };
    let Some((_, hash)) = named(fact) else { return };
    let read = match contents.get(hash.as_bytes()) {
        Some(content) => Attachment::read(fact, content),
        None => Err("it is not kept".to_owned()),
    };
    let named = |why| format!("{} names {hash}: {why}", fact.name());
    event.attachment = Some(read.map(Arc::new).map_err(named));
}
