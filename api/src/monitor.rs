//! Is it well: what is measured, what rules and objectives make of it, and who is told.
//!
//! Does not decide what becomes of an alert: commands do. One server at a time watches, whichever
//! holds the place; all of them count what they answered.

pub mod answered;
mod defaults;
mod nodes;
pub mod notices;
mod objectives;
mod rules;
mod signals;

pub(crate) use rules::label;

use std::{collections::HashMap, time::Duration};

use commands::{Actor, RequestContext, Role};
use domain::{monitoring::RuleId, values::Moment};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{monitor::objectives::Counted, place, problem::Problem, server::App};

/// Who watches, in PostgreSQL's list of advisory locks.
const PLACE: i64 = 0x6e6f_6465_3077_6174;
/// How the watcher is named in events.
const ACTOR: &str = "monitor";

/// What a watcher remembers from one look to the next.
#[derive(Default)]
struct Memory {
    /// Since when what a rule measures has been out of bounds without a break.
    out_since: HashMap<RuleId, Moment>,
    /// How many commands there had been and how many of them were refused, at the last look.
    commands: (u64, u64),
    /// Since when nodes are watched: whoever has just begun has heard of nobody.
    watches_since: Option<Moment>,
}

/// A request of the watcher itself.
fn request() -> RequestContext {
    RequestContext::new(Actor::new(ACTOR, Role::Admin))
}

/// Looks every so many milliseconds until the server closes. Rules and objectives that everybody
/// wants are defined first, unless `defines` is false.
pub async fn watch(app: App, every_ms: u64, defines: bool, closing: CancellationToken) {
    closing.run_until_cancelled(watch_on(&app, every_ms, defines)).await;
}

async fn watch_on(app: &App, every_ms: u64, defines: bool) {
    let mut counted = Counted::default();
    let mut place = None;
    let mut memory = Memory::default();
    let mut undefined = defines;
    loop {
        tokio::time::sleep(Duration::from_millis(every_ms)).await;
        if let Err(error) = counted.write_down(app).await {
            debug!(%error, "what was answered is written down at the next look");
        }
        place = place::held(&app.vital, PLACE, place).await;
        if place.is_none() {
            memory = Memory::default();
            continue;
        }
        if undefined {
            match defaults::define(app).await {
                Ok(()) => undefined = false,
                Err(problem) => warn!(detail = problem.detail(), "not defined yet"),
            }
        }
        if let Err(problem) = look(app, &mut memory).await {
            warn!(detail = problem.detail(), "it could not be looked after");
        }
    }
}

async fn look(app: &App, memory: &mut Memory) -> Result<(), Problem> {
    nodes::look(app, memory).await?;
    rules::look(app, memory).await?;
    objectives::look(app).await
}
