//! The past: what one thing was, folded anew for each question.
//!
//! Knows the server only as its users do.

use std::time::Duration;

use api::cluster::Cluster;

use crate::{
    Outcome,
    ground::Ground,
    http::{self, Process},
    load,
    report::Report,
    wing,
};

/// Events of the thing that is asked for.
const EVENTS: usize = 1_000;
/// How long is asked before it counts: the first question makes the tables for all of them.
const WARM: Duration = Duration::from_secs(3);

/// The query of the nth question.
type Query = fn(usize) -> String;

/// A validator with many events, now and as of points of its history, one question after the other.
pub async fn of_one(
    cluster: &Cluster,
    node0: &str,
    period: Duration,
    report: &mut Report,
) -> Outcome<()> {
    let ground = Ground::migrated(cluster).await?;
    let address = wing::fill(ground.url(), EVENTS, 1).await?[0];
    let server = Process::node0(node0, ground.url())?;
    let path = format!("/api/v1/validators/{address}");
    let kinds: [(&str, Query); 3] = [
        ("now", |_| String::new()),
        ("as of any position", |nth| format!("?as_of={}", nth * 997 % EVENTS + 1)),
        ("as of the last", |_| format!("?as_of={EVENTS}")),
    ];
    for (name, query) in kinds {
        let path = path.clone();
        let asked = move |_, nth| http::get_bytes(&format!("{path}{}", query(nth)), http::TOKEN);
        load::http(server.address(), 1, WARM, 1, asked.clone()).await?;
        let figure = load::http(server.address(), 1, period, 1, asked).await?;
        if !query(0).is_empty() {
            let name = format!("one of {EVENTS} events, {name}: p95, ms");
            report.ceiling(&name, figure.p95_ms, 20.0);
        }
        report.record(&format!("one of {EVENTS} events, {name}"), figure);
    }
    drop(server);
    ground.clear().await
}
