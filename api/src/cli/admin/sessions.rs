//! `node0 admin sessions`: who is signed in.
//!
//! Does not know from where.

use clap::Subcommand;
use domain::{
    identity::principal::Command,
    values::{Moment, PrincipalId, SessionId},
};
use serde::Serialize;

use super::{Desk, table, told, users};
use crate::cli::{Failure, terminal::Terminal};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the open sessions of somebody, or of everybody
    List {
        /// Only of this one
        id: Option<PrincipalId>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End a session, or with --all every session of somebody
    Revoke {
        /// Whose
        id: PrincipalId,
        /// Which
        #[arg(required_unless_present = "all", conflicts_with = "all")]
        session: Option<SessionId>,
        /// Every one
        #[arg(long)]
        all: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

#[derive(Serialize)]
struct Row {
    principal: PrincipalId,
    session: SessionId,
    expires_at: Moment,
}

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    match verb {
        Verb::List { id, json } => {
            let mut rows = Vec::new();
            for principal in users::meant(desk, id).await? {
                let open = desk.identities.sessions(&principal).await.map_err(told)?;
                let unknown = || Failure::refused(format!("there is no principal {principal}"));
                rows.extend(open.ok_or_else(unknown)?.into_iter().map(|open| Row {
                    principal: principal.clone(),
                    session: open.session,
                    expires_at: open.expires_at,
                }));
            }
            table(Terminal::new(json), ["PRINCIPAL", "SESSION", "ENDS"], &rows, |row| {
                [row.principal.to_string(), row.session.to_string(), row.expires_at.to_string()]
            })
        }
        Verb::Revoke { id, session, all: _, json } => match session {
            Some(session) => {
                let revoke = Command::RevokeSession { by_owner: false, session };
                desk.principal(id, revoke, "has one session less", json).await
            }
            None => {
                let revoke = Command::RevokeAllSessions { by_owner: false };
                desk.principal(id, revoke, "has no session any more", json).await
            }
        },
    }
}
