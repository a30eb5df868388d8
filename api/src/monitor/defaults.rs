//! Rules and objectives that everybody wants: defined once, when a service begins.
//!
//! Whoever changes or disables one is not contradicted: the commands were done already.

use commands::{Handled, RequestContext};
use domain::monitoring::{rule::AlertRule, slo::Slo};
use serde_json::{Value, json};

use super::request;
use crate::problem::Problem;
use crate::server::App;

/// Defines and enables them, unless that was done before.
pub(super) async fn define(app: &App) -> Result<(), Problem> {
    for (id, command) in rules() {
        command_once::<AlertRule>(app, id, command).await?;
        command_once::<AlertRule>(app, id, json!({"command": "enable-rule"})).await?;
    }
    for (id, command) in objectives() {
        command_once::<Slo>(app, id, command).await?;
    }
    Ok(())
}

/// Does a command unless its key says that it was done before.
async fn command_once<A>(app: &App, id: &str, command: Value) -> Result<(), Problem>
where
    A: Handled<Id: std::str::FromStr<Err: std::fmt::Display>, Command: serde::de::DeserializeOwned>,
{
    let key = format!("default/{id}/{}", command["command"].as_str().unwrap_or_default());
    let parsed: A::Id = id.parse().map_err(|error| Problem::internal(format!("{error}")))?;
    let command = serde_json::from_value(command).map_err(Problem::internal)?;
    let context: RequestContext = request().with_key(&key);
    let done = app.commands.execute::<A>(parsed, command, context).await;
    done.map(drop).map_err(Problem::of_command)
}

/// Signal, side, limit, seconds, severity and title of each rule, by its name.
fn rules() -> Vec<(&'static str, Value)> {
    let rule =
        |signal: &str, (side, threshold): (&str, u32), for_s: u32, severity: &str, title: &str| {
            json!({
                "command": "define-rule", "signal": signal, "comparison": side,
                "threshold": threshold.to_string(), "for_s": for_s, "severity": severity,
                "title": title,
            })
        };
    vec![
        (
            "audit-divergence",
            rule(
                "audit-divergences",
                ("above", 0),
                0,
                "critical",
                "what is kept is not what it should be",
            ),
        ),
        ("disk-used", rule("disk-used-bps", ("above", 9_000), 60, "critical", "the disk fills up")),
        (
            "equivocation",
            rule(
                "equivocations",
                ("above", 0),
                60,
                "critical",
                "a validator equivocated and is not punished",
            ),
        ),
        (
            "finality-lag",
            rule(
                "finality-lag-ms",
                ("above", 30_000),
                30,
                "critical",
                "transactions do not become final",
            ),
        ),
        (
            "projection-lag",
            rule("projection-lag-ms", ("above", 10_000), 30, "warning", "read models are behind"),
        ),
        (
            "quorum-at-risk",
            rule("connected-power-bps", ("below", 8_000), 30, "critical", "the quorum is at risk"),
        ),
        (
            "refusal-rate",
            rule("refusal-rate-bps", ("above", 5_000), 120, "warning", "commands are refused"),
        ),
        (
            "replication-lag",
            rule("replication-lag-ms", ("above", 10_000), 60, "warning", "a replica is behind"),
        ),
        (
            "stuck-process",
            rule("stuck-processes", ("above", 0), 0, "critical", "a process cannot go on"),
        ),
    ]
}

/// The objectives of the service, by their names.
fn objectives() -> Vec<(&'static str, Value)> {
    let objective = |indicator: Value, bps: u32, title: &str| {
        json!({
            "command": "define-slo", "days": 30, "indicator": indicator, "objective_bps": bps,
            "title": title,
        })
    };
    vec![
        (
            "availability",
            objective(json!({"kind": "availability"}), 9_995, "requests are answered"),
        ),
        (
            "finality",
            objective(
                json!({"kind": "finality", "within_ms": 5_000}),
                9_900,
                "transactions become final in time",
            ),
        ),
        (
            "latency",
            objective(
                json!({"kind": "latency", "within_ms": 100}),
                9_500,
                "requests are answered in time",
            ),
        ),
        (
            "projection-lag",
            objective(
                json!({"kind": "projection-lag", "within_ms": 1_000}),
                9_900,
                "read models are up to date",
            ),
        ),
    ]
}
