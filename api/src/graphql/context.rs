//! Who asks, with which tools: what every resolver finds in its context.
//!
//! Does not know the schema's types.

use std::{
    collections::BTreeMap,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use async_graphql::{Context, Error, ServerError, ServerResult, Value, dataloader::DataLoader};
use commands::Actor;
use uuid::Uuid;

use super::{
    access::{ACCESS, SUBSCRIPTIONS, access},
    loaders::Rows,
    scalars::Position,
};
use crate::{
    access_records, auth,
    live::Place,
    operations::{Access, Operation},
    problem::{Kind, Problem},
    replays::surface::of_the_present,
    server::App,
};

/// How long the first row asked for waits for others, to be read by the same statement. Resolving
/// the fields of a long list takes a busy machine more than the loader's own millisecond.
const GATHERING: Duration = Duration::from_millis(3);
/// Milliseconds a subscription waits for a read model to show what it is about to tell.
const CATCH_UP_MS_MAX: u64 = 30_000;

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
    /// From where.
    address: Option<IpAddr>,
    /// The story that its commands belong to.
    correlation: Uuid,
    view: Arc<View>,
    rows: Arc<DataLoader<Rows>>,
}

impl Asker {
    /// For one request of somebody, from somewhere; its commands are a story of their own.
    pub fn new(app: App, caller: Option<Actor>, address: Option<IpAddr>) -> Asker {
        Asker::within(Uuid::now_v7(), app, caller, address)
    }

    /// The same within a story.
    pub fn within(
        correlation: Uuid,
        app: App,
        caller: Option<Actor>,
        address: Option<IpAddr>,
    ) -> Asker {
        let (wanted, reflected) = (AtomicU64::new(0), AtomicU64::new(u64::MAX));
        let view = Arc::new(View { app: app.clone(), wanted, reflected });
        let rows = Rows::new(app.clone(), Arc::clone(&view));
        let rows = Arc::new(DataLoader::new(rows, tokio::spawn).delay(GATHERING));
        Asker { app, caller, address, correlation, view, rows }
    }

    /// Records that a field was not answered.
    pub fn record_refusal(&self, problem: &Problem) {
        self.app.recorder.record(access_records::Access {
            address: access_records::place(self.address),
            api_key: None,
            operation: Operation::GraphQlPost.entry().id,
            outcome: access_records::Outcome::Refused,
            principal: self.caller.as_ref().map(|actor| actor.name.to_string()),
            problem: Some(problem.kind().slug()),
        });
    }

    /// Who asks; none for a stranger.
    pub fn caller(&self) -> Option<&Actor> {
        self.caller.as_ref()
    }

    /// The story that its commands belong to.
    pub fn correlation(&self) -> Uuid {
        self.correlation
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

    /// Waits until read models reflect what a subscription is about to tell; nested fields will
    /// reflect it as well. A read model that is only slow is waited for much longer than a query
    /// would.
    pub async fn catch_up(&self, models: &[&str], position: u64) -> Result<(), Problem> {
        self.view.wanted.fetch_max(position, Ordering::Relaxed);
        let patience = Instant::now() + Duration::from_millis(CATCH_UP_MS_MAX);
        loop {
            match self.view.reach(models).await {
                Err(problem)
                    if problem.kind() == Kind::ReadModelBehind
                        && Instant::now() < patience
                        && !self.app.draining.is_cancelled() => {}
                result => return result,
            }
        }
    }

    /// Something that was read reflects this position.
    pub fn note(&self, position: u64) {
        self.view.note(position);
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
    let asker = admitted_by(ACCESS, context)?;
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

/// The asker, when the field may answer it: with something of the present.
pub fn admitted<'c>(context: &Context<'c>) -> Result<&'c Asker, Problem> {
    let asker = admitted_by(ACCESS, context)?;
    match asker.app.replayed {
        None => Ok(asker),
        Some(_) => Err(of_the_present()),
    }
}

/// The asker and a place for its subscription, when the field of the subscription root may answer
/// it.
pub fn subscribed(context: &Context<'_>) -> Result<(Asker, Place), Problem> {
    let asker = admitted_by(SUBSCRIPTIONS, context)?;
    Ok((asker.clone(), asker.app.places.take()?))
}

fn admitted_by<'c>(table: &[(&str, Access)], context: &Context<'c>) -> Result<&'c Asker, Problem> {
    let asker = asker(context)?;
    let field = context.field().name();
    match access(table, field) {
        Some(Access::Public(_)) => Ok(asker),
        Some(Access::Needs(permission)) => {
            let admitted = auth::require(asker.caller.as_ref(), permission);
            admitted.map(|_| asker).inspect_err(|problem| asker.record_refusal(problem))
        }
        Some(Access::Open | Access::SignedIn | Access::Command | Access::Fields) | None => {
            Err(Problem::internal(format!("the field {field} has no access rule")))
        }
    }
}

/// The asker, within a field that was entered before.
pub fn asker<'c>(context: &Context<'c>) -> Result<&'c Asker, Problem> {
    context.data::<Asker>().map_err(|error| Problem::internal(error.message))
}

/// What a field was asked with, by name.
pub type Arguments = BTreeMap<String, Value>;

/// What a field that is no method was asked with.
pub fn arguments(context: &Context<'_>) -> ServerResult<Arguments> {
    let given = context.field().arguments()?.into_iter();
    Ok(given.map(|(name, value)| (name.to_string(), value)).collect())
}

/// Why such a field is not answered, at its place in the document.
pub fn fault(context: &Context<'_>, problem: Problem) -> ServerError {
    context.set_error_path(Error::from(problem).into_server_error(context.item.pos))
}
