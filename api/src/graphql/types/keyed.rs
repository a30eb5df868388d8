//! Settings, rules, alerts, objectives, nodes and partitions: the rows as they are over REST, in
//! GraphQL's manner.
//!
//! Does not know what a row means.

use std::{borrow::Cow, str::FromStr};

use async_graphql::{
    Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult,
    Value as Written,
    parser::types::Field,
    registry::{MetaField, MetaTypeId, Registry},
    resolver_utils::{ContainerType, resolve_container},
};
use domain::{
    configuration::Key,
    values::{PrincipalId, ValueError},
};
use futures::future::FutureExt as _;
use projections::{
    PageRequest, alert_rules, alerts,
    keyed::{self, Filter},
    partitions, peers, settings, slos,
};
use serde_json::Value;

use super::connections::{self, Found, Named, Page, page_told, text, told};
use crate::{
    graphql::{
        Component as _,
        context::{self, Arguments},
        shapes,
    },
    identity::listing::{self, PrincipalView},
    openapi::schemas,
    problem::Problem,
    rest::{
        keyed::{Shown, page_of},
        reply::read_problem,
        settings as of_settings,
    },
    server::App,
};

/// A read model as it is asked for.
struct Kind {
    /// The field of one.
    one: &'static str,
    /// The field of many.
    many: &'static str,
    /// The argument that names one.
    parameter: &'static str,
    /// Its schema in the contract.
    schema: &'static str,
    /// The read model; none where the log itself is asked.
    model: Option<&'static str>,
    /// What is said of the list.
    words: &'static str,
    /// What one may be, and what else it is searched by: names and types of arguments.
    filters: &'static Named,
    get: for<'a> fn(&'a App, &'a str) -> Found<'a, Option<Value>>,
    list: for<'a> fn(&'a App, Wanted<'a>) -> Found<'a, Page>,
}

/// Which rows are wanted.
struct Wanted<'a> {
    standing: Option<String>,
    class: Option<String>,
    page: &'a PageRequest,
}

const KINDS: &[Kind] = &[
    Kind {
        one: "setting",
        many: "settings",
        parameter: "key",
        schema: "SettingView",
        model: Some(settings::NAME),
        words: "Every key, in order, with what is in force and what is proposed.",
        filters: &[],
        get: |app, id| setting(app, id).boxed(),
        list: |app, wanted| every_setting(app, wanted).boxed(),
    },
    Kind {
        one: "principal",
        many: "principals",
        parameter: "principal",
        schema: PrincipalView::SCHEMA,
        model: None,
        words: "Persons and services, by id.",
        filters: &[],
        get: |app, id| principal(app, id).boxed(),
        list: |app, wanted| every_principal(app, wanted).boxed(),
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
    filters: &'static Named,
) -> Kind {
    Kind {
        one,
        many,
        parameter: R::PARAMETER,
        schema: R::SCHEMA,
        model: Some(R::NAME),
        words,
        filters,
        get: |app, id| row::<R>(app, id).boxed(),
        list: |app, wanted| rows::<R>(app, wanted).boxed(),
    }
}

async fn row<R: Shown>(app: &App, id: &str) -> Result<Option<Value>, Problem> {
    let id = R::Id::from_str(id)
        .map_err(|error| Problem::invalid_parameter(R::PARAMETER, error.to_string()))?;
    let row = keyed::get::<R>(&app.pool, &id.to_string()).await.map_err(read_problem)?;
    row.as_ref().map(told).transpose()
}

async fn rows<R: Shown>(app: &App, wanted: Wanted<'_>) -> Result<Page, Problem> {
    let standing = match wanted.standing {
        None => None,
        Some(text) => {
            let known = R::STANDINGS.iter().copied().find(|known| *known == text);
            Some(known.ok_or_else(|| {
                let detail = format!("{text:?} is none of {}", R::STANDINGS.join(", "));
                Problem::invalid_parameter("standing", detail)
            })?)
        }
    };
    let filter = Filter { standing, class: wanted.class };
    page_told(page_of::<R>(app, &filter, wanted.page).await?)
}

async fn setting(app: &App, id: &str) -> Result<Option<Value>, Problem> {
    let wrong = |error: ValueError| Problem::invalid_parameter("key", error.to_string());
    let key: Key = id.parse().map_err(wrong)?;
    of_settings::find(app, &key).await?.as_ref().map(told).transpose()
}

async fn every_setting(app: &App, wanted: Wanted<'_>) -> Result<Page, Problem> {
    page_told(of_settings::page_of(app, wanted.page).await?)
}

async fn principal(app: &App, id: &str) -> Result<Option<Value>, Problem> {
    let wrong = |error: ValueError| Problem::invalid_parameter("principal", error.to_string());
    let id: PrincipalId = id.parse().map_err(wrong)?;
    app.identities.principal(&id).await?.as_ref().map(told).transpose()
}

async fn every_principal(app: &App, wanted: Wanted<'_>) -> Result<Page, Problem> {
    let all = listing::Wanted::default();
    page_told(app.identities.principals(&all, wanted.page).await?)
}

/// The fields of the query root.
#[derive(Default)]
pub struct KeyedQueries;

impl ObjectType for KeyedQueries {}

impl OutputType for KeyedQueries {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("KeyedQueries")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<KeyedQueries, _>(MetaTypeId::Object, |registry| {
            let fields = KINDS.iter().flat_map(|kind| {
                let fields = [kind.field_of_one(registry), kind.field_of_many(registry)];
                fields.map(|field| (field.name.clone(), field))
            });
            shapes::object("KeyedQueries", None, fields.collect())
        })
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Written> {
        resolve_container(context, self).await
    }
}

impl Kind {
    fn reference(&self) -> Value {
        schemas::reference(self.schema)
    }

    fn field_of_one(&self, registry: &mut Registry) -> MetaField {
        let of = shapes::output(registry, &self.reference(), "");
        let words = format!("One of them as it is now; null when there is none. {}", self.words);
        let argument = |name: &str, of: &str| shapes::argument(name, None, of.to_owned());
        let arguments =
            vec![argument(self.parameter, "String!"), argument("minPosition", "Position")];
        shapes::field(self.one, Some(words), of.trim_end_matches('!').to_owned(), arguments)
    }

    fn field_of_many(&self, registry: &mut Registry) -> MetaField {
        connections::field(registry, (self.many, self.words), self.schema, self.filters)
    }

    async fn answer_one(
        &self,
        context: &Context<'_>,
        arguments: &Arguments,
    ) -> Result<Written, Problem> {
        let asker = connections::enter(context, self.model, arguments).await?;
        let id = text(arguments, self.parameter).unwrap_or_default();
        let row = (self.get)(asker.app(), &id).await?;
        Ok(row.map_or(Written::Null, |row| shapes::written(&self.reference(), "", &row)))
    }

    async fn answer_many(
        &self,
        context: &Context<'_>,
        arguments: &Arguments,
    ) -> Result<Written, Problem> {
        let page = connections::asked(arguments)?;
        let asker = connections::enter(context, self.model, arguments).await?;
        let class = text(arguments, "severity").map(|severity| severity.to_ascii_lowercase());
        let wanted = Wanted {
            standing: text(arguments, "standing"),
            class: class.or_else(|| text(arguments, "chain")),
            page: &page,
        };
        let found = (self.list)(asker.app(), wanted).await?;
        Ok(connections::connection(self.schema, &page, &found))
    }
}

impl ContainerType for KeyedQueries {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Written>> {
        let name = context.item.node.name.node.as_str();
        let Some(kind) = KINDS.iter().find(|kind| kind.one == name || kind.many == name) else {
            return Ok(None);
        };
        let arguments = context::arguments(context)?;
        let answered = match kind.one == name {
            true => kind.answer_one(context, &arguments).await,
            false => kind.answer_many(context, &arguments).await,
        };
        let whole = answered.map_err(|problem| context::fault(context, problem))?;
        Ok(Some(shapes::select(&whole, &context.field())))
    }
}
