//! One of a crowd: counts what it is sent, and comes back when it is cut off.

use std::{
    fmt,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use memchr::memmem;
use reqwest::{Method, RequestBuilder, Response};
use serde_json::json;
use tests::http::Http;
use tokio::io::AsyncReadExt;

use crate::roof::live::stalled;

const STREAM: &str = "/api/v1/events/stream";
const QUERY: &str = "subscription ($after: Position) { events(after: $after) { position type } }";
/// How long it waits before it comes back.
const BACK_AFTER: Duration = Duration::from_millis(100);
/// Longer than any campaign.
const LISTENS_MAX: Duration = Duration::from_secs(3_600);

/// On which way events come.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// Server-sent events of the log itself.
    Stream,
    /// A GraphQL subscription over server-sent events.
    Subscription,
}

/// What was written when, and how far all must get.
pub struct Clock {
    begun: Instant,
    first: u64,
    /// Microseconds after the beginning at which a position was acknowledged; 0 for not yet.
    written: Vec<AtomicU64>,
    there: AtomicU64,
    end: AtomicU64,
}

impl Clock {
    /// For so many events after a position.
    pub fn after(first: u64, events: u64) -> Clock {
        let written = (0..=events).map(|_| AtomicU64::new(0)).collect();
        let (there, end) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        Clock { begun: Instant::now(), first, written, there, end }
    }

    /// Everything up to here is in the log.
    pub fn is_written(&self, position: u64) {
        self.at(position).store(self.now(), Ordering::Relaxed);
    }

    /// Nothing comes after this.
    pub fn ends_at(&self, position: u64) {
        self.end.store(position, Ordering::Relaxed);
    }

    /// Waits until so many listen.
    pub async fn all_are_there(&self, subscribers: u64) {
        while self.there.load(Ordering::Relaxed) < subscribers {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_micros()).unwrap()
    }

    fn at(&self, position: u64) -> &AtomicU64 {
        &self.written[usize::try_from(position - self.first).unwrap()]
    }
}

/// What subscribers were sent.
#[derive(Default)]
pub struct Report {
    pub events: u64,
    pub lost: u64,
    pub doubled: u64,
    pub resumed: u64,
    /// Milliseconds from the acknowledgement of an event to its arrival.
    late_ms: Vec<u32>,
}

impl Report {
    pub fn and(mut self, other: Report) -> Report {
        self.events += other.events;
        self.lost += other.lost;
        self.doubled += other.doubled;
        self.resumed += other.resumed;
        self.late_ms.extend(other.late_ms);
        self
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut late = self.late_ms.clone();
        late.sort_unstable();
        let at = |share: usize| late.get(late.len() * share / 1_000).copied().unwrap_or(0);
        let Report { events, lost, doubled, resumed, .. } = self;
        let (half, most, nearly_all) = (at(500), at(950), at(990));
        write!(
            f,
            "{events} received, {lost} lost, {doubled} doubled, {resumed} resumed; \
             {half} / {most} / {nearly_all} ms after the append (p50 / p95 / p99)"
        )
    }
}

/// Listens until it has been sent everything.
pub async fn listen(way: Way, http: Http, clock: std::sync::Arc<Clock>) -> Report {
    let mut one = One { report: Report::default(), seen: clock.first, carried: Vec::new() };
    let mut is_there = false;
    while one.seen < clock.end.load(Ordering::Relaxed) {
        let Ok(mut response) = request(way, &http, one.seen).send().await else {
            tokio::time::sleep(BACK_AFTER).await;
            continue;
        };
        if !response.status().is_success() {
            tokio::time::sleep(BACK_AFTER).await;
            continue;
        }
        if is_there {
            one.report.resumed += 1;
        } else {
            clock.there.fetch_add(1, Ordering::Relaxed);
            is_there = true;
        }
        one.hear(way, &mut response, &clock).await;
    }
    one.report
}

fn request(way: Way, http: &Http, after: u64) -> RequestBuilder {
    let request = match way {
        Way::Stream => http.request(Method::GET, STREAM).header("last-event-id", after),
        Way::Subscription => {
            let body = json!({ "query": QUERY, "variables": { "after": after.to_string() } });
            let request = http.request(Method::POST, "/graphql/stream").json(&body);
            request.header("accept", "text/event-stream")
        }
    };
    request.timeout(LISTENS_MAX)
}

struct One {
    report: Report,
    seen: u64,
    /// The beginning of a frame whose end has not come.
    carried: Vec<u8>,
}

impl One {
    /// Until it has everything, or is cut off.
    async fn hear(&mut self, way: Way, response: &mut Response, clock: &Clock) {
        self.carried.clear();
        while let Ok(Some(chunk)) = response.chunk().await {
            let before = self.seen;
            let mut rest: &[u8] = &chunk;
            if !self.carried.is_empty() {
                self.carried.extend_from_slice(&chunk);
                let joined = std::mem::take(&mut self.carried);
                let taken = self.frames(way, &joined);
                self.carried = joined[taken..].to_vec();
                rest = &[];
            }
            let taken = self.frames(way, rest);
            self.carried.extend_from_slice(&rest[taken..]);
            if self.seen > before {
                let written = clock.at(self.seen).load(Ordering::Relaxed);
                if written > 0 {
                    let micros = clock.now().saturating_sub(written);
                    self.report.late_ms.push(u32::try_from(micros / 1_000).unwrap());
                }
            }
            if self.seen >= clock.end.load(Ordering::Relaxed) {
                return;
            }
        }
    }

    /// Counts whole frames; how many bytes they were.
    fn frames(&mut self, way: Way, bytes: &[u8]) -> usize {
        let mut taken = 0;
        for end in memmem::find_iter(bytes, b"\n\n") {
            if let Some(position) = position_of(way, &bytes[taken..end]) {
                self.count(position);
            }
            taken = end + 2;
        }
        taken
    }

    fn count(&mut self, position: u64) {
        if position <= self.seen {
            self.report.doubled += 1;
            return;
        }
        self.report.events += 1;
        self.report.lost += position - self.seen - 1;
        self.seen = position;
    }
}

/// Of the event in a frame; none when there is none.
fn position_of(way: Way, frame: &[u8]) -> Option<u64> {
    let (before, after) = match way {
        Way::Stream => (b"id: ".as_slice(), b"\ndata: ".as_slice()),
        Way::Subscription => (
            b"event: next\ndata: {\"data\":{\"events\":{\"position\":\"".as_slice(),
            b"\",\"type\"".as_slice(),
        ),
    };
    let rest = frame.strip_prefix(before)?;
    let digits = &rest[..rest.iter().position(|byte| !byte.is_ascii_digit())?];
    rest[digits.len()..].starts_with(after).then_some(())?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Asks for everything, reads nothing for so long, and then to the end: the kind of problem in the
/// last word.
pub async fn sleeper(place: String, sleeps_ms: u64) -> String {
    let mut stream = stalled(&place).await;
    tokio::time::sleep(Duration::from_millis(sleeps_ms)).await;
    let mut read = Vec::new();
    stream.read_to_end(&mut read).await.unwrap();
    let text = String::from_utf8_lossy(&read);
    let (_, last) = text.rsplit_once("/problems/").unwrap_or_default();
    last.split('"').next().unwrap_or_default().to_owned()
}
