//! Lists of rows as they are over REST, in GraphQL's manner, and those that are asked for as a
//! whole and never one by one.
//!
//! Does not know what a row means.

use std::{fmt::Display, str::FromStr};

use async_graphql::{
    Context, Value as Written,
    registry::{MetaField, Registry},
};
use domain::{
    configuration::Key,
    values::{Address, ChainId, PrincipalId},
};
use futures::future::FutureExt as _;
use projections::{Order, PageRequest, chains, delegations, headers, reputation_history, settings};
use serde::Serialize;

use super::connections::{self, Found, Named, Page, page_told, text};
use crate::{
    access_records::{self, AccessRecord, Outcome},
    graphql::context::Arguments,
    identity::listing::{ApiKeyView, RoleView, SessionView},
    openapi::schemas,
    problem::Problem,
    rest::{reply::read_problem, settings as of_settings},
    server::App,
};

/// A list.
pub struct List {
    /// The field.
    pub name: &'static str,
    /// What is said of it.
    pub words: &'static str,
    /// The schema of its rows in the contract.
    pub schema: fn() -> String,
    /// The read model; none where something else is asked.
    pub model: Option<&'static str>,
    /// What it is asked with, beside the page.
    pub arguments: &'static Named,
    /// Reads a page.
    pub read: for<'a> fn(&'a App, Asked<'a>) -> Found<'a, Page>,
}

/// What is asked of a list.
pub struct Asked<'a> {
    /// What it is asked with.
    pub arguments: &'a Arguments,
    /// The page.
    pub page: &'a PageRequest,
}

const SORT: (&str, &str) = ("sort", "SortOrder");

/// Lists that are asked for as a whole and never one by one.
pub const LISTS: &[List] = &[
    List {
        name: "forks",
        words: "Forks of a chain, open or resolved.",
        schema: schemas::name::<chains::Fork>,
        model: Some(chains::NAME),
        arguments: &[("chainId", "ChainId!"), SORT],
        read: |app, asked| forks(app, asked).boxed(),
    },
    List {
        name: "rejections",
        words: "Headers of an observed chain that failed verification.",
        schema: schemas::name::<headers::Rejection>,
        model: Some(headers::NAME),
        arguments: &[("chainId", "ChainId!"), SORT],
        read: |app, asked| rejections(app, asked).boxed(),
    },
    List {
        name: "unbondings",
        words: "Stake that is on its way back: of a validator, or of a delegator.",
        schema: schemas::name::<delegations::Unbonding>,
        model: Some(delegations::NAME),
        arguments: &[("validator", "Address"), ("delegator", "Address")],
        read: |app, asked| unbondings(app, asked).boxed(),
    },
    List {
        name: "performances",
        words: "How a validator did its duties, epoch by epoch.",
        schema: schemas::name::<reputation_history::Performance>,
        model: Some(reputation_history::NAME),
        arguments: &[("address", "Address!"), SORT],
        read: |app, asked| performances(app, asked).boxed(),
    },
    List {
        name: "settingVersions",
        words: "What was in force of a setting, the newest first.",
        schema: schemas::name::<settings::SettingVersion>,
        model: Some(settings::NAME),
        arguments: &[("key", "String!")],
        read: |app, asked| setting_versions(app, asked).boxed(),
    },
    List {
        name: "accessRecords",
        words: "Who came in, and who was refused, the newest first.",
        schema: schemas::name::<AccessRecord>,
        model: None,
        arguments: &[
            ("principal", "String"),
            ("address", "String"),
            ("operation", "String"),
            ("outcome", "String"),
        ],
        read: |app, asked| access(app, asked).boxed(),
    },
    List {
        name: "roles",
        words: "The roles that are built in, then those that were defined here.",
        schema: schemas::name::<RoleView>,
        model: None,
        arguments: &[],
        read: |app, asked| roles(app, asked).boxed(),
    },
    List {
        name: "sessions",
        words: "The open sessions of a principal, the one that lasts longest first.",
        schema: schemas::name::<SessionView>,
        model: None,
        arguments: &[("principal", "String!")],
        read: |app, asked| sessions(app, asked).boxed(),
    },
    List {
        name: "apiKeys",
        words: "The API keys of a principal that were not revoked, by name.",
        schema: schemas::name::<ApiKeyView>,
        model: None,
        arguments: &[("principal", "String!")],
        read: |app, asked| api_keys(app, asked).boxed(),
    },
];

impl List {
    /// Its field.
    pub fn field(&self, registry: &mut Registry) -> MetaField {
        connections::field(registry, (self.name, self.words), &(self.schema)(), self.arguments)
    }

    /// Answers it.
    pub async fn answer(
        &self,
        context: &Context<'_>,
        arguments: &Arguments,
    ) -> Result<Written, Problem> {
        let page = connections::asked(arguments)?;
        let asker = connections::enter(context, self.model, arguments).await?;
        let found = (self.read)(asker.app(), Asked { arguments, page: &page }).await?;
        Ok(connections::connection(&(self.schema)(), &page, &found))
    }
}

impl Asked<'_> {
    fn optional<T: FromStr<Err: Display>>(&self, name: &str) -> Result<Option<T>, Problem> {
        let given = text(self.arguments, name);
        let parsed = given.map(|text| text.parse::<T>()).transpose();
        parsed.map_err(|error| Problem::invalid_parameter(name, error.to_string()))
    }

    fn required<T: FromStr<Err: Display>>(&self, name: &str) -> Result<T, Problem> {
        let missing = || Problem::invalid_parameter(name, "is missing");
        self.optional(name)?.ok_or_else(missing)
    }

    fn order(&self) -> Result<Order, Problem> {
        match text(self.arguments, SORT.0) {
            Some(word) => {
                word.to_ascii_lowercase().parse().map_err(|error: projections::PageError| {
                    Problem::invalid_parameter(SORT.0, error.to_string())
                })
            }
            None => Ok(Order::default()),
        }
    }

    /// A page of a whole list that is in memory, in its own order.
    fn cut<T: Serialize>(&self, list: &str, items: Vec<T>) -> Result<Page, Problem> {
        let keyed = items.into_iter().enumerate();
        let keyed = keyed.map(|(nth, item)| (format!("{nth:06}"), item)).collect();
        let page = self.page.cut(list, keyed);
        page_told(page.map_err(|error| Problem::invalid_parameter("after", error.to_string()))?)
    }
}

async fn forks(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let (chain, order): (ChainId, _) = (asked.required("chainId")?, asked.order()?);
    let found = chains::forks(&app.pool, &chain, order, asked.page).await;
    page_told(found.map_err(read_problem)?)
}

async fn rejections(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let (chain, order): (ChainId, _) = (asked.required("chainId")?, asked.order()?);
    let found = headers::rejections(&app.pool, &chain, order, asked.page).await;
    page_told(found.map_err(read_problem)?)
}

async fn unbondings(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    use delegations::Filter;
    let named: (Option<Address>, Option<Address>) =
        (asked.optional("validator")?, asked.optional("delegator")?);
    let filter = match named {
        (Some(validator), None) => Filter::Validator(validator),
        (None, Some(delegator)) => Filter::Delegator(delegator),
        (None, None) | (Some(_), Some(_)) => {
            let detail = "name a validator or a delegator";
            return Err(Problem::invalid_parameter("delegator", detail));
        }
    };
    let found = delegations::unbondings(&app.pool, filter, asked.page).await;
    page_told(found.map_err(read_problem)?)
}

async fn performances(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let (address, order) = (asked.required("address")?, asked.order()?);
    let found = reputation_history::performances(&app.pool, address, order, asked.page).await;
    page_told(found.map_err(read_problem)?)
}

async fn setting_versions(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let key: Key = asked.required("key")?;
    page_told(of_settings::versions_of(app, &key, asked.page).await?)
}

async fn access(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let chosen = |word: String| {
        let known = Outcome::ALL.into_iter().find(|known| known.as_str() == word);
        let detail = || format!("{word:?} is neither allowed nor refused");
        known.ok_or_else(|| Problem::invalid_parameter("outcome", detail()))
    };
    let outcome = text(asked.arguments, "outcome").map(chosen).transpose()?;
    let wanted = access_records::Wanted {
        principal: text(asked.arguments, "principal"),
        address: text(asked.arguments, "address"),
        operation: text(asked.arguments, "operation"),
        outcome,
    };
    let found = access_records::list(&app.pool, &wanted, asked.page).await;
    page_told(found.map_err(read_problem)?)
}

async fn roles(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    asked.cut("roles", app.identities.roles().await?)
}

async fn sessions(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let principal: PrincipalId = asked.required("principal")?;
    let found = app.identities.sessions(&principal).await?;
    asked.cut("sessions", found.ok_or_else(|| Problem::not_found("principal", &principal))?)
}

async fn api_keys(app: &App, asked: Asked<'_>) -> Result<Page, Problem> {
    let principal: PrincipalId = asked.required("principal")?;
    let found = app.identities.api_keys(&principal).await?;
    asked.cut("api_keys", found.ok_or_else(|| Problem::not_found("principal", &principal))?)
}
