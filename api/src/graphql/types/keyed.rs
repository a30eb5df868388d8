//! Settings, rules, alerts, objectives, nodes and partitions: the rows as they are over REST, in
//! GraphQL's manner.
//!
//! Does not know what a row means.

use std::{borrow::Cow, str::FromStr};

use async_graphql::{
    Context, ContextSelectionSet, Name, ObjectType, OutputType, Positioned, ServerResult,
    Value as Written,
    connection::PageInfo,
    indexmap::IndexMap,
    parser::types::Field,
    registry::{MetaField, MetaTypeId, Registry},
    resolver_utils::{ContainerType, resolve_container},
};
use domain::{
    configuration::Key,
    values::{PrincipalId, ValueError},
};
use futures::future::{BoxFuture, FutureExt as _};
use projections::{
    PageOf, PageRequest, alert_rules, alerts,
    keyed::{self, Filter},
    partitions, peers, settings, slos,
};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    graphql::{
        Component as _,
        context::{self, Arguments},
        pages,
        scalars::Position,
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

type Page = PageOf<Value>;
type Found<'a, T> = BoxFuture<'a, Result<T, Problem>>;

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
    filters: &'static [(&'static str, &'static str)],
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
    filters: &'static [(&'static str, &'static str)],
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

fn told(row: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(row).map_err(Problem::internal)
}

fn page_told<T: Serialize>(page: PageOf<T>) -> Result<Page, Problem> {
    let PageOf { items, cursors, next, has_next } = page;
    let items = items.iter().map(told).collect::<Result<Vec<_>, _>>()?;
    Ok(PageOf { items, cursors, next, has_next })
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
        let of = shapes::output(registry, &self.reference(), "");
        let bare = of.trim_end_matches('!');
        let page_info = PageInfo::create_type_info(registry);
        let plain =
            |name: &str, of: String| (name.to_owned(), shapes::field(name, None, of, Vec::new()));
        let edge = [plain("cursor", "String!".to_owned()), plain("node", of.clone())];
        let connection = [
            plain("pageInfo", page_info),
            plain("edges", format!("[{bare}Edge!]!")),
            plain("nodes", format!("[{bare}!]!")),
        ];
        for (name, fields) in [
            (format!("{bare}Edge"), edge.to_vec()),
            (format!("{bare}Connection"), connection.to_vec()),
        ] {
            let object = shapes::object(&name, None, fields.into_iter().collect());
            registry.types.insert(name, object);
        }
        let argument = |(name, of): (&str, &str)| shapes::argument(name, None, of.to_owned());
        let paging = [("first", "Int"), ("after", "String"), ("minPosition", "Position")];
        let arguments = self.filters.iter().copied().chain(paging).map(argument).collect();
        let mut field = shapes::field(
            self.many,
            Some(self.words.to_owned()),
            format!("{bare}Connection!"),
            arguments,
        );
        field.compute_complexity = Some(|context, variables, field, child| {
            let first = context.param_value(variables, field, "first", None)?;
            Ok(pages::complexity(first, child))
        });
        field
    }

    async fn enter<'c>(
        &self,
        context: &Context<'c>,
        arguments: &Arguments,
    ) -> Result<&'c context::Asker, Problem> {
        match self.model {
            Some(model) => context::enter(context, &[model], position(arguments)).await,
            None => context::enter_log(context, position(arguments)).await.map(|(asker, _)| asker),
        }
    }

    async fn answer_one(
        &self,
        context: &Context<'_>,
        arguments: &Arguments,
    ) -> Result<Written, Problem> {
        let asker = self.enter(context, arguments).await?;
        let id = text(arguments, self.parameter).unwrap_or_default();
        let row = (self.get)(asker.app(), &id).await?;
        Ok(row.map_or(Written::Null, |row| shapes::written(&self.reference(), "", &row)))
    }

    async fn answer_many(
        &self,
        context: &Context<'_>,
        arguments: &Arguments,
    ) -> Result<Written, Problem> {
        let first = match arguments.get("first") {
            Some(Written::Number(first)) => Some(first.as_i64().unwrap_or(0)),
            Some(_) | None => None,
        };
        let first = first.map(|first| i32::try_from(first).unwrap_or(0));
        let page = pages::request(first, text(arguments, "after").as_deref())?;
        let asker = self.enter(context, arguments).await?;
        let class = text(arguments, "severity").map(|severity| severity.to_ascii_lowercase());
        let wanted = Wanted {
            standing: text(arguments, "standing"),
            class: class.or_else(|| text(arguments, "chain")),
            page: &page,
        };
        let found = (self.list)(asker.app(), wanted).await?;
        Ok(self.connection(&page, found))
    }

    fn connection(&self, asked: &PageRequest, page: Page) -> Written {
        let name = self.schema.trim_end_matches("Row").trim_end_matches("View");
        let object = |of: String, members: Vec<(&str, Written)>| {
            let named = [("__typename", Written::String(of))].into_iter().chain(members);
            let members: IndexMap<Name, Written> =
                named.map(|(name, value)| (Name::new(name), value)).collect();
            Written::Object(members)
        };
        let cursors: Vec<String> = page.cursors.iter().map(ToString::to_string).collect();
        let reference = self.reference();
        let nodes: Vec<Written> =
            page.items.iter().map(|row| shapes::written(&reference, "", row)).collect();
        let edges = cursors.iter().zip(&nodes).map(|(cursor, node)| {
            let cursor = Written::String(cursor.clone());
            object(format!("{name}Edge"), vec![("cursor", cursor), ("node", node.clone())])
        });
        let text = |cursor: Option<&String>| cursor.cloned().map_or(Written::Null, Written::String);
        let page_info = object(
            "PageInfo".to_owned(),
            vec![
                ("hasPreviousPage", Written::Boolean(asked.after().is_some())),
                ("hasNextPage", Written::Boolean(page.has_next)),
                ("startCursor", text(cursors.first())),
                ("endCursor", text(cursors.last())),
            ],
        );
        object(
            format!("{name}Connection"),
            vec![
                ("pageInfo", page_info),
                ("edges", Written::List(edges.collect())),
                ("nodes", Written::List(nodes)),
            ],
        )
    }
}

fn text(arguments: &Arguments, name: &str) -> Option<String> {
    match arguments.get(name)? {
        Written::String(text) => Some(text.clone()),
        Written::Enum(name) => Some(name.to_string()),
        Written::Null
        | Written::Number(_)
        | Written::Boolean(_)
        | Written::Binary(_)
        | Written::List(_)
        | Written::Object(_) => None,
    }
}

fn position(arguments: &Arguments) -> Option<Position> {
    let given = arguments.get("minPosition")?.clone().into_json().ok()?;
    serde_json::from_value(json!(given)).ok()
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
