//! `node0 admin sessions`: who is signed in.
//!
//! Does not know from where.

use clap::Subcommand;
use domain::{
    identity::principal::Command,
    values::{PrincipalId, SessionId},
};

use super::{Desk, table, users};
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

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    match verb {
        Verb::List { id, json } => {
            let look = async |id: &PrincipalId| desk.identities.sessions(id).await;
            let rows = users::of_each(desk, id, look).await?;
            table(Terminal::new(json), ["PRINCIPAL", "SESSION", "ENDS"], &rows, |row| {
                let (session, ends) = (row.it.session.to_string(), row.it.expires_at.to_string());
                [row.principal.to_string(), session, ends]
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
