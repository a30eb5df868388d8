//! What this process has committed last, as it was written: whoever reads right behind the appender
//! reads it here instead of asking the database for what has just been sent there.
//!
//! Knows nothing of who reads. It is one unbroken stretch of the log: what others append in between
//! ends it, and a new one begins.

use std::{
    collections::VecDeque,
    iter,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;

use crate::event::{StoredEvent, StreamName};

/// Bytes of records that are kept: about a second of the fastest appending.
const KEPT_BYTES_MAX: usize = 48 * 1024 * 1024;

/// The records of one request, as they were committed.
#[derive(Debug)]
pub(crate) struct Committed {
    /// Where the first of them stands.
    pub first: u64,
    pub stream: StreamName,
    /// The version of the stream before them.
    pub before: u64,
    /// The records, one after the other.
    pub bytes: Bytes,
    /// Where each of them ends.
    pub ends: Vec<usize>,
}

impl Committed {
    fn last(&self) -> u64 {
        self.first + self.ends.len() as u64 - 1
    }

    fn weight(&self) -> usize {
        size_of::<Committed>() + self.bytes.len() + self.ends.len() * size_of::<usize>()
    }

    /// Where its records of some positions are: which of them, and its place in the bytes.
    fn places(&self, positions: &Range<u64>) -> impl Iterator<Item = (u64, Range<usize>)> {
        let starts = iter::once(&0).chain(&self.ends);
        let places = starts.zip(&self.ends).map(|(start, end)| *start..*end);
        (0..).zip(places).filter(|(nth, _)| positions.contains(&(self.first + nth)))
    }

    /// Its events at some positions.
    fn events(&self, positions: &Range<u64>) -> impl Iterator<Item = StoredEvent> {
        self.places(positions).map(|(nth, place)| StoredEvent {
            position: self.first + nth,
            stream: self.stream.clone(),
            version: self.before + 1 + nth,
            record: self.bytes.slice(place),
        })
    }
}

/// Requests that were committed together: who reads takes them along, and the appender does not
/// wait for it.
#[derive(Debug)]
struct Batch {
    requests: Vec<Committed>,
    weight: usize,
}

/// Some positions of the log that this process has written itself, as it wrote them.
#[derive(Debug)]
pub struct Written {
    batches: Vec<Arc<Batch>>,
    positions: Range<u64>,
}

/// The newest stretch of the log, as far as it was written here.
#[derive(Debug, Default)]
pub(crate) struct Recent {
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    batches: VecDeque<Arc<Batch>>,
    weight: usize,
}

impl Batch {
    fn first(&self) -> u64 {
        self.requests.first().map_or(0, |request| request.first)
    }

    fn last(&self) -> u64 {
        self.requests.last().map_or(0, Committed::last)
    }
}

impl Written {
    /// Its records, one after the other, where they are.
    pub fn records(&self) -> impl Iterator<Item = &[u8]> {
        self.requests().flat_map(|request| {
            request.places(&self.positions).map(|(_, place)| &request.bytes[place])
        })
    }

    /// Its events.
    pub(crate) fn events(&self) -> impl Iterator<Item = StoredEvent> {
        self.requests().flat_map(|request| request.events(&self.positions))
    }

    fn requests(&self) -> impl Iterator<Item = &Committed> {
        self.batches.iter().flat_map(|batch| {
            let begin =
                batch.requests.partition_point(|request| request.last() < self.positions.start);
            let here = batch.requests[begin..].iter();
            here.take_while(|request| request.first < self.positions.end)
        })
    }
}

impl Recent {
    /// Keeps what was committed together, one request after the other in the order of the log.
    pub fn keep(&self, requests: Vec<Committed>) {
        let weight = requests.iter().map(Committed::weight).sum();
        let batch = Arc::new(Batch { requests, weight });
        let mut gone = Vec::new();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.batches.back().is_some_and(|last| last.last() + 1 != batch.first()) {
            gone.extend(kept.batches.drain(..));
            kept.weight = 0;
        }
        kept.weight += weight;
        kept.batches.push_back(batch);
        while kept.weight > KEPT_BYTES_MAX
            && let Some(oldest) = kept.batches.pop_front()
        {
            kept.weight -= oldest.weight;
            gone.push(oldest);
        }
    }

    /// What is after one position up to another, when all of it is here.
    pub fn between(&self, after: u64, to: u64) -> Option<Written> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (first, last) = (kept.batches.front()?.first(), kept.batches.back()?.last());
        if after + 1 < first || to > last || to <= after {
            return None;
        }
        let begin = kept.batches.partition_point(|batch| batch.last() <= after);
        let here = kept.batches.range(begin..).take_while(|batch| batch.first() <= to);
        Some(Written { batches: here.cloned().collect(), positions: after + 1..to + 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(first: u64, stream: &str, before: u64, records: &[&str]) -> Committed {
        let mut ends = Vec::new();
        let mut bytes = Vec::new();
        for record in records {
            bytes.extend_from_slice(record.as_bytes());
            ends.push(bytes.len());
        }
        let stream = StreamName::new(stream).unwrap();
        Committed { first, stream, before, bytes: bytes.into(), ends }
    }

    fn told(written: Option<Written>) -> Option<String> {
        let one = |event: StoredEvent| {
            let record = String::from_utf8(event.record.to_vec()).unwrap();
            format!("{} {}@{} {record}", event.position, event.stream, event.version)
        };
        let written = written?;
        let events: Vec<StoredEvent> = written.events().collect();
        assert!(written.records().eq(events.iter().map(|event| &event.record[..])));
        Some(events.into_iter().map(one).collect::<Vec<_>>().join(", "))
    }

    #[test]
    fn what_was_committed_is_read_as_it_was_written() {
        let recent = Recent::default();
        assert!(recent.between(0, 1).is_none());
        recent.keep(vec![request(5, "a-1", 0, &["one", "two"]), request(7, "b-1", 3, &["three"])]);
        recent.keep(vec![request(8, "a-1", 2, &["four", "five"])]);
        let all = "5 a-1@1 one, 6 a-1@2 two, 7 b-1@4 three, 8 a-1@3 four, 9 a-1@4 five";
        assert_eq!(told(recent.between(4, 9)).as_deref(), Some(all));
        assert_eq!(
            told(recent.between(5, 8)).as_deref(),
            Some("6 a-1@2 two, 7 b-1@4 three, 8 a-1@3 four")
        );
        for (after, to) in [(3, 9), (4, 10), (9, 9), (9, 12)] {
            assert!(recent.between(after, to).is_none(), "{after} {to}");
        }
    }

    #[test]
    fn what_others_appended_in_between_ends_it() {
        let recent = Recent::default();
        recent.keep(vec![request(1, "a-1", 0, &["one"])]);
        recent.keep(vec![request(3, "a-1", 2, &["three"])]);
        assert!(recent.between(0, 1).is_none() && recent.between(0, 3).is_none());
        assert_eq!(told(recent.between(2, 3)).as_deref(), Some("3 a-1@3 three"));
    }

    #[test]
    fn it_holds_so_much_and_no_more() {
        let recent = Recent::default();
        let long = "x".repeat(1024 * 1024);
        for position in 1..=100 {
            recent.keep(vec![request(position, "a-1", position - 1, &[&long])]);
        }
        assert!(recent.between(0, 100).is_none() && recent.between(51, 100).is_none());
        assert_eq!(recent.between(60, 100).map(|written| written.records().count()), Some(40));
    }
}
