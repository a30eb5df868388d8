//! `node0 admin alerts` and `node0 admin peers`: what is not well, and who is connected.
//!
//! Does not measure anything, and speaks to no node.

use clap::Subcommand;
use domain::{
    monitoring::{
        AlertId,
        alert::{self, Alert},
    },
    network::peer::{self, Peer},
    values::{Moment, PeerId, Reason},
};
use projections::{
    Order, alerts,
    keyed::{self, Filter, Row},
    page::every,
    peers,
};

use super::{Desk, table};
use crate::cli::{Failure, terminal::Terminal};

#[derive(Debug, Subcommand)]
pub enum Alerts {
    /// List alerts, those that began last first: those that are not over unless all are asked for
    List {
        /// Those that are over as well
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Tell nobody of an alert for a while
    Silence {
        /// Which
        alert: AlertId,
        /// Until when, e.g. 2026-12-24T18:00:00Z
        #[arg(long)]
        until: Moment,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Say that an alert is over
    Resolve {
        /// Which
        alert: AlertId,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, Subcommand)]
pub enum Peers {
    /// List nodes, by id
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Keep a node out
    Ban {
        /// Which
        peer: PeerId,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// When the ban ends by itself; never when it is not said
        #[arg(long)]
        until: Option<Moment>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Lift a ban
    Unban {
        /// Which
        peer: PeerId,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub async fn alerts(verb: Alerts, desk: &Desk) -> Result<(), Failure> {
    use alert::Command;
    let (id, command, done, json) = match verb {
        Alerts::List { all, json } => return list_alerts(desk, all, Terminal::new(json)).await,
        Alerts::Silence { alert, until, reason, json } => {
            (alert, Command::Silence { reason, until }, "is silent", json)
        }
        Alerts::Resolve { alert, reason, json } => {
            (alert, Command::Resolve { reason: Some(reason) }, "is over", json)
        }
    };
    let done = format!("{id} {done}");
    desk.execute::<Alert>(id, command, (done, json)).await
}

pub async fn peers(verb: Peers, desk: &Desk) -> Result<(), Failure> {
    use peer::Command;
    let (id, command, done, json) = match verb {
        Peers::List { json } => return list_peers(desk, Terminal::new(json)).await,
        Peers::Ban { peer, reason, until, json } => {
            (peer, Command::Ban { reason, until }, "stays out", json)
        }
        Peers::Unban { peer, json } => (peer, Command::Unban {}, "may come again", json),
    };
    let done = format!("{id} {done}");
    desk.execute::<Peer>(id, command, (done, json)).await
}

async fn list_alerts(desk: &Desk, all: bool, terminal: Terminal) -> Result<(), Failure> {
    let mut rows: Vec<alerts::Alert> = rows(desk).await?;
    rows.retain(|row| all || row.standing() != "resolved");
    table(terminal, ["ALERT", "STANDING", "SEVERITY", "SINCE", "SUMMARY"], &rows, |row| {
        [
            row.alert.to_string(),
            row.standing().to_owned(),
            row.severity.to_string(),
            row.begun_at.to_string(),
            row.summary.to_string(),
        ]
    })
}

async fn list_peers(desk: &Desk, terminal: Terminal) -> Result<(), Failure> {
    let rows: Vec<peers::Peer> = rows(desk).await?;
    table(terminal, ["PEER", "STANDING", "ADDRESS", "CHAIN"], &rows, |row| {
        let text = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
        [
            row.peer.to_string(),
            row.standing().to_owned(),
            text(row.address.as_ref().map(ToString::to_string)),
            text(row.chain_id.as_ref().map(ToString::to_string)),
        ]
    })
}

/// Every row, the newest first.
async fn rows<R: Row>(desk: &Desk) -> Result<Vec<R>, Failure> {
    let (pool, all) = (&desk.pool, &Filter::default());
    let found = every(|page| async move { keyed::latest(pool, all, Order::Newest, &page).await });
    found.await.map_err(Failure::unreachable)
}
