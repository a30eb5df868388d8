//! Writers to a log that stand beside the server, as another process would.
//!
//! Their events mean nothing to anybody.

use std::sync::Arc;

use chrono::Utc;
use event_store::{
    AppendRequest, CommandDigest, CommandId, EventStore, Metadata, NewEvent, StoreOptions,
};
use serde_json::json;
use uuid::Uuid;

/// A log that is open beside the server's.
pub struct Writer {
    store: EventStore,
}

impl Writer {
    /// Opens the log of this database.
    ///
    /// # Panics
    /// When it cannot be opened.
    pub async fn open(url: &str) -> Writer {
        let store = EventStore::open(StoreOptions::new(url)).await.expect("the log opens");
        Writer { store }
    }

    /// Appends events of this type to a stream at this version, each with so many bytes of filling;
    /// the position of the last one.
    ///
    /// # Panics
    /// When the log refuses.
    pub async fn append(
        &self,
        stream: &str,
        version: u64,
        events: &[&'static str],
        bytes: usize,
    ) -> u64 {
        let data = json!({ "filling": "x".repeat(bytes) });
        let event = |name: &&'static str| NewEvent::new(*name, &data).expect("canonical");
        let request = AppendRequest {
            command: CommandId::fresh(),
            digest: CommandDigest(Uuid::from_u128(1)),
            stream: stream.parse().expect("a stream name"),
            expected_version: version,
            events: events.iter().map(event).collect(),
            metadata: Metadata {
                actor: Arc::from("tester"),
                causation: None,
                correlation: Writer::correlation(stream),
                reason: None,
                at: Utc::now(),
            },
        };
        self.store.append(request).await.expect("the log takes it").last_position
    }

    /// The story that all events of a stream belong to.
    pub fn correlation(stream: &str) -> Uuid {
        let mut bytes = [0; 16];
        for (place, byte) in bytes.iter_mut().zip(stream.bytes()) {
            *place = byte;
        }
        Uuid::from_bytes(bytes)
    }

    /// Stops in order.
    pub async fn close(&self) {
        self.store.close().await;
    }
}
