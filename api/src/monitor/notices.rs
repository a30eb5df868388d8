//! Notices: whoever asked for it is told over HTTP or by mail that an alert is there, or is over.
//!
//! Does not know what an alert is about. Requests are signed by the rules of Standard Webhooks
//! (standardwebhooks.com, 1.0.0), with the service's own Ed25519 key (`v1a`), so that nobody shares
//! a secret. A notice is tried a few times, with growing pauses; one server at a time sends, and
//! what a crash interrupts is sent again under the same id.

mod places;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::Utc;
use commands::settings::Webhook;
use domain::{
    aggregate,
    monitoring::{Severity, alert::Event},
    values::PrincipalId,
};
use ed25519_dalek::{Signer as _, SigningKey};
use event_store::{Filter, StoredEvent};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{place, resilience::backoff, server::App};

/// Who sends, in PostgreSQL's list of advisory locks.
const PLACE: i64 = 0x6e6f_6465_306e_6f74;
/// The name of the sender's checkpoint.
const NAME: &str = "alert-notices";
/// How long it waits before it looks again, in milliseconds.
const LOOK_MS: u64 = 250;
/// How many events are looked at together.
const EVENTS_MAX: usize = 256;
/// How often a notice is tried.
const TRIES_MAX: u32 = 6;
/// How long one try may take, in milliseconds.
const TRY_MS_MAX: u64 = 5_000;
/// How public keys of webhooks begin.
const PUBLIC_PREFIX: &str = "whpk_";

/// The key that notices are signed with, as Standard Webhooks writes it.
pub fn public_key(app: &App) -> String {
    let key = SigningKey::from_bytes(&app.identities.webhook_seed());
    format!("{PUBLIC_PREFIX}{}", STANDARD.encode(key.verifying_key().as_bytes()))
}

/// A notice of one event.
struct Notice {
    id: Uuid,
    severity: Severity,
    body: String,
    /// The same for people: the subject of a letter, what it says, and where to look.
    subject: String,
    text: String,
    path: String,
}

/// Sends what is to be sent until the server closes. Addresses that are not public are spoken to
/// only where `private` is true.
pub async fn send(app: App, private: bool, closing: CancellationToken) {
    closing.run_until_cancelled(send_on(&app, private)).await;
}

async fn send_on(app: &App, private: bool) {
    let mut severities: BTreeMap<String, Severity> = BTreeMap::new();
    let mut place = None;
    loop {
        tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        place = place::held(&app.vital, PLACE, place).await;
        if place.is_none() {
            continue;
        }
        if let Err(error) = send_due(app, &mut severities, private).await {
            warn!(%error, "notices wait");
        }
    }
}

async fn send_due(
    app: &App,
    severities: &mut BTreeMap<String, Severity>,
    private: bool,
) -> Result<(), event_store::StoreError> {
    let from = app.store.checkpoint(NAME).await?.position;
    let names = ["alert-fired.v1", "alert-resolved.v1"];
    let event_types = names.map(str::to_owned).to_vec();
    let filter = Filter { event_types, ..Filter::default() };
    let page = app.store.read_all(from, &filter, EVENTS_MAX).await?;
    for stored in &page.events {
        if let Some(notice) = notice(stored, severities) {
            tell(app, &notice, private).await;
        }
        app.store.save_checkpoint(NAME, stored.position).await?;
    }
    if page.scanned_to > from {
        app.store.save_checkpoint(NAME, page.scanned_to).await?;
    }
    Ok(())
}

/// The notice of an event; none when nobody is to be told. An alert that is over was as bad as it
/// was when it was there: `severities` remembers.
fn notice(stored: &StoredEvent, severities: &mut BTreeMap<String, Severity>) -> Option<Notice> {
    let record = stored.parse().ok()?;
    let event: Event = aggregate::read(record.event_type, record.data.get()).ok()?;
    let alert = stored.stream.id().to_owned();
    let told = |what: &str, severity: Severity, words: String, data: serde_json::Value| {
        let at = record.at.to_rfc3339();
        let body = json!({
            "type": format!("alert.{what}"),
            "timestamp": at,
            "data": {"alert": alert, "severity": severity, "position": stored.position, "event": data},
        });
        Some(Notice {
            id: record.id,
            severity,
            body: body.to_string(),
            subject: format!("[{severity}] {alert} {what}"),
            text: format!("{words}\n\nThe alert {alert} ({severity}) was {what} at {at}."),
            path: format!("/api/v1/alerts/{alert}"),
        })
    };
    match event {
        Event::AlertFired(data) => {
            severities.insert(alert.clone(), data.severity);
            if data.silenced {
                return None;
            }
            told("fired", data.severity, data.summary.to_string(), json!(data))
        }
        Event::AlertResolved(data) => {
            // After a restart it is not remembered: then whoever is told of anything is told.
            let severity = severities.remove(&alert).unwrap_or(Severity::Critical);
            let words =
                data.reason.as_ref().map_or_else(|| "It is over.".to_owned(), ToString::to_string);
            told("resolved", severity, words, json!(data))
        }
        Event::AlertPending(_) | Event::AlertAcknowledged(_) | Event::AlertSilenced(_) => None,
    }
}

/// Tells everybody who asked to be told of what is this bad, all at once.
async fn tell(app: &App, notice: &Notice, private: bool) {
    let values = app.in_force.values();
    let wanted = |webhook: &&Webhook| webhook.severity <= notice.severity;
    let places = values.notifications.webhooks.iter().filter(wanted);
    let key = SigningKey::from_bytes(&app.identities.webhook_seed());
    let mails = values.notifications.mails.iter().filter(|mail| mail.severity <= notice.severity);
    let requests = places.map(|webhook| deliver(&webhook.url, notice, &key, private));
    let letters = mails.map(|mail| write(app, &mail.principal, notice));
    tokio::join!(futures::future::join_all(requests), futures::future::join_all(letters));
}

/// Writes to a person; the letter goes on its way by itself.
async fn write(app: &App, to: &PrincipalId, notice: &Notice) {
    let Notice { subject, text, path, .. } = notice;
    match app.identities.write_to(to, subject, text, path).await {
        Ok(true) => {}
        Ok(false) => warn!(%to, "there is nobody, or no address, to write to"),
        Err(problem) => warn!(%to, because = problem.detail(), "a letter was not written"),
    }
}

async fn deliver(url: &str, notice: &Notice, key: &SigningKey, private: bool) {
    let mut last = String::new();
    for attempt in 0..TRIES_MAX {
        if attempt > 0 {
            tokio::time::sleep(backoff(attempt)).await;
        }
        match post(url, notice, key, private).await {
            Ok(()) => {
                info!(url, id = %notice.id, "a notice was taken");
                return;
            }
            Err(Untaken::ForGood(why)) => {
                last = why;
                break;
            }
            Err(Untaken::ForNow(why)) => last = why,
        }
    }
    warn!(url, id = %notice.id, because = last, "a notice was not taken");
}

/// Why a notice was not taken.
enum Untaken {
    /// It may be taken later.
    ForNow(String),
    /// It will never be.
    ForGood(String),
}

async fn post(url: &str, notice: &Notice, key: &SigningKey, private: bool) -> Result<(), Untaken> {
    let (host, address) = places::of(url, private).await?;
    let client = client(&host, address).map_err(|error| Untaken::ForGood(error.to_string()))?;
    let sent_at = Utc::now().timestamp();
    let signed = format!("{}.{sent_at}.{}", notice.id, notice.body);
    let signature = STANDARD.encode(key.sign(signed.as_bytes()).to_bytes());
    let request = client
        .post(url)
        .header("content-type", "application/json")
        .header("webhook-id", notice.id.to_string())
        .header("webhook-timestamp", sent_at.to_string())
        .header("webhook-signature", format!("v1a,{signature}"))
        .body(notice.body.clone());
    let status = match request.send().await {
        Ok(answer) => answer.status(),
        Err(error) => return Err(Untaken::ForNow(error.without_url().to_string())),
    };
    match status.as_u16() {
        200..=299 => Ok(()),
        // Gone, by the rules of Standard Webhooks: whoever was there wants no more.
        410 => Err(Untaken::ForGood(status.to_string())),
        _ => Err(Untaken::ForNow(status.to_string())),
    }
}

/// A client that speaks to this address only, whatever the name resolves to in the meantime, and
/// goes nowhere else.
fn client(host: &str, address: SocketAddr) -> Result<reqwest::Client, reqwest::Error> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .timeout(Duration::from_millis(TRY_MS_MAX))
        .resolve(host, address)
        .build()
}
