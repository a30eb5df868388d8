//! Alerts of a Prometheus Alertmanager, and the key that our own notices are signed with.
//!
//! Does not know what is measured. What Alertmanager sends is its webhook's version 4
//! (prometheus.io/docs/alerting/latest/configuration, `webhook_config`).

use std::collections::BTreeMap;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use commands::{CommandError, Permission};
use domain::monitoring::{
    AlertId, Severity,
    alert::{Alert, Command, Refusal, Source},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::auth::visit;
use crate::{
    auth, body,
    monitor::{self, notices},
    params,
    problem::{Fault, Problem},
    server::App,
    submit,
};

/// The most alerts of one request.
pub const ALERTS_MAX: usize = 1_000;

/// What an Alertmanager sends. Members that are not needed are not looked at.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertmanagerMessage {
    /// The alerts of a group.
    pub alerts: Vec<AlertmanagerAlert>,
}

/// One of its alerts.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct AlertmanagerAlert {
    /// By what it is told from others.
    pub fingerprint: AlertId,
    /// Whether it is there.
    pub status: AlertmanagerStatus,
    /// `severity` and `alertname` are looked at.
    #[serde(default)]
    pub labels: BTreeMap<String, String>,
    /// `summary` and `description` are looked at.
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
}

/// Whether an alert is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AlertmanagerStatus {
    /// It is.
    Firing,
    /// It is over.
    Resolved,
}

/// What became of the alerts.
#[derive(Debug, Serialize, ToSchema)]
pub struct AlertsTaken {
    /// How many are there, or are over.
    pub taken: usize,
    /// How many there was nothing to say about: resolved, and never heard of.
    pub unknown: usize,
}

/// The key that notices are signed with.
#[derive(Debug, Serialize, ToSchema)]
pub struct NoticeKey {
    /// An Ed25519 public key, as Standard Webhooks writes it.
    #[schema(example = "whpk_11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=")]
    pub public_key: String,
}

/// A message as it is sent.
pub fn example() -> Value {
    json!({
        "version": "4",
        "groupKey": "{}:{alertname=\"HighLatency\"}",
        "status": "firing",
        "receiver": "node0",
        "groupLabels": {"alertname": "HighLatency"},
        "commonLabels": {"alertname": "HighLatency", "severity": "critical"},
        "commonAnnotations": {"summary": "requests are slow"},
        "externalURL": "http://alertmanager.example:9093",
        "alerts": [{
            "status": "firing",
            "labels": {"alertname": "HighLatency", "severity": "critical"},
            "annotations": {"summary": "requests are slow"},
            "startsAt": "2026-01-31T09:00:00Z",
            "endsAt": "0001-01-01T00:00:00Z",
            "generatorURL": "http://prometheus.example:9090/graph",
            "fingerprint": "1a30ba71cca2921f",
        }],
    })
}

impl AlertmanagerAlert {
    /// What it says, as a command.
    fn command(&self) -> Result<Command, Problem> {
        Ok(match self.status {
            AlertmanagerStatus::Firing => Command::Fire {
                pending: false,
                severity: self.severity(),
                source: Source::Alertmanager {},
                summary: monitor::label(self.summary())?,
            },
            AlertmanagerStatus::Resolved => Command::Resolve { reason: None },
        })
    }

    /// What Prometheus calls otherwise is a warning.
    fn severity(&self) -> Severity {
        match self.labels.get("severity").map(String::as_str) {
            Some("critical" | "page" | "error") => Severity::Critical,
            Some("info" | "none") => Severity::Info,
            Some(_) | None => Severity::Warning,
        }
    }

    fn summary(&self) -> &str {
        let said = ["summary", "description"].iter().find_map(|name| self.annotations.get(*name));
        let named = || self.labels.get("alertname");
        said.or_else(named).map_or("", String::as_str)
    }
}

/// `POST /api/v1/alertmanager`.
pub async fn take(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let max = app.body_bytes_max();
    let (parts, message) = body::read_as::<AlertmanagerMessage>(request, max, example).await?;
    let visit = visit(&parts)?;
    let actor = auth::require(visit.caller.as_ref(), Permission::MonitorManage)?;
    if message.alerts.len() > ALERTS_MAX {
        let detail = format!("must be {ALERTS_MAX} at most; {} are there", message.alerts.len());
        return Err(Problem::invalid_body(vec![Fault::at("/alerts", detail)]));
    }
    let context = submit::context(visit, actor);
    let item = |alert: AlertmanagerAlert| {
        let command = alert.command()?;
        Ok((alert.fingerprint, command, context.clone()))
    };
    let items = message.alerts.into_iter().map(item).collect::<Result<Vec<_>, Problem>>()?;
    let (mut taken, mut unknown) = (0, 0);
    for answer in app.commands.execute_all::<Alert>(items).await {
        match answer {
            Ok(_) => taken += 1,
            // It was over before we ever heard of it.
            Err(CommandError::Refused(Refusal::StandingForbids { .. })) => unknown += 1,
            Err(error) => return Err(Problem::of_command(error)),
        }
    }
    Ok(Json(AlertsTaken { taken, unknown }).into_response())
}

/// `GET /.well-known/notice-key.json`.
pub async fn notice_key(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    Ok(Json(NoticeKey { public_key: notices::public_key(&app) }).into_response())
}
