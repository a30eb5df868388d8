//! Rate limits: sliding windows, kept in the database, so that what several servers grant together
//! is never more than the limit.
//!
//! Does not know what is limited. Those who ask at once are answered by one statement; while far
//! less than the limit is used, a server takes a thousandth of it in advance, which counts as used.
//! So never more than the limit is granted, and a thousandth for each server less at most. While
//! the database does not answer, each server counts for itself.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Mutex, PoisonError, RwLock},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use sqlx::PgPool;
use tokio::sync::{mpsc, oneshot};

use crate::{
    operations::Class,
    problem::{Kind, Problem},
    resilience::Breaker,
};

/// How long a window is, in seconds.
pub const WINDOW_S: u32 = 60;
/// How long an answer of the database is waited for, in milliseconds.
const WAIT_MS_MAX: u64 = 250;
/// How long one statement may take before the database counts as away, in milliseconds.
const STATEMENT_MS_MAX: u64 = 1_000;
/// How many are answered by one statement.
const ASKED_AT_ONCE_MAX: usize = 1_024;
/// How many wait for an answer at most; more are counted here.
const WAITING_MAX: usize = 8_192;
/// After how many failures in a row the database is not asked for a while.
const FAILURES_MAX: u32 = 3;
/// For how long, in milliseconds.
const NOT_ASKED_MS: u64 = 1_000;
/// What is taken in advance: one in so many of a quota.
const ADVANCE_SHARE: u32 = 1_000;
/// Only while more than one in so many of a quota is left.
const ADVANCE_LEAVES: u32 = 10;
/// For how long it is good, in milliseconds, and not beyond its window.
const ADVANCE_MS_MAX: u64 = 5_000;
/// Of how many something is kept here; when there are more, all begin anew.
const LOCAL_KEYS_MAX: usize = 10_000;
/// How often windows that are over are forgotten, in seconds.
const SWEPT_EVERY_S: u64 = 60;

const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// How many requests a minute one caller may make, by their class; 0 for as many as they like.
#[derive(Clone, Copy, Debug)]
pub struct Quotas {
    /// Queries.
    pub queries: u32,
    /// Commands.
    pub commands: u32,
    /// What validators agree by.
    pub consensus: u32,
    /// Sign-ins, and credentials that are no good.
    pub sign_ins: u32,
}

impl Quotas {
    fn of(&self, class: Class) -> u32 {
        match class {
            Class::Vital => 0,
            Class::Consensus => self.consensus,
            Class::Command => self.commands,
            Class::Query => self.queries,
            Class::SignIn => self.sign_ins,
        }
    }
}

/// Where a caller stands with a limit.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Standing {
    class: Class,
    quota: u32,
    remaining: u32,
    /// Until the window is over, in seconds.
    resets_s: u32,
}

/// What a window says.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Window {
    slot: i64,
    /// How far it has gone, 0 to 1.
    elapsed: f64,
    previous: u32,
    used: u32,
}

impl Window {
    /// What may still be granted: the window before counts for as much of it as the last
    /// [`WINDOW_S`] seconds still cover.
    fn free(&self, quota: u32) -> u32 {
        let counted = f64::from(self.previous) * (1.0 - self.elapsed) + f64::from(self.used);
        (f64::from(quota) - counted).floor().max(0.0) as u32
    }

    /// How many seconds until one may be granted again.
    fn retry_s(&self, quota: u32) -> u32 {
        let windows = if self.used < quota {
            let least = 1.0 - f64::from(quota - self.used - 1) / f64::from(self.previous.max(1));
            least - self.elapsed
        } else {
            // In the next window this one is the one before.
            let least = 1.0 - f64::from(quota.saturating_sub(1)) / f64::from(self.used.max(1));
            1.0 - self.elapsed + least
        };
        ((windows * f64::from(WINDOW_S)).ceil() as u32).max(1)
    }
}

struct Ask {
    key: String,
    quota: u32,
    wanted: u32,
    answer: oneshot::Sender<(u32, Window)>,
}

/// What was taken in advance for a caller.
#[derive(Debug, Default)]
struct Advance {
    left: u32,
    /// Until when it is good.
    until: Option<Instant>,
    window: Window,
    /// Since when somebody asks for more: one at a time takes more than one. Who went away half-way
    /// is not waited for.
    asking: Option<Instant>,
}

/// Who counts.
#[derive(Debug)]
pub struct Rates {
    quotas: RwLock<Quotas>,
    asks: mpsc::Sender<Ask>,
    advances: Mutex<HashMap<String, Advance>>,
    local: Mutex<HashMap<String, Window>>,
}

impl Rates {
    /// Counts in this database, by connections of its own: whoever queries must not hold it up.
    pub fn start(pool: PgPool, quotas: Quotas) -> Rates {
        let (asks, asked) = mpsc::channel(WAITING_MAX);
        tokio::spawn(answer(pool, asked));
        Rates {
            quotas: RwLock::new(quotas),
            asks,
            advances: Mutex::default(),
            local: Mutex::default(),
        }
    }

    /// Other quotas from now on.
    pub fn set(&self, quotas: Quotas) {
        *self.quotas.write().unwrap_or_else(PoisonError::into_inner) = quotas;
    }

    /// Takes one of what a caller may do in a class; where they stand then. None when the class has
    /// no limit. An error, 429, when nothing is left.
    pub async fn take(&self, class: Class, caller: &str) -> Result<Option<Standing>, Problem> {
        let quota = self.quotas.read().unwrap_or_else(PoisonError::into_inner).of(class);
        if quota == 0 {
            return Ok(None);
        }
        let key = format!("{}:{caller}", class.as_str());
        let (granted, window, ahead) = match self.taken_before(&key, quota) {
            Ok((window, left)) => (true, window, left),
            Err(wanted) => match self.ask(&key, quota, wanted).await {
                Some((granted, window)) => {
                    let left = self.keep(&key, wanted, granted, window);
                    (granted > 0, window, left)
                }
                None => {
                    self.keep(&key, wanted, 0, Window::default());
                    let (granted, window) = self.take_here(&key, quota);
                    (granted, window, 0)
                }
            },
        };
        let remaining = window.free(quota) + ahead;
        let resets_s = (f64::from(WINDOW_S) * (1.0 - window.elapsed)).ceil() as u32;
        let standing = Standing { class, quota, remaining, resets_s };
        if granted {
            return Ok(Some(standing));
        }
        let what = class.as_str();
        let detail = format!("{quota} {what} requests in {WINDOW_S} seconds are the limit");
        let problem = Problem::new(Kind::RateLimited, detail)
            .with("quota", quota)
            .with("window_s", WINDOW_S)
            .with_header(header::RETRY_AFTER, HeaderValue::from(window.retry_s(quota)));
        let fields = standing.fields().into_iter();
        Err(fields.fold(problem, |problem, (name, value)| problem.with_header(name, value)))
    }

    /// One of what was taken in advance, and how much of it is left; else how many to ask for.
    fn taken_before(&self, key: &str, quota: u32) -> Result<(Window, u32), u32> {
        let mut advances = self.advances.lock().unwrap_or_else(PoisonError::into_inner);
        let advance = kept(&mut advances, key);
        if advance.left > 0 && advance.until.is_some_and(|until| Instant::now() < until) {
            advance.left -= 1;
            return Ok((advance.window, advance.left));
        }
        advance.left = 0;
        let plenty = advance.window.free(quota) > quota / ADVANCE_LEAVES;
        let patience = Duration::from_millis(WAIT_MS_MAX);
        if advance.asking.is_some_and(|since| since.elapsed() < patience) || !plenty {
            return Err(1);
        }
        advance.asking = Some(Instant::now());
        Err((quota / ADVANCE_SHARE).max(1))
    }

    /// Keeps what was granted beyond the one that was asked for; how much that is.
    fn keep(&self, key: &str, wanted: u32, granted: u32, window: Window) -> u32 {
        let mut advances = self.advances.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(advance) = advances.get_mut(key) else { return 0 };
        advance.window = window;
        if wanted > 1 {
            let rest_s = f64::from(WINDOW_S) * (1.0 - window.elapsed);
            let good = Duration::from_millis(ADVANCE_MS_MAX).min(Duration::from_secs_f64(rest_s));
            advance.asking = None;
            advance.left = granted.saturating_sub(1);
            advance.until = Some(Instant::now() + good);
        }
        advance.left
    }

    /// Asks the database; none when it does not answer in time.
    async fn ask(&self, key: &str, quota: u32, wanted: u32) -> Option<(u32, Window)> {
        let (answer, answered) = oneshot::channel();
        self.asks.try_send(Ask { key: key.to_owned(), quota, wanted, answer }).ok()?;
        let wait = Duration::from_millis(WAIT_MS_MAX);
        tokio::time::timeout(wait, answered).await.ok()?.ok()
    }

    /// The same, counted by this server alone.
    fn take_here(&self, key: &str, quota: u32) -> (bool, Window) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let windows = now.as_secs_f64() / f64::from(WINDOW_S);
        let (slot, elapsed) = (windows.floor() as i64, windows.fract());
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        let window = kept(&mut local, key);
        let (previous, used) = match slot - window.slot {
            0 => (window.previous, window.used),
            1 => (window.used, 0),
            _ => (0, 0),
        };
        *window = Window { slot, elapsed, previous, used };
        let granted = window.free(quota) > 0;
        window.used += u32::from(granted);
        (granted, *window)
    }
}

/// What is kept here of a key; nothing any more of all others when there are too many.
fn kept<'m, T: Default>(all: &'m mut HashMap<String, T>, key: &str) -> &'m mut T {
    if all.len() >= LOCAL_KEYS_MAX && !all.contains_key(key) {
        all.clear();
    }
    all.entry(key.to_owned()).or_default()
}

impl Standing {
    /// The header fields that say it (draft-ietf-httpapi-ratelimit-headers-10).
    fn fields(&self) -> [(HeaderName, HeaderValue); 2] {
        let Standing { class, quota, remaining, resets_s } = self;
        let name = class.as_str();
        let value = |text: String| HeaderValue::from_str(&text).expect("digits and a name");
        [
            (POLICY, value(format!("\"{name}\";q={quota};w={WINDOW_S}"))),
            (LIMIT, value(format!("\"{name}\";r={remaining};t={resets_s}"))),
        ]
    }

    /// Says it in a reply.
    pub fn write(&self, headers: &mut HeaderMap) {
        headers.extend(self.fields());
    }
}

/// What is asked of one window.
#[derive(Default)]
struct Asked {
    quota: u32,
    wanted: u32,
    answers: Vec<(u32, oneshot::Sender<(u32, Window)>)>,
}

/// Answers whoever asks, many at once, until nobody can ask any more.
async fn answer(pool: PgPool, mut asked: mpsc::Receiver<Ask>) {
    let breaker = Breaker::new(FAILURES_MAX, Duration::from_millis(NOT_ASKED_MS));
    let mut sweep = tokio::time::interval(Duration::from_secs(SWEPT_EVERY_S));
    let mut asks = Vec::new();
    loop {
        tokio::select! {
            count = asked.recv_many(&mut asks, ASKED_AT_ONCE_MAX) => if count == 0 { return },
            _ = sweep.tick() => {
                forget(&pool).await;
                continue;
            }
        }
        let mut by_key: BTreeMap<String, Asked> = BTreeMap::new();
        for Ask { key, quota, wanted, answer } in asks.drain(..) {
            let asked = by_key.entry(key).or_default();
            asked.quota = quota;
            asked.wanted += wanted;
            asked.answers.push((wanted, answer));
        }
        // Whoever is not answered counts for itself.
        if !breaker.admits() {
            continue;
        }
        let limit = Duration::from_millis(STATEMENT_MS_MAX);
        let counted = tokio::time::timeout(limit, count(&pool, &by_key)).await;
        match counted.unwrap_or(Err(sqlx::Error::PoolTimedOut)) {
            Ok(counted) => {
                breaker.succeeded();
                for (key, mut granted, window) in counted {
                    let asked = by_key.remove(&key).unwrap_or_default();
                    for (wanted, answer) in asked.answers {
                        let part = wanted.min(granted);
                        granted -= part;
                        // Who does not wait any more has gone.
                        answer.send((part, window)).unwrap_or_default();
                    }
                }
            }
            Err(error) => {
                breaker.failed();
                tracing::debug!(%error, "rate limits are counted by each server for itself");
            }
        }
    }
}

/// Counts all that was asked for, in the order of the keys: two servers never wait for each other
/// in a circle.
async fn count(
    pool: &PgPool,
    by_key: &BTreeMap<String, Asked>,
) -> Result<Vec<(String, u32, Window)>, sqlx::Error> {
    let number = |count: u32| i32::try_from(count).unwrap_or(i32::MAX);
    let (mut keys, mut wanted, mut quotas) = (Vec::new(), Vec::new(), Vec::new());
    for (key, asked) in by_key {
        keys.push(key.as_str());
        wanted.push(number(asked.wanted));
        quotas.push(number(asked.quota));
    }
    let statement = "insert into rate_windows as w \
             (key, slot, elapsed, previous, used, wanted, quota, granted) \
         select asked.key, floor(at.windows)::bigint, at.windows - floor(at.windows), 0, \
                least(asked.wanted, asked.quota), asked.wanted, asked.quota, \
                least(asked.wanted, asked.quota) \
           from unnest($1::text[], $2::int[], $3::int[]) as asked (key, wanted, quota), \
                (select extract(epoch from clock_timestamp())::float8 / $4 as windows) at \
          order by asked.key \
         on conflict (key) do update set \
             (slot, elapsed, previous, used, wanted, quota, granted) = ( \
                 select next.slot, next.elapsed, next.previous, next.used + next.granted, \
                        excluded.wanted, excluded.quota, next.granted \
                   from (select now.*, greatest(0, least(excluded.wanted, floor( \
                                    excluded.quota - now.previous * (1 - now.elapsed) \
                                        - now.used)))::int as granted \
                           from (select greatest(w.slot, excluded.slot) as slot, \
                                        case when w.slot > excluded.slot then w.elapsed \
                                             else excluded.elapsed end as elapsed, \
                                        case when w.slot >= excluded.slot then w.previous \
                                             when w.slot = excluded.slot - 1 then w.used \
                                             else 0 end as previous, \
                                        case when w.slot >= excluded.slot then w.used \
                                             else 0 end as used) now) next) \
         returning key, granted, slot, elapsed, previous, used";
    let rows: Vec<(String, i32, i64, f64, i32, i32)> = sqlx::query_as(statement)
        .bind(keys)
        .bind(wanted)
        .bind(quotas)
        .bind(f64::from(WINDOW_S))
        .fetch_all(pool)
        .await?;
    let row = |(key, granted, slot, elapsed, previous, used): (_, i32, _, _, i32, i32)| {
        let (previous, used) = (previous.unsigned_abs(), used.unsigned_abs());
        (key, granted.unsigned_abs(), Window { slot, elapsed, previous, used })
    };
    Ok(rows.into_iter().map(row).collect())
}

async fn forget(pool: &PgPool) {
    let statement = "delete from rate_windows \
         where slot < floor(extract(epoch from clock_timestamp()) / $1)::bigint - 1";
    if let Err(error) = sqlx::query(statement).bind(f64::from(WINDOW_S)).execute(pool).await {
        tracing::debug!(%error, "old rate windows are still there");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_window_before_counts_for_as_much_as_it_still_covers() {
        let window = Window { slot: 1, elapsed: 0.25, previous: 40, used: 10 };
        assert_eq!(window.free(100), 60);
        assert_eq!(window.free(40), 0);
        // One is free when 29 of the 40 in the window before still count: 1.5 seconds later.
        assert_eq!(window.retry_s(40), 2);
        let full = Window { slot: 1, elapsed: 0.5, previous: 0, used: 10 };
        assert_eq!(full.retry_s(10), 36, "half a window, and a tenth of the next");
    }

    #[test]
    fn a_caller_s_standing_is_told_as_the_draft_says() {
        let standing = Standing { class: Class::Query, quota: 100, remaining: 7, resets_s: 12 };
        let mut headers = HeaderMap::new();
        standing.write(&mut headers);
        assert_eq!(headers["ratelimit-policy"], "\"query\";q=100;w=60");
        assert_eq!(headers["ratelimit"], "\"query\";r=7;t=12");
    }
}
