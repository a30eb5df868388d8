//! `node0 admin users`: persons and services.
//!
//! Does not show a name or a mail address: they are sealed.

use ::projections::{FIRST_MAX, PageRequest};
use clap::Subcommand;
use domain::{
    identity::principal::Command,
    values::{PrincipalId, Reason, RoleName},
};
use serde::Serialize;
use serde_json::json;

use super::{Desk, table, told};
use crate::{
    cli::{Failure, terminal::Terminal},
    identity::listing::{PrincipalView, Wanted},
    problem::Problem,
};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List persons and services: what each is, its roles, sessions and keys
    List {
        /// Only who has this mail address
        #[arg(long)]
        email: Option<String>,
        /// Only who holds this role
        #[arg(long)]
        role: Option<RoleName>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Invite a person; prints the token they register with
    Invite {
        /// Their mail address
        email: String,
        /// A role they get (may be repeated)
        #[arg(long)]
        role: Vec<RoleName>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Set a service up, which signs in by API keys
    Service {
        /// Its name, e.g. service-export or validator-<address>
        id: PrincipalId,
        /// A role it gets (may be repeated)
        #[arg(long)]
        role: Vec<RoleName>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Keep somebody out until they are reactivated
    Suspend {
        /// Who
        id: PrincipalId,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Let a suspended one back
    Reactivate {
        /// Who
        id: PrincipalId,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Take a lock off
    Unlock {
        /// Who
        id: PrincipalId,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End somebody for good
    Close {
        /// Who
        id: PrincipalId,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    match verb {
        Verb::List { email, role, json } => {
            let wanted = Wanted { email, role, standing: None };
            let all = all(desk, &wanted).await?;
            table(Terminal::new(json), HEADINGS, &all, cells)
        }
        Verb::Invite { email, role, json } => {
            let invited = desk.identities.invite(&email, &role, &desk.actor).await.map_err(told)?;
            let token = invited.token.unwrap_or_default();
            let object = json!({ "principal": invited.principal, "token": token });
            let sentence = |paint: crate::cli::terminal::Paint| {
                let token = paint.strong(&token);
                format!("invited {}; they register with the token {token}", invited.principal)
            };
            Terminal::new(json).say(sentence, &object)
        }
        Verb::Service { id, role, json } => {
            let (name, actor) = (id.to_string(), &desk.actor);
            let id = desk.identities.set_up_service(Some(id), &name, &role, actor).await;
            let id = id.map_err(told)?;
            let object = json!({ "principal": id });
            Terminal::new(json).say(|paint| paint.good(&format!("set {id} up")), &object)
        }
        Verb::Suspend { id, reason, json } => {
            desk.principal(id, Command::Suspend { reason }, "is suspended", json).await
        }
        Verb::Reactivate { id, json } => {
            desk.principal(id, Command::Reactivate {}, "is active again", json).await
        }
        Verb::Unlock { id, json } => {
            desk.principal(id, Command::Unlock {}, "is not locked any more", json).await
        }
        Verb::Close { id, reason, json } => {
            desk.principal(id, Command::Close { reason }, "is closed", json).await
        }
    }
}

/// Everybody wanted, page by page.
async fn all(desk: &Desk, wanted: &Wanted) -> Result<Vec<PrincipalView>, Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest::new(FIRST_MAX, after).map_err(Failure::refused)?;
        let mut page = desk.identities.principals(wanted, &page).await.map_err(told)?;
        all.append(&mut page.items);
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok(all),
        }
    }
}

/// Who is meant: one, or everybody.
async fn meant(desk: &Desk, id: Option<PrincipalId>) -> Result<Vec<PrincipalId>, Failure> {
    if let Some(id) = id {
        return Ok(vec![id]);
    }
    let all = all(desk, &Wanted::default()).await?;
    Ok(all.into_iter().map(|one| one.principal).collect())
}

/// Something of a principal's, as a row of a list.
#[derive(Serialize)]
pub(super) struct Row<T> {
    pub principal: PrincipalId,
    #[serde(flatten)]
    pub it: T,
}

/// What there is of one, or of everybody.
pub(super) async fn of_each<T>(
    desk: &Desk,
    id: Option<PrincipalId>,
    look: impl AsyncFn(&PrincipalId) -> Result<Option<Vec<T>>, Problem>,
) -> Result<Vec<Row<T>>, Failure> {
    let mut rows = Vec::new();
    for principal in meant(desk, id).await? {
        let unknown = || Failure::refused(format!("there is no principal {principal}"));
        let found = look(&principal).await.map_err(told)?.ok_or_else(unknown)?;
        rows.extend(found.into_iter().map(|it| Row { principal: principal.clone(), it }));
    }
    Ok(rows)
}

const HEADINGS: [&str; 7] =
    ["PRINCIPAL", "KIND", "STANDING", "ROLES", "2ND FACTOR", "SESSIONS", "KEYS"];

fn cells(one: &PrincipalView) -> [String; 7] {
    let roles: Vec<&str> = one.roles.iter().map(RoleName::as_str).collect();
    [
        one.principal.to_string(),
        word(&one.kind),
        word(&one.standing),
        roles.join(","),
        if one.second_factor { "yes" } else { "no" }.to_owned(),
        one.sessions.to_string(),
        one.api_keys.to_string(),
    ]
}

/// The name that something has in JSON.
fn word(value: &impl Serialize) -> String {
    let value = serde_json::to_value(value).unwrap_or_default();
    value.as_str().unwrap_or_default().to_owned()
}
