//! Lineage: requests that rest on one another.
//!
//! Knows neither streams nor versions: only whether it still holds.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::AppendRequest;
use crate::event::StreamName;

/// Requests of one stream, each decided on what the ones before it leave behind. When one of them
/// is not stored now, none after it is stored either, even where somebody else has brought the
/// stream to the version that it expects: it conflicts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Lineage(Arc<AtomicBool>);

impl Lineage {
    /// Whether one of its requests was not stored. Then a new lineage begins with what is stored.
    pub fn is_broken(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    pub(super) fn break_off(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Tells lineages apart while they exist.
    pub(super) fn key(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }
}

/// Finds the lineages among the requests of one call: a request that expects the version an earlier
/// one of its stream leaves behind rests on it.
#[derive(Default)]
pub(super) struct Lineages {
    ends: HashMap<StreamName, (u64, Lineage)>,
}

impl Lineages {
    pub(super) fn of(&mut self, request: &AppendRequest) -> Lineage {
        let expected = request.expected_version;
        let end = expected.saturating_add(request.events.len() as u64);
        let lineage = match self.ends.get(&request.stream) {
            Some((reached, lineage)) if *reached == expected => lineage.clone(),
            Some(_) | None => Lineage::default(),
        };
        self.ends.insert(request.stream.clone(), (end, lineage.clone()));
        lineage
    }
}
