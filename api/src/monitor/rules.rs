//! Rules: each that is in use is asked what it makes of its measure, and its alert is raised or
//! resolved.
//!
//! Does not measure anything.

use domain::{
    monitoring::{
        AlertId, Count, RuleId, Severity,
        alert::{Alert, Command, Source},
        rule::{RuleDefinition, Signal, Verdict},
    },
    values::{LABEL_CHARS_MAX, Label, Moment, Reason},
};
use projections::{
    alert_rules::{AlertRule, RuleStanding},
    alerts::{self, AlertState},
    keyed::{self, Row},
};

use tracing::warn;

use super::{
    Memory, request,
    signals::{self, Measure},
};
use crate::{problem::Problem, rest::reply::read_problem, server::App};

/// The greatest measure that can be counted: 2^53 - 1.
const MEASURE_MAX: u64 = (1 << 53) - 1;

/// Looks at every rule. One that cannot be looked at does not keep the others from it.
pub(super) async fn look(app: &App, memory: &mut Memory) -> Result<(), Problem> {
    let now = super::request().at;
    for rule in all::<AlertRule>(app).await? {
        if let Err(problem) = look_at(app, memory, &rule, now).await {
            warn!(rule = %rule.rule, detail = problem.detail(), "it could not be looked at");
        }
    }
    Ok(())
}

async fn look_at(
    app: &App,
    memory: &mut Memory,
    rule: &AlertRule,
    now: Moment,
) -> Result<(), Problem> {
    let id = AlertId::try_from(rule.rule.to_string()).map_err(Problem::internal)?;
    let measure = match rule.standing {
        RuleStanding::Enabled => signals::measure(app, memory, rule.definition.signal).await?,
        RuleStanding::Draft | RuleStanding::Disabled => None,
    };
    if let Some(measure) = measure {
        return judge(app, memory, (&rule.rule, &id, &rule.definition), (measure, now)).await;
    }
    memory.out_since.remove(&rule.rule);
    if rule.standing == RuleStanding::Disabled {
        let source = Source::Rule { rule: rule.rule.clone() };
        resolve(app, &id, &source, "its rule is not in use any more").await?;
    }
    Ok(())
}

async fn judge(
    app: &App,
    memory: &mut Memory,
    (rule, id, definition): (&RuleId, &AlertId, &RuleDefinition),
    (Measure { value: measure, detail }, now): (Measure, Moment),
) -> Result<(), Problem> {
    // A measure that is greater than can be counted is as bad as the greatest.
    let sample = Count::new(measure.min(MEASURE_MAX)).map_err(Problem::internal)?;
    let source = Source::Rule { rule: rule.clone() };
    let since = memory.out_since.get(rule).copied();
    let pending = match definition.verdict(sample, since, now) {
        Verdict::Quiet => {
            memory.out_since.remove(rule);
            return resolve(app, id, &source, &format!("it is {measure} again")).await;
        }
        Verdict::Pending { since } => {
            memory.out_since.insert(rule.clone(), since);
            true
        }
        Verdict::Firing { since } => {
            memory.out_since.insert(rule.clone(), since);
            false
        }
    };
    let threshold = definition.threshold.value();
    let what = words(definition.signal);
    let found = detail.unwrap_or(format!("{what} {measure}, where {threshold} is the limit"));
    let summary = format!("{}: {found}", definition.title);
    raise(app, id, (pending, definition.severity), source, &summary).await
}

/// What a measure is called, before its number.
const fn words(signal: Signal) -> &'static str {
    match signal {
        Signal::AuditDivergences => "divergences are",
        Signal::ConnectedPowerBps => "basis points of the power that are connected are",
        Signal::DiskUsedBps => "basis points of the disk that are used are",
        Signal::Equivocations => "equivocations without a penalty are",
        Signal::FinalityLagMs => "milliseconds that finality is behind are",
        Signal::ProjectionLagMs => "milliseconds that read models are behind are",
        Signal::RefusalRateBps => "basis points of commands that are refused are",
        Signal::ReplicationLagMs => "milliseconds that a replica is behind are",
        Signal::StuckProcesses => "processes that cannot go on are",
    }
}

/// Every row of a read model that has one for each aggregate.
pub(super) async fn all<R: Row>(app: &App) -> Result<Vec<R>, Problem> {
    keyed::all(&app.vital, &keyed::Filter::default()).await.map_err(read_problem)
}

/// Raises an alert, unless it is there like that already.
pub(super) async fn raise(
    app: &App,
    id: &AlertId,
    (pending, severity): (bool, Severity),
    source: Source,
    summary: &str,
) -> Result<(), Problem> {
    let row = keyed::get::<alerts::Alert>(&app.vital, id.as_str()).await.map_err(read_problem)?;
    let is_there = row.is_some_and(|row| match row.standing {
        AlertState::Firing | AlertState::Acknowledged => pending || row.severity == severity,
        AlertState::Pending => pending && row.severity == severity,
        AlertState::Resolved => false,
    });
    if is_there {
        return Ok(());
    }
    let summary = label(summary)?;
    let command = Command::Fire { pending, severity, source, summary };
    let done = app.commands.execute::<Alert>(id.clone(), command, request()).await;
    done.map(drop).map_err(Problem::of_command)
}

/// Resolves an alert that is there, and that came from the same: others may have one of this name.
pub(super) async fn resolve(
    app: &App,
    id: &AlertId,
    source: &Source,
    why: &str,
) -> Result<(), Problem> {
    let row = keyed::get::<alerts::Alert>(&app.vital, id.as_str()).await.map_err(read_problem)?;
    if row.is_none_or(|row| row.standing == AlertState::Resolved || row.source != *source) {
        return Ok(());
    }
    let reason: Reason = why.parse().map_err(Problem::internal)?;
    let command = Command::Resolve { reason: Some(reason) };
    let done = app.commands.execute::<Alert>(id.clone(), command, request()).await;
    done.map(drop).map_err(Problem::of_command)
}

/// As much of a text as a label holds, on one line; `?` where nothing of it can be seen.
pub(crate) fn label(text: &str) -> Result<Label, Problem> {
    let line: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let cut: String = line.trim().chars().take(LABEL_CHARS_MAX).collect();
    let seen = if cut.is_empty() { "?" } else { cut.trim_end() };
    seen.parse().map_err(Problem::internal)
}
