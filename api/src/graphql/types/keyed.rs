//! Settings, rules, alerts, objectives, nodes and partitions: the rows as they are over REST, in
//! GraphQL's manner.
//!
//! Does not know what a row means.

use std::str::FromStr;

use async_graphql::{
    Context, InputType as _, Value as Written,
    registry::{MetaField, Registry},
};
use chrono::{DateTime, Utc};
use domain::{
    configuration::Key,
    values::{PrincipalId, ValueError},
};
use futures::future::FutureExt as _;
use projections::{
    Subject, alert_rules, alerts,
    keyed::{self, Filter, Row as _},
    partitions, peers, settings, slos,
};
use serde_json::Value;
use sqlx::PgPool;

use super::{
    connections::{self, Found, Named, Page, page_told, text, told},
    lists::{Asked, List},
};
use crate::{
    graphql::{
        Component as _,
        context::{self, Arguments},
        past::{About, When},
        scalars::AsOf,
        shapes,
    },
    identity::listing::{self, PrincipalView},
    openapi::schemas,
    past::NoPoint,
    problem::Problem,
    replays::{self, Replay},
    rest::{
        keyed::{Shown, page_of},
        replays as of_replays,
        reply::read_problem,
        settings as of_settings,
    },
    server::App,
};

/// A point of the past: where the log ended, and when it was.
#[derive(Clone, Copy)]
struct Point {
    position: u64,
    at: DateTime<Utc>,
}

/// What reads one thing as it was.
type Then = for<'a> fn(&'a App, Point, &'a str) -> Found<'a, Option<Value>>;

/// A read model as it is asked for.
pub struct Kind {
    /// The field of one.
    pub one: &'static str,
    /// The argument that names one.
    parameter: &'static str,
    get: for<'a> fn(&'a App, &'a PgPool, &'a str) -> Found<'a, Option<Value>>,
    /// The category of the streams that say all about one; none when it has no past in the read
    /// models.
    category: Option<&'static str>,
    /// What it was, of what has its past in the log alone.
    then: Option<Then>,
    /// All of them.
    pub list: List,
}

/// What is asked for by its id, or as a list.
pub const KINDS: &[Kind] = &[
    Kind {
        one: "setting",
        parameter: "key",
        get: |_, pool, id| setting(pool, id).boxed(),
        category: Some(settings::Setting::CATEGORY),
        then: None,
        list: List {
            name: "settings",
            words: "Every key, in order, with what is in force and what is proposed.",
            schema: || "SettingView".to_owned(),
            model: Some(settings::NAME),
            arguments: &[],
            read: |app, asked| every_setting(app, asked).boxed(),
        },
    },
    Kind {
        one: "principal",
        parameter: "principal",
        get: |app, _, id| principal(app, id).boxed(),
        category: None,
        then: Some(|app, point, id| principal_then(app, point, id).boxed()),
        list: List {
            name: "principals",
            words: "Persons and services, by id.",
            schema: || PrincipalView::SCHEMA.to_owned(),
            model: None,
            arguments: &[],
            read: |app, asked| every_principal(app, asked).boxed(),
        },
    },
    Kind {
        one: "replay",
        parameter: "replay",
        get: |app, _, id| replay(app, id).boxed(),
        category: None,
        then: None,
        list: List {
            name: "replays",
            words: "Replays, the newest first.",
            schema: || Replay::SCHEMA.to_owned(),
            model: None,
            arguments: &[],
            read: |app, asked| every_replay(app, asked).boxed(),
        },
    },
    kind::<alert_rules::AlertRule>(
        ("alertRule", "alertRules"),
        "Rules, by name.",
        &[("standing", "String")],
    ),
    kind::<alerts::Alert>(
        ("alert", "alerts"),
        "Alerts, those that began last first.",
        &[("standing", "String"), ("severity", "Severity")],
    ),
    kind::<slos::Slo>(("slo", "slos"), "Objectives, by name.", &[("standing", "String")]),
    kind::<peers::Peer>(
        ("peer", "peers"),
        "Nodes, by id.",
        &[("standing", "String"), ("chain", "String")],
    ),
    kind::<partitions::Partitions>(
        ("partition", "partitions"),
        "The last partition of each chain, by chain.",
        &[("standing", "String")],
    ),
];

const fn kind<R: Shown>(
    (one, many): (&'static str, &'static str),
    words: &'static str,
    arguments: &'static Named,
) -> Kind {
    Kind {
        one,
        parameter: R::PARAMETER,
        get: |_, pool, id| row::<R>(pool, id).boxed(),
        category: Some(R::CATEGORY),
        then: None,
        list: List {
            name: many,
            words,
            schema: || R::SCHEMA.to_owned(),
            model: Some(R::NAME),
            arguments,
            read: |app, asked| rows::<R>(app, asked).boxed(),
        },
    }
}

async fn row<R: Shown>(pool: &PgPool, id: &str) -> Result<Option<Value>, Problem> {
    let id = R::Id::from_str(id)
        .map_err(|error| Problem::invalid_parameter(R::PARAMETER, error.to_string()))?;
    let row = keyed::get::<R>(pool, &id.to_string()).await.map_err(read_problem)?;
    row.as_ref().map(told).transpose()
}

async fn rows<R: Shown>(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let standing = match text(asked.arguments, "standing") {
        None => None,
        Some(text) => {
            let known = R::STANDINGS.iter().copied().find(|known| *known == text);
            Some(known.ok_or_else(|| {
                let detail = format!("{text:?} is none of {}", R::STANDINGS.join(", "));
                Problem::invalid_parameter("standing", detail)
            })?)
        }
    };
    let severity = text(asked.arguments, "severity").map(|word| word.to_ascii_lowercase());
    let class = severity.or_else(|| text(asked.arguments, "chain"));
    page_told(page_of::<R>(app, &Filter { standing, class }, asked.page).await?)
}

async fn setting(pool: &PgPool, id: &str) -> Result<Option<Value>, Problem> {
    let wrong = |error: ValueError| Problem::invalid_parameter("key", error.to_string());
    let key: Key = id.parse().map_err(wrong)?;
    of_settings::find(pool, &key).await?.as_ref().map(told).transpose()
}

async fn every_setting(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    page_told(of_settings::page_of(app, asked.page).await?)
}

fn principal_id(id: &str) -> Result<PrincipalId, Problem> {
    let wrong = |error: ValueError| Problem::invalid_parameter("principal", error.to_string());
    id.parse().map_err(wrong)
}

async fn principal(app: &App, id: &str) -> Result<Option<Value>, Problem> {
    app.identities.principal(&principal_id(id)?).await?.as_ref().map(told).transpose()
}

async fn principal_then(app: &App, point: Point, id: &str) -> Result<Option<Value>, Problem> {
    let Point { position, at } = point;
    let then = app.identities.principal_as_of(&principal_id(id)?, position, at.into()).await?;
    then.as_ref().map(told).transpose()
}

async fn every_principal(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let all = listing::Wanted::default();
    page_told(app.identities.principals(&all, asked.page).await?)
}

async fn replay(app: &App, id: &str) -> Result<Option<Value>, Problem> {
    let wrong = |error: uuid::Error| Problem::invalid_parameter("replay", error.to_string());
    let id = id.parse().map_err(wrong)?;
    replays::find(&app.tables, id).await?.as_ref().map(told).transpose()
}

async fn every_replay(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    page_told(of_replays::page_of(app, asked.page).await?)
}

/// The point of the past that is asked for.
fn as_of(arguments: &Arguments) -> Result<Option<AsOf>, Problem> {
    let given = arguments.get("asOf").cloned();
    Option::<AsOf>::parse(given)
        .map_err(|_| Problem::invalid_parameter("asOf", NoPoint.to_string()))
}

impl Kind {
    fn reference(&self) -> Value {
        schemas::reference(&(self.list.schema)())
    }

    /// The field of one.
    pub fn field(&self, registry: &mut Registry) -> MetaField {
        let of = shapes::output(registry, &self.reference(), "");
        let words =
            format!("One of them as it is now; null when there is none. {}", self.list.words);
        let argument = |name: &str, of: &str| shapes::argument(name, None, of.to_owned());
        let mut arguments =
            vec![argument(self.parameter, "String!"), argument("minPosition", "Position")];
        if self.category.is_some() || self.then.is_some() {
            let of = AsOf::create_type_info(registry);
            arguments.push(argument("asOf", of.trim_end_matches('!')));
        }
        shapes::field(self.one, Some(words), of.trim_end_matches('!').to_owned(), arguments)
    }

    /// Answers with one.
    pub async fn answer(
        &self,
        context: &Context<'_>,
        arguments: &Arguments,
    ) -> Result<Written, Problem> {
        let id = text(arguments, self.parameter).unwrap_or_default();
        let point = as_of(arguments)?;
        if let (Some(then), Some(AsOf(point))) = (self.then, point) {
            let asker = context::admitted(context)?;
            let position = asker.app().position_of(point).await?;
            let at = asker.app().moment_of(point, position).await?;
            let row = then(asker.app(), Point { position, at }, &id).await?;
            asker.note(position);
            return Ok(
                row.map_or(Written::Null, |row| shapes::written(&self.reference(), "", &row))
            );
        }
        let row = match (self.category, self.list.model) {
            (Some(category), Some(model)) => {
                let when = When { min_position: connections::position(arguments), as_of: point };
                let subject = Subject::of_stream(category, &id);
                let about = About::enter(context, &[model], when, subject).await?;
                (self.get)(about.asker().app(), about.pool(), &id).await?
            }
            (_, model) => {
                let asker = connections::enter(context, model, arguments).await?;
                (self.get)(asker.app(), &asker.app().pool, &id).await?
            }
        };
        Ok(row.map_or(Written::Null, |row| shapes::written(&self.reference(), "", &row)))
    }
}
