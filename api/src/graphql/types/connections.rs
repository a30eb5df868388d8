//! Pages of rows whose types are those of the contract, as Relay connections.
//!
//! Does not know what is listed.

use async_graphql::{
    Name, OutputType, Value as Written,
    connection::PageInfo,
    indexmap::IndexMap,
    registry::{MetaField, Registry},
};
use futures::future::BoxFuture;
use projections::{PageOf, PageRequest};
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    graphql::{
        context::{self, Arguments},
        pages,
        scalars::Position,
        shapes,
    },
    openapi::schemas,
    problem::Problem,
};

/// A page of rows in JSON.
pub type Page = PageOf<Value>;
/// What is being found.
pub type Found<'a, T> = BoxFuture<'a, Result<T, Problem>>;
/// Names and types of arguments.
pub type Named = [(&'static str, &'static str)];

/// How a page is asked for.
const PAGING: [(&str, &str); 3] =
    [("first", "Int"), ("after", "String"), ("minPosition", "Position")];

/// A row as JSON.
pub fn told(row: &impl Serialize) -> Result<Value, Problem> {
    serde_json::to_value(row).map_err(Problem::internal)
}

/// A page of rows as JSON.
pub fn page_told<T: Serialize>(page: PageOf<T>) -> Result<Page, Problem> {
    let PageOf { items, cursors, next, has_next } = page;
    let items = items.iter().map(told).collect::<Result<Vec<_>, _>>()?;
    Ok(PageOf { items, cursors, next, has_next })
}

/// The field of a list whose rows have a schema of the contract, with its own arguments.
pub fn field(
    registry: &mut Registry,
    (name, words): (&str, &str),
    schema: &str,
    own: &Named,
) -> MetaField {
    let of = shapes::output(registry, &schemas::reference(schema), "");
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
    for (name, fields) in
        [(format!("{bare}Edge"), edge.to_vec()), (format!("{bare}Connection"), connection.to_vec())]
    {
        let object = shapes::object(&name, None, fields.into_iter().collect());
        registry.types.insert(name, object);
    }
    let argument = |(name, of): (&str, &str)| shapes::argument(name, None, of.to_owned());
    let arguments = own.iter().copied().chain(PAGING).map(argument).collect();
    let mut field =
        shapes::field(name, Some(words.to_owned()), format!("{bare}Connection!"), arguments);
    field.compute_complexity = Some(|context, variables, field, child| {
        let first = context.param_value(variables, field, "first", None)?;
        Ok(pages::complexity(first, child))
    });
    field
}

/// The page that is asked for.
pub fn asked(arguments: &Arguments) -> Result<PageRequest, Problem> {
    let first = match arguments.get("first") {
        Some(Written::Number(first)) => Some(first.as_i64().unwrap_or(0)),
        Some(_) | None => None,
    };
    let first = first.map(|first| i32::try_from(first).unwrap_or(0));
    pages::request(first, text(arguments, "after").as_deref())
}

/// Lets the caller in, and waits for the read model that is asked; none where it is the log.
pub async fn enter<'c>(
    context: &async_graphql::Context<'c>,
    model: Option<&str>,
    arguments: &Arguments,
) -> Result<&'c context::Asker, Problem> {
    match model {
        Some(model) => context::enter(context, &[model], position(arguments)).await,
        None => context::enter_log(context, position(arguments)).await.map(|(asker, _)| asker),
    }
}

/// A page of rows as the connection that [`field`] describes.
pub fn connection(schema: &str, asked: &PageRequest, page: &Page) -> Written {
    let name = shapes::type_name(schema);
    let object = |of: String, members: Vec<(&str, Written)>| {
        let named = [("__typename", Written::String(of))].into_iter().chain(members);
        let members: IndexMap<Name, Written> =
            named.map(|(name, value)| (Name::new(name), value)).collect();
        Written::Object(members)
    };
    let cursors: Vec<String> = page.cursors.iter().map(ToString::to_string).collect();
    let reference = schemas::reference(schema);
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

/// A text or a word among the arguments.
pub fn text(arguments: &Arguments, name: &str) -> Option<String> {
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

pub fn position(arguments: &Arguments) -> Option<Position> {
    let given = arguments.get("minPosition")?.clone().into_json().ok()?;
    serde_json::from_value(json!(given)).ok()
}
