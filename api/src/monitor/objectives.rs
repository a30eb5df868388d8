//! Objectives: what was counted for each, minute by minute, and what it comes to.
//!
//! Does not judge: the domain does. Counts are telemetry, kept for as long as an objective looks
//! back.

use std::collections::HashMap;

use domain::monitoring::{
    AlertId, Count, Severity, SloId,
    alert::Source,
    slo::{
        Command, DAYS_MAX, Indicator, Slo as Aggregate, SloDefinition, Urgency, WINDOWS_S, Window,
    },
};
use projections::slos::Slo;
use tracing::debug;

use super::{request, rules, signals};
use crate::{problem::Problem, server::App};

/// How long a slot is, in seconds.
const SLOT_S: i64 = 60;
/// The seconds of a day.
const DAY_S: u32 = 86_400;

/// How much had been counted when it was last written down, by indicator.
#[derive(Default)]
pub(super) struct Counted(HashMap<String, (u64, u64)>);

impl Counted {
    /// Writes down what this process answered since the last time.
    pub(super) async fn write_down(&mut self, app: &App) -> Result<(), sqlx::Error> {
        let slos = match rules::all::<Slo>(app).await {
            Ok(slos) => slos,
            Err(problem) => {
                debug!(detail = problem.detail(), "objectives cannot be read");
                return Ok(());
            }
        };
        for slo in slos {
            let (total, bad) = match slo.definition.indicator {
                Indicator::Availability {} => app.answered.faults(),
                Indicator::Latency { within_ms } => app.answered.slow(within_ms),
                Indicator::Finality { .. } | Indicator::ProjectionLag { .. } => continue,
            };
            let subject = subject(&slo.slo, &slo.definition);
            // What was answered before the objective was defined is none of its.
            let (total_before, bad_before) = *self.0.entry(subject.clone()).or_insert((total, bad));
            let more = total.saturating_sub(total_before);
            // Both are counted on while they are read.
            let more = (more, bad.saturating_sub(bad_before).min(more));
            if more.0 > 0 {
                add(app, &subject, more).await?;
                self.0.insert(subject, (total, bad));
            }
        }
        Ok(())
    }
}

/// By what the counts of an objective are kept: one that says something else begins anew.
fn subject(id: &SloId, definition: &SloDefinition) -> String {
    match definition.indicator {
        Indicator::Availability {} => format!("{id}/availability"),
        Indicator::Finality { within_ms } => format!("{id}/finality/{within_ms}"),
        Indicator::Latency { within_ms } => format!("{id}/latency/{within_ms}"),
        Indicator::ProjectionLag { within_ms } => format!("{id}/projection-lag/{within_ms}"),
    }
}

async fn add(app: &App, subject: &str, (total, bad): (u64, u64)) -> Result<(), sqlx::Error> {
    let statement = "insert into slo_counts as c (subject, slot, total, bad)
         values ($1, extract(epoch from clock_timestamp())::bigint / $2, $3, $4)
         on conflict (subject, slot) do update
            set total = c.total + excluded.total, bad = c.bad + excluded.bad";
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    sqlx::query(statement)
        .bind(subject)
        .bind(SLOT_S)
        .bind(number(total))
        .bind(number(bad))
        .execute(&app.vital)
        .await?;
    Ok(())
}

/// Takes a sample of what is not counted by requests, and judges every objective.
pub(super) async fn look(app: &App) -> Result<(), Problem> {
    for slo in rules::all::<Slo>(app).await? {
        let within = match slo.definition.indicator {
            Indicator::Availability {} | Indicator::Latency { .. } => None,
            Indicator::Finality { within_ms } => {
                Some((signals::finality_lag_ms(app).await?, within_ms))
            }
            Indicator::ProjectionLag { within_ms } => {
                Some((signals::projection_lag_ms(app).await, within_ms))
            }
        };
        let subject = subject(&slo.slo, &slo.definition);
        if let Some((lag_ms, within_ms)) = within {
            add(app, &subject, (1, u64::from(lag_ms > u64::from(within_ms)))).await?;
        }
        let windows = windows(app, &subject, slo.definition.days).await?;
        if windows.iter().all(|window| window.total == Count::default()) {
            continue;
        }
        let command = Command::RecordSloState { windows };
        let done = app.commands.execute::<Aggregate>(slo.slo.clone(), command, request()).await;
        done.map_err(Problem::of_command)?;
        tell(app, &slo).await?;
    }
    forget(app).await
}

/// Raises or resolves the alert of an objective, by its state as it is now.
async fn tell(app: &App, slo: &Slo) -> Result<(), Problem> {
    let folded = app.commands.aggregate::<Aggregate>(&slo.slo).await?;
    let Some(state) = folded.and_then(|(slo, _)| slo.state) else { return Ok(()) };
    // An id that is too long is cut: the objective is named in the summary.
    let id: String = format!("slo-{}", slo.slo).chars().take(64).collect();
    let id = AlertId::try_from(id).map_err(Problem::internal)?;
    let severity = match state.urgency {
        Urgency::Page => Severity::Critical,
        Urgency::Ticket => Severity::Warning,
        Urgency::None => {
            let why = "the error budget lasts again";
            return rules::resolve(app, &id, &Source::Program {}, why).await;
        }
    };
    let (burn, left) = (state.burn_milli, state.budget_left_bps);
    let title = &slo.definition.title;
    let summary = format!(
        "{title}: the error budget is used up {}.{:03} times as fast as it may; {left} basis \
         points of it are left",
        burn / 1_000,
        burn % 1_000
    );
    rules::raise(app, &id, (false, severity), Source::Program {}, &summary).await
}

/// What was counted over each window that ends now.
async fn windows(app: &App, subject: &str, days: u16) -> Result<Vec<Window>, Problem> {
    let lengths: Vec<u32> = WINDOWS_S.into_iter().chain([u32::from(days) * DAY_S]).collect();
    let statement =
        "with now as (select extract(epoch from clock_timestamp())::bigint / $2 as slot)
         select w.window_s, coalesce(sum(c.total), 0)::bigint, coalesce(sum(c.bad), 0)::bigint
           from unnest($3::bigint[]) as w (window_s) cross join now
           left join slo_counts c on c.subject = $1 and c.slot > now.slot - w.window_s / $2
          group by w.window_s order by w.window_s";
    let lengths: Vec<i64> = lengths.into_iter().map(i64::from).collect();
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(statement)
        .bind(subject)
        .bind(SLOT_S)
        .bind(lengths)
        .fetch_all(&app.vital)
        .await?;
    let count = |number: i64| Count::new(number.unsigned_abs()).unwrap_or_default();
    let window = |(window_s, total, bad): (i64, i64, i64)| Window {
        bad: count(bad),
        total: count(total),
        window_s: u32::try_from(window_s).unwrap_or(u32::MAX),
    };
    Ok(rows.into_iter().map(window).collect())
}

/// Forgets what no objective looks back to.
async fn forget(app: &App) -> Result<(), Problem> {
    let statement = "delete from slo_counts
          where slot < extract(epoch from clock_timestamp())::bigint / $1 - $2";
    let kept = i64::from(DAYS_MAX) * i64::from(DAY_S) / SLOT_S;
    sqlx::query(statement).bind(SLOT_S).bind(kept).execute(&app.vital).await?;
    Ok(())
}
