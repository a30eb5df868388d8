//! Rules, alerts, objectives, nodes and partitions: lists and single rows of read models that have
//! one row for each aggregate.
//!
//! Does not know what a row means.

use std::{fmt::Display, str::FromStr};

use ::projections::{
    Order, PageOf, Subject,
    alert_rules::{self, AlertRule},
    alerts::{self, Alert},
    keyed::{self, Filter, Row},
    partitions::{self, Partitions},
    peers::{self, Peer},
    slos::{self, Slo},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::{monitoring::Severity, values::ChainId};

use super::reply::{Asked, read_problem};
use crate::{
    graphql::Component,
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// A row as it is asked for.
pub trait Shown: Component + Row<Id: FromStr<Err: Display> + Display> {
    /// What one is called.
    const NOUN: &'static str;
    /// The path parameter that names one.
    const PARAMETER: &'static str;
    /// What it may be.
    const STANDINGS: &'static [&'static str];
    /// Whether lists begin with the newest, else they go by id.
    const NEWEST_FIRST: bool = false;

    /// Its stream's version.
    fn version(&self) -> u64;

    /// What else it may be searched by.
    fn class_wanted(_: &mut Params) -> Option<String> {
        None
    }
}

/// `GET /api/v1/<collection>`.
pub async fn list<R: Shown>(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let standing = params.choose("standing", R::STANDINGS, |name| name);
    let class = R::class_wanted(&mut params);
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[R::NAME]).await?;
    let found: PageOf<R> = page_of(&app, &Filter { standing, class }, &page).await?;
    asked.list(&found)
}

/// A page of the rows that pass the filter, in the order of their list.
pub async fn page_of<R: Shown>(
    app: &App,
    filter: &Filter,
    page: &::projections::PageRequest,
) -> Result<PageOf<R>, Problem> {
    let found = match R::NEWEST_FIRST {
        true => keyed::latest(&app.pool, filter, Order::Newest, page).await,
        false => keyed::list(&app.pool, filter, page).await,
    };
    found.map_err(read_problem)
}

/// `GET /api/v1/<collection>/{id}`.
pub async fn get<R: Shown>(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let id: R::Id = path.get(R::PARAMETER)?;
    let subject = Subject::of_stream(R::CATEGORY, &id);
    let asked = Asked::about(&app, &parts, &[R::NAME], subject).await?;
    let row = keyed::get::<R>(asked.pool(&app), &id.to_string()).await.map_err(read_problem)?;
    let row = row.ok_or_else(|| Problem::not_found(R::NOUN, &id))?;
    asked.versioned(&row, row.version())
}

impl Component for AlertRule {
    const SCHEMA: &'static str = "RuleRow";
}

impl Shown for AlertRule {
    const NOUN: &'static str = "rule";
    const PARAMETER: &'static str = "rule";
    const STANDINGS: &'static [&'static str] = alert_rules::STANDINGS;

    fn version(&self) -> u64 {
        self.version
    }
}

impl Component for Alert {
    const SCHEMA: &'static str = "AlertRow";
}

impl Shown for Alert {
    const NOUN: &'static str = "alert";
    const PARAMETER: &'static str = "alert";
    const STANDINGS: &'static [&'static str] = alerts::STANDINGS;
    const NEWEST_FIRST: bool = true;

    fn version(&self) -> u64 {
        self.version
    }

    fn class_wanted(params: &mut Params) -> Option<String> {
        let chosen = params.choose("severity", &Severity::ALL, Severity::as_str);
        chosen.map(|severity| severity.to_string())
    }
}

impl Component for Slo {
    const SCHEMA: &'static str = "SloRow";
}

impl Shown for Slo {
    const NOUN: &'static str = "objective";
    const PARAMETER: &'static str = "slo";
    const STANDINGS: &'static [&'static str] = slos::STANDINGS;

    fn version(&self) -> u64 {
        self.version
    }
}

impl Component for Peer {
    const SCHEMA: &'static str = "PeerRow";
}

impl Shown for Peer {
    const NOUN: &'static str = "peer";
    const PARAMETER: &'static str = "peer";
    const STANDINGS: &'static [&'static str] = peers::STANDINGS;

    fn version(&self) -> u64 {
        self.version
    }

    fn class_wanted(params: &mut Params) -> Option<String> {
        params.take::<ChainId>("chain").map(|chain| chain.to_string())
    }
}

impl Component for Partitions {
    const SCHEMA: &'static str = "PartitionRow";
}

impl Shown for Partitions {
    const NOUN: &'static str = "partition";
    const PARAMETER: &'static str = "chain";
    const STANDINGS: &'static [&'static str] = partitions::STANDINGS;

    fn version(&self) -> u64 {
        self.version
    }
}
