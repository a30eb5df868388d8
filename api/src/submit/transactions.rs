//! Signed transactions: `POST /api/v1/transactions`, one, an array, or a line each.
//!
//! Items are independent: a bad one does not keep the others from being done. A transaction's hash
//! is its idempotency key: sent again, it is answered as the first time. Does not know what a
//! transaction does.

use std::time::Duration;

use axum::{
    body::Bytes,
    extract::{Request, State},
    http::{HeaderMap, header},
    response::Response,
};
use commands::{Actor, Outcome, Permission, RequestContext};
use domain::transaction::{Account, Command, Transaction, verify_all};
use serde_json::value::RawValue;

use super::{Reply, batch};
use crate::{
    auth, body,
    conditions::Conditions,
    door::Visit,
    params,
    problem::{Fault, Kind, Problem},
    server::App,
};

/// The most transactions of one request.
pub const TRANSACTIONS_MAX: usize = 1_000;
/// While the chain is behind, one request is taken in so many milliseconds.
const TURN_MS: u64 = 100;
/// How long a request waits for its turn then, in milliseconds.
const TURN_WAIT_MS_MAX: u64 = 5_000;
/// The media type of a transaction a line.
pub const LINES: &str = "application/x-ndjson";

/// What a body holds.
enum Sent<'b> {
    One(&'b [u8]),
    Many(Vec<&'b [u8]>),
}

/// `POST /api/v1/transactions`.
pub async fn submit(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, content) = request.into_parts();
    let visit = Visit::within(&parts.extensions)?;
    let actor = auth::require(visit.caller.as_ref(), Permission::TxSubmit)?;
    let conditions = Conditions::of(&parts.headers)?;
    turn(&app).await?;
    let bytes: Bytes = body::read(&parts.headers, content, app.body_bytes_max()).await?;
    let (read, alone) = match split(&parts.headers, &bytes)? {
        Sent::One(item) => (vec![read_alone(item)], true),
        Sent::Many(items) => {
            let items = items.into_iter().enumerate();
            (items.map(|(nth, item)| read(item, &format!("/{nth}"))).collect(), false)
        }
    };
    let mut outcomes = execute(&app, visit, actor, &conditions, read).await?;
    let last = batch::last_position(&outcomes);
    // Many have no receipt to wait for.
    let conditions = Conditions { wait_sealed: conditions.wait_sealed && alone, ..conditions };
    let waited = super::wait(&app, &conditions, last).await;
    match outcomes.pop() {
        Some(outcome) if alone => {
            let outcome = outcome?;
            let told = Reply::of(&outcome, waited.receipt.as_deref());
            Ok(super::json_reply(&app, &told, outcome.position))
        }
        last => {
            outcomes.extend(last);
            Ok(batch::reply(&app, visit, &outcomes))
        }
    }
}

/// While our own chain is behind, requests come one after the other and not too fast, so that
/// blocks are agreed on: what waits is executed faster when no more comes.
async fn turn(app: &App) -> Result<(), Problem> {
    if !app.commands.is_behind() {
        return Ok(());
    }
    let longest = Duration::from_millis(TURN_WAIT_MS_MAX);
    let turn = tokio::time::timeout(longest, app.turn.lock()).await.map_err(|_| {
        let detail = format!(
            "the chain is behind with its blocks, and others waited for {TURN_WAIT_MS_MAX} ms"
        );
        Problem::new(Kind::Overloaded, detail)
    })?;
    if app.commands.is_behind() {
        tokio::time::sleep(Duration::from_millis(TURN_MS)).await;
    }
    drop(turn);
    Ok(())
}

/// The items of a body, each as it was sent.
fn split<'b>(headers: &HeaderMap, bytes: &'b [u8]) -> Result<Sent<'b>, Problem> {
    let form = headers.get(header::CONTENT_TYPE).and_then(|form| form.to_str().ok());
    let name = form.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let items: Vec<&[u8]> = if name.eq_ignore_ascii_case(LINES) {
        let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
        lines.filter(|line| !line.is_empty()).collect()
    } else {
        body::require_json(headers, bytes)?;
        if bytes.trim_ascii_start().first() != Some(&b'[') {
            return Ok(Sent::One(bytes));
        }
        match serde_json::from_slice::<Vec<&RawValue>>(bytes) {
            Ok(items) => items.into_iter().map(|item| item.get().as_bytes()).collect(),
            Err(error) => {
                let detail = format!("the body is no JSON: {error}");
                return Err(Problem::new(Kind::Malformed, detail));
            }
        }
    };
    let count = items.len();
    if !(1..=TRANSACTIONS_MAX).contains(&count) {
        let detail = format!("holds 1 to {TRANSACTIONS_MAX} transactions, not {count}");
        return Err(Problem::invalid_body(vec![Fault::at("", detail)]));
    }
    Ok(Sent::Many(items))
}

fn read(item: &[u8], place: &str) -> Result<Transaction, Problem> {
    serde_json::from_slice(item)
        .map_err(|error| Problem::invalid_body(vec![Fault::at(place, error.to_string())]))
}

/// The one transaction of a body; what is no JSON at all is told apart.
fn read_alone(body: &[u8]) -> Result<Transaction, Problem> {
    read(body, "").map_err(|invalid| body::parse(body).err().unwrap_or(invalid))
}

/// Does the readable ones together, in order. Their signatures are verified beside the threads that
/// serve; the decisions then find the answers.
async fn execute(
    app: &App,
    visit: &Visit,
    actor: &Actor,
    conditions: &Conditions,
    read: Vec<Result<Transaction, Problem>>,
) -> Result<Vec<Result<Outcome, Problem>>, Problem> {
    let readable: Vec<Transaction> = read.iter().flatten().cloned().collect();
    let verified = readable.clone();
    tokio::task::spawn_blocking(move || verify_all(&verified))
        .await
        .map_err(|_| Problem::internal("the verification of signatures was given up"))?;
    let items = readable.into_iter().map(|transaction| {
        let key = format!("transaction/{}", transaction.hash());
        let context = super::context(visit, actor).with_key(&key);
        let context = RequestContext { dry_run: conditions.dry_run, ..context };
        (transaction.sender(), Command::Submit { transaction }, context)
    });
    let mut answers = app.commands.execute_all::<Account>(items.collect()).await.into_iter();
    let lost = || Err(Problem::internal("a transaction was not answered"));
    let outcomes = read.into_iter().map(|read| {
        read?;
        answers.next().map_or_else(lost, |answer| answer.map_err(Problem::of_command))
    });
    Ok(outcomes.collect())
}
