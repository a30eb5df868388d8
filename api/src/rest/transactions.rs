//! Transactions, what waits, and whose they are.
//!
//! Does not take them in: [`crate::submit::transactions`] does.

use ::projections::{
    Order, Subject, accounts,
    transactions::{self, Filter, NAME},
};
use axum::{
    extract::{Request, State},
    http::request::Parts,
    response::Response,
};
use domain::{
    transaction::{self, Payload},
    values::{Address, Hash},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Asked, read_problem};
use crate::{
    params::{self, Params, PathParams},
    problem::Problem,
    server::App,
};

/// A transaction with what its sender signed.
#[derive(Debug, Serialize, ToSchema)]
pub struct TransactionInFull {
    /// What became of it.
    #[serde(flatten)]
    pub row: transactions::Transaction,
    /// The transaction.
    pub transaction: transaction::Transaction,
}

/// `GET /api/v1/transactions`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = Filter {
        account: params.take("account"),
        sender: params.take("sender"),
        kind: kind(&mut params),
    };
    listed(&app, &parts, params, &filter).await
}

/// A page of the transactions that pass the filter.
async fn listed(
    app: &App,
    parts: &Parts,
    mut params: Params,
    filter: &Filter,
) -> Result<Response, Problem> {
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(app, parts, &[NAME]).await?;
    asked.list(&transactions::list(&app.pool, filter, order, &page).await.map_err(read_problem)?)
}

fn kind(params: &mut Params) -> Option<String> {
    params.choose("kind", Payload::TYPES, |name| name).map(str::to_owned)
}

/// `GET /api/v1/transactions/{hash}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let hash: Hash = path.get("hash")?;
    let missing = || Problem::not_found("transaction", hash);
    let known = async {
        let known = transactions::get(&app.pool, hash).await.map_err(read_problem)?;
        known.as_ref().map(Subject::of_transaction).ok_or_else(missing)
    };
    let asked = Asked::about_what_is(&app, &parts, &[NAME], known).await?;
    let found = transactions::get(asked.pool(&app), hash).await.map_err(read_problem)?;
    let row = found.ok_or_else(missing)?;
    let whole = app.whole_transactions(&[row.position]).await?.pop();
    let transaction = whole.ok_or_else(|| Problem::internal("the transaction is not kept"))?;
    asked.one(&TransactionInFull { row, transaction })
}

/// `GET /api/v1/mempool`.
pub async fn mempool(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.one(&transactions::summary(&app.pool).await.map_err(read_problem)?)
}

/// `GET /api/v1/mempool/transactions`.
pub async fn waiting(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&transactions::mempool(&app.pool, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/accounts`.
pub async fn accounts(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[accounts::NAME]).await?;
    asked.list(&accounts::list(&app.pool, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/accounts/{address}`.
pub async fn account(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let address: Address = path.get("address")?;
    let subject = Subject::of_account(address);
    let asked = Asked::about(&app, &parts, &[accounts::NAME], subject).await?;
    let found = accounts::get(asked.pool(&app), address).await.map_err(read_problem)?;
    asked.one(&found.ok_or_else(|| Problem::not_found("account", address))?)
}

/// `GET /api/v1/accounts/{address}/transactions`.
pub async fn of_account(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let account = Some(path.get::<Address>("address")?);
    let mut params = Params::of(parts.uri.query());
    let filter = Filter { account, sender: None, kind: kind(&mut params) };
    listed(&app, &parts, params, &filter).await
}
