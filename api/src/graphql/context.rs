//! Who asks, with which tools: what every resolver finds in its context.
//!
//! Does not know the schema's types.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_graphql::{Context, dataloader::DataLoader};
use commands::Actor;

use super::{access::access, loaders::Rows, scalars::Position};
use crate::{auth, door::Visit, operations::Access, problem::Problem, server::App};

/// One request's view of the surface.
#[derive(Clone)]
pub struct Asker {
    app: App,
    caller: Option<Actor>,
    /// The least that any read of this request reflects.
    reflected: Arc<AtomicU64>,
    rows: Arc<DataLoader<Rows>>,
}

impl Asker {
    /// For one request.
    pub fn new(app: App, visit: &Visit) -> Asker {
        let rows = Arc::new(DataLoader::new(Rows::new(app.clone()), tokio::spawn));
        let reflected = Arc::new(AtomicU64::new(u64::MAX));
        Asker { app, caller: visit.caller.clone(), reflected, rows }
    }

    /// The surface.
    pub fn app(&self) -> &App {
        &self.app
    }

    /// Reads of single rows, gathered.
    pub fn rows(&self) -> &DataLoader<Rows> {
        &self.rows
    }

    /// What the reply reflects; none when no read model was asked.
    pub fn reflected(&self) -> Option<u64> {
        Some(self.reflected.load(Ordering::Relaxed)).filter(|position| *position < u64::MAX)
    }

    fn note(&self, position: u64) {
        self.reflected.fetch_min(position, Ordering::Relaxed);
    }
}

/// Lets the caller into a field of the query root, and waits for the read models it asks.
pub async fn enter<'c>(
    context: &Context<'c>,
    models: &[&str],
    minimum: Option<Position>,
) -> Result<&'c Asker, Problem> {
    let asker = admitted(context)?;
    let position = asker.app.reach(models, minimum.map(|position| position.0)).await?;
    asker.note(position);
    Ok(asker)
}

/// The same for a field that reads the log itself.
pub async fn enter_log<'c>(
    context: &Context<'c>,
    minimum: Option<Position>,
) -> Result<(&'c Asker, u64), Problem> {
    let asker = admitted(context)?;
    let position = asker.app.log_reaches(minimum.map(|position| position.0)).await?;
    asker.note(position);
    Ok((asker, position))
}

/// The asker, when the field may answer it.
pub fn admitted<'c>(context: &Context<'c>) -> Result<&'c Asker, Problem> {
    let asker = asker(context)?;
    let field = context.field().name();
    match access(field) {
        Some(Access::Public(_)) => Ok(asker),
        Some(Access::Needs(permission)) => {
            auth::require(asker.caller.as_ref(), permission).map(|_| asker)
        }
        Some(Access::Open | Access::Command | Access::Fields) | None => {
            Err(Problem::internal(format!("the field {field} has no access rule")))
        }
    }
}

/// The asker, within a field that was entered before.
pub fn asker<'c>(context: &Context<'c>) -> Result<&'c Asker, Problem> {
    context.data::<Asker>().map_err(|error| Problem::internal(error.message))
}
