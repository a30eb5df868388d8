//! `node0 admin roles`: roles, and who holds them.
//!
//! Does not change a role that is built in.

use clap::Subcommand;
use domain::{
    identity::{principal, role},
    values::{Label, PermissionName, PrincipalId, RoleName},
};

use super::{Desk, table, told};
use crate::{
    cli::{Failure, terminal::Terminal},
    identity::listing::RoleView,
};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List all roles, and what each gives
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Say what a role of your own gives, for the first time or anew
    Define {
        /// Its name
        role: RoleName,
        /// What it is for
        #[arg(long)]
        description: Label,
        /// What its holders may do, e.g. validator:jail (may be repeated)
        #[arg(long, required = true)]
        permission: Vec<PermissionName>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take a role away that nobody holds
    Retire {
        /// Which
        role: RoleName,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Grant a role
    Grant {
        /// To whom
        id: PrincipalId,
        /// Which
        role: RoleName,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take a role back
    Revoke {
        /// From whom
        id: PrincipalId,
        /// Which
        role: RoleName,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    match verb {
        Verb::List { json } => {
            let all = desk.identities.roles().await.map_err(told)?;
            table(Terminal::new(json), ["ROLE", "FROM", "PERMISSIONS"], &all, cells)
        }
        Verb::Define { role, description, permission, json } => {
            let define = role::Command::Define { description, permissions: permission };
            let done = format!("{role} is defined");
            desk.execute::<role::RoleDefinition>(role, define, (done, json)).await
        }
        Verb::Retire { role, json } => {
            let done = format!("{role} is gone");
            let retire = role::Command::Retire {};
            desk.execute::<role::RoleDefinition>(role, retire, (done, json)).await
        }
        Verb::Grant { id, role, json } => {
            let done = format!("holds {role}");
            desk.principal(id, principal::Command::GrantRole { role }, &done, json).await
        }
        Verb::Revoke { id, role, json } => {
            let done = format!("holds {role} no more");
            desk.principal(id, principal::Command::RevokeRole { role }, &done, json).await
        }
    }
}

fn cells(one: &RoleView) -> [String; 3] {
    let from = if one.built_in { "built in" } else { "defined" };
    let permissions: Vec<&str> = one.permissions.iter().map(PermissionName::as_str).collect();
    [one.role.to_string(), from.to_owned(), permissions.join(" ")]
}
