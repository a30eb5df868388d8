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

/// What one request's reads must reflect, and what they do reflect.
pub struct View {
    app: App,
    /// The greatest position that a field of the query root was asked to reflect.
    wanted: AtomicU64,
    /// The least that any read of this request reflects.
    reflected: AtomicU64,
}

impl View {
    /// Waits until a read model reflects what the request asks for.
    pub async fn reach(&self, models: &[&str]) -> Result<(), Problem> {
        let wanted = Some(self.wanted.load(Ordering::Relaxed)).filter(|position| *position > 0);
        self.note(self.app.reach(models, wanted).await?);
        Ok(())
    }

    fn note(&self, position: u64) {
        self.reflected.fetch_min(position, Ordering::Relaxed);
    }
}

/// One request's way to the surface.
#[derive(Clone)]
pub struct Asker {
    app: App,
    caller: Option<Actor>,
    view: Arc<View>,
    rows: Arc<DataLoader<Rows>>,
}

impl Asker {
    /// For one request.
    pub fn new(app: App, visit: &Visit) -> Asker {
        let (wanted, reflected) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let view = Arc::new(View { app: app.clone(), wanted, reflected });
        let rows = Rows::new(app.clone(), Arc::clone(&view));
        let rows = Arc::new(DataLoader::new(rows, tokio::spawn));
        Asker { app, caller: visit.caller.clone(), view, rows }
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
        Some(self.view.reflected.load(Ordering::Relaxed)).filter(|position| *position < u64::MAX)
    }

    /// Waits until read models that a nested field asks reflect what the request asks for.
    pub async fn reach(&self, models: &[&str]) -> Result<(), Problem> {
        self.view.reach(models).await
    }
}

/// Lets the caller into a field of the query root, and waits for the read models it asks.
pub async fn enter<'c>(
    context: &Context<'c>,
    models: &[&str],
    minimum: Option<Position>,
) -> Result<&'c Asker, Problem> {
    let asker = admitted(context)?;
    let wanted = minimum.map_or(0, |position| position.0);
    asker.view.wanted.fetch_max(wanted, Ordering::Relaxed);
    asker.reach(models).await?;
    Ok(asker)
}

/// The same for a field that reads the log itself.
pub async fn enter_log<'c>(
    context: &Context<'c>,
    minimum: Option<Position>,
) -> Result<(&'c Asker, u64), Problem> {
    let asker = admitted(context)?;
    let position = asker.app.log_reaches(minimum.map(|position| position.0)).await?;
    asker.view.note(position);
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
