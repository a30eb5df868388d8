//! The continuous audit: history is read again in the background, at a bounded cost. What is
//! published is compared with the log, and read models with what the log makes of them.
//!
//! Does not mend anything: whoever looks must decide which of the two is right. One server at a
//! time audits, whichever holds the place.

mod findings;
mod log;
mod records;
mod semantics;

use std::time::{Duration, Instant};

use event_store::StoreError;
use evidence::SourceError;
use projections::{CompareError, Comparison, compare, fold_to};
use sqlx::PgPool;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

pub use findings::{Audit, AuditDifference, AuditedReadModel, first_difference, read};
pub use records::{Records, read as reads};
pub use semantics::{Decided, Semantics};

use crate::{
    beside::{self, BesideError},
    place,
    server::App,
};
use log::{LogAudit, Step};

/// How many events a second are read again at most.
pub const AUDIT_EVENTS_PER_S: u64 = 10_000;
/// Seconds between two comparisons.
pub const AUDIT_INTERVAL_S: u64 = 300;
/// Seconds after which history is read again from the beginning.
pub const AUDIT_ANEW_S: u64 = 86_400;

/// Who audits, in PostgreSQL's list of advisory locks.
const PLACE: i64 = 0x6e6f_6465_3061_7564;
/// What the database is called in which it is folded, beside ours.
const BESIDE: &str = "audit";
/// Connections by which it is folded.
const CONNECTIONS_MAX: u32 = 4;
/// Comparing takes one part of so many of the time at most.
const COMPARING_PART: u32 = 10;

/// What an audit may cost.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// How many events a second are read again at most.
    pub events_per_s: u64,
    /// The least time between two comparisons.
    pub interval: Duration,
    /// When history is read again from the beginning.
    pub anew: Duration,
}

/// Why it does not go on for now.
#[derive(Debug, thiserror::Error)]
enum AuditError {
    #[error(transparent)]
    Beside(#[from] BesideError),
    #[error(transparent)]
    Compare(#[from] CompareError),
    #[error(transparent)]
    Log(#[from] StoreError),
    #[error(transparent)]
    Published(#[from] SourceError),
    #[error("the audit ended by itself: {0}")]
    Ended(#[from] tokio::task::JoinError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// History as far as it is read again.
struct Pass {
    /// Read models, folded anew.
    tables: PgPool,
    log: LogAudit,
}

/// Audits until the server closes.
pub async fn audit(app: App, options: Options, closing: CancellationToken) {
    closing.run_until_cancelled(audit_on(&app, options)).await;
}

async fn audit_on(app: &App, options: Options) {
    let (mut place, mut pass, mut said) = (None, None, None);
    let mut pause = options.interval;
    loop {
        sleep(pause).await;
        pause = options.interval;
        place = place::held(&app.vital, PLACE, place).await;
        if place.is_none() {
            pass = None;
            continue;
        }
        match round(app, options, &mut pass).await {
            Ok(comparing) => {
                said = None;
                pause = pause.max(comparing * (COMPARING_PART - 1));
            }
            Err(error) => {
                pass = None;
                let text = error.to_string();
                findings::stalled(&app.tables, &text).await.unwrap_or_default();
                // It comes back each time: said once.
                if said.as_ref() != Some(&text) {
                    warn!(because = %text, "the audit is tried again in a moment");
                    said = Some(text);
                }
            }
        }
    }
}

/// Reads again what is new, and compares; how long comparing took.
async fn round(
    app: &App,
    options: Options,
    slot: &mut Option<Pass>,
) -> Result<Duration, AuditError> {
    if !findings::goes_on(&app.tables, app.store.incarnation(), options.anew).await? {
        *slot = None;
        beside::drop(&app.tables, BESIDE).await?;
        findings::begin(&app.tables, app.store.incarnation()).await?;
        info!("history is read again from the beginning");
    }
    let pass = match slot.take() {
        Some(pass) => pass,
        None => {
            let tables = beside::open(&app.tables, BESIDE).await?;
            let tables = beside::pool(tables, CONNECTIONS_MAX);
            Pass { tables, log: LogAudit::default() }
        }
    };
    let pass = slot.insert(pass);
    let mut found: Vec<AuditDifference> = Vec::new();
    found.extend(pass.compare_log(app, options).await?);
    // A log that is not as it should be may not be one that can be folded.
    let compared = pass.compare_read_models(app, options, &mut found).await;
    let (models, done) = match compared {
        Ok((models, took)) => (Some(models), Ok(took)),
        Err(error) => (None, Err(error)),
    };
    for new in findings::compared(&app.tables, models, found).await? {
        error!(difference = new.sentence, "the audit found a difference");
    }
    done
}

impl Pass {
    /// Compares the log with what is published of it, as far as it is; the first difference.
    async fn compare_log(
        &mut self,
        app: &App,
        options: Options,
    ) -> Result<Option<AuditDifference>, AuditError> {
        let Some(published) = &app.published else { return Ok(None) };
        loop {
            let begun = Instant::now();
            match self.log.step(&app.store, published, options.events_per_s).await? {
                Step::Whole => return Ok(None),
                Step::Found(difference) => return Ok(Some(difference)),
                Step::On { events } => {
                    findings::log_is_at(&app.tables, self.log.size()).await?;
                    pace(options, events, begun).await;
                }
            }
        }
    }

    /// Compares read models with what the log makes of them; what each was found to be, and how
    /// long comparing took.
    async fn compare_read_models(
        &self,
        app: &App,
        options: Options,
        found: &mut Vec<AuditDifference>,
    ) -> Result<(Vec<AuditedReadModel>, Duration), AuditError> {
        self.fold(app, options).await?;
        let begun = Instant::now();
        let mut models = Vec::new();
        for projection in projections::all() {
            let name = projection.name();
            let compared = compare(projection, &app.store, &app.tables, &self.tables).await?;
            if let Comparison::Differs(row) = &compared {
                found.push(AuditDifference::of_row(row.clone()));
            }
            models.push(AuditedReadModel::of(name, compared));
        }
        Ok((models, begun.elapsed()))
    }

    /// Folds all read models on to the head of the log.
    async fn fold(&self, app: &App, options: Options) -> Result<(), AuditError> {
        let names: Vec<&str> = app.projections.names().collect();
        let head = app.store.head().await?.position;
        let mut at = app.projections.position_in(&self.tables, &names).await?;
        while at < head {
            let begun = Instant::now();
            let until = head.min(at.saturating_add(options.events_per_s));
            fold_to(projections::all(), &app.store, &self.tables, until).await?;
            findings::is_at(&app.tables, until).await?;
            pace(options, until - at, begun).await;
            at = until;
        }
        Ok(())
    }
}

/// Waits until so many events are no more than there may be a second.
async fn pace(options: Options, events: u64, begun: Instant) {
    let millis = events.saturating_mul(1_000) / options.events_per_s.max(1);
    sleep(Duration::from_millis(millis).saturating_sub(begun.elapsed())).await;
}
