//! Search: what a hash, an address, a height or a name stands for, and where it is.
//!
//! Does not rank: what is named exactly is found, and nothing else.

use ::projections::{
    PageRequest, accounts,
    alert_rules::{self, AlertRule},
    alerts::{self, Alert},
    anchors, blocks, chains, flags, headers,
    keyed::{self, Row},
    peers::{self, Peer},
    slos::{self, Slo},
    transactions, validators,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use commands::{Actor, Permission, settings};
use domain::{
    configuration::Key,
    values::{Address, ChainId, Digest, Hash, Height, PrincipalId},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    keyed::Shown,
    reply::{Asked, read_problem},
};
use crate::{door::Visit, params::Params, problem::Problem, server::App};

/// The longest text that is looked for, in characters: the longest digest there is.
pub const QUERY_CHARS_MAX: usize = 128;
/// How many chains, and how many validators of one name, are looked at.
const NAMED_MAX: u32 = 20;

/// What is asked here: a search reflects all of them.
pub const MODELS: &[&str] = &[
    accounts::NAME,
    alert_rules::NAME,
    alerts::NAME,
    anchors::NAME,
    blocks::NAME,
    chains::NAME,
    flags::NAME,
    headers::NAME,
    peers::NAME,
    slos::NAME,
    transactions::NAME,
    validators::NAME,
];

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
pub struct SearchResults {
    /// Everything that is named by the text.
    pub items: Vec<Found>,
}

/// Something that is named by the text.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Found {
    /// What it is: `account`, `alert`, `anchor`, `block`, `chain`, `flag`, `header`, `objective`,
    /// `peer`, `principal`, `rule`, `setting`, `transaction` or `validator`.
    #[schema(example = "block")]
    pub kind: &'static str,
    /// Its name: a hash, an address, an id, a key.
    pub id: String,
    /// Where it is.
    #[schema(example = "/api/v1/chains/node0-local")]
    pub path: String,
}

impl Found {
    fn new(kind: &'static str, id: impl ToString, path: String) -> Found {
        Found { kind, id: id.to_string(), path }
    }
}

/// `GET /api/v1/search?q=`.
pub async fn search(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let text = params.text("q").unwrap_or_default();
    let text = text.trim();
    if let Some(detail) = fault(text) {
        params.fault("q", detail);
    }
    params.finish()?;
    let caller = Visit::within(&parts.extensions)?.caller.clone();
    let asked = Asked::of(&app, &parts, MODELS).await?;
    asked.one(&SearchResults { items: find(&app, caller.as_ref(), text).await? })
}

/// Why a text is not looked for; none when it is.
pub fn fault(text: &str) -> Option<String> {
    let is_one = (1..=QUERY_CHARS_MAX).contains(&text.chars().count());
    (!is_one).then(|| format!("must have 1 to {QUERY_CHARS_MAX} characters"))
}

/// Everything that a text names, of what the caller may see.
pub async fn find(app: &App, caller: Option<&Actor>, text: &str) -> Result<Vec<Found>, Problem> {
    let mut found = Vec::new();
    let upper = text.to_ascii_uppercase();
    if let Ok(hash) = upper.parse::<Hash>() {
        by_hash(app, hash, &mut found).await?;
    }
    if let Ok(digest) = upper.parse::<Digest>() {
        let anchor = anchors::by_digest(&app.pool, &digest).await.map_err(read_problem)?;
        found.extend(anchor.map(|anchor| {
            Found::new("anchor", &anchor.digest, format!("/api/v1/anchors/{}", anchor.digest))
        }));
    }
    if let Ok(address) = upper.parse::<Address>() {
        by_address(app, address, &mut found).await?;
    }
    if let Ok(height) = text.parse::<Height>() {
        by_height(app, height, &mut found).await?;
    }
    by_name(app, text, &mut found).await?;
    by_id::<Peer>(app, text, "peers", &mut found).await?;
    let may = |permission| caller.is_some_and(|caller| caller.may(permission));
    if may(Permission::MonitorRead) {
        by_id::<AlertRule>(app, text, "alert-rules", &mut found).await?;
        by_id::<Alert>(app, text, "alerts", &mut found).await?;
        by_id::<Slo>(app, text, "slos", &mut found).await?;
    }
    if may(Permission::ConfigRead) {
        by_key(app, text, &mut found).await?;
    }
    if may(Permission::IdentityRead) {
        by_principal(app, text, &mut found).await?;
    }
    Ok(found)
}

async fn by_hash(app: &App, hash: Hash, found: &mut Vec<Found>) -> Result<(), Problem> {
    let block = blocks::get(&app.pool, hash).await.map_err(read_problem)?;
    found.extend(block.map(|_| Found::new("block", hash, format!("/api/v1/blocks/{hash}"))));
    let header = headers::by_hash(&app.pool, hash).await.map_err(read_problem)?;
    if !header.is_empty() {
        found.push(Found::new("header", hash, format!("/api/v1/headers/{hash}")));
    }
    let sent = transactions::get(&app.pool, hash).await.map_err(read_problem)?;
    let path = format!("/api/v1/transactions/{hash}");
    found.extend(sent.map(|_| Found::new("transaction", hash, path)));
    Ok(())
}

async fn by_address(app: &App, of: Address, found: &mut Vec<Found>) -> Result<(), Problem> {
    let validator = validators::get(&app.pool, of).await.map_err(read_problem)?;
    let path = format!("/api/v1/validators/{of}");
    found.extend(validator.map(|_| Found::new("validator", of, path)));
    let account = accounts::get(&app.pool, of).await.map_err(read_problem)?;
    let path = format!("/api/v1/accounts/{of}");
    found.extend(account.map(|_| Found::new("account", of, path)));
    Ok(())
}

async fn by_height(app: &App, height: Height, found: &mut Vec<Found>) -> Result<(), Problem> {
    let page = PageRequest::new(NAMED_MAX, None).unwrap_or_default();
    for chain in chains::list(&app.pool, &page).await.map_err(read_problem)?.items {
        let id = &chain.chain_id;
        let block = blocks::at(&app.pool, id, height).await.map_err(read_problem)?;
        found.extend(block.map(|block| {
            Found::new("block", block.hash, format!("/api/v1/chains/{id}/blocks/{height}"))
        }));
        let header = headers::get(&app.pool, id, height).await.map_err(read_problem)?;
        found.extend(header.map(|header| {
            Found::new("header", header.hash, format!("/api/v1/chains/{id}/headers/{height}"))
        }));
    }
    Ok(())
}

async fn by_name(app: &App, text: &str, found: &mut Vec<Found>) -> Result<(), Problem> {
    if let Ok(chain) = text.parse::<ChainId>() {
        let known = chains::get(&app.pool, &chain).await.map_err(read_problem)?;
        let path = format!("/api/v1/chains/{chain}");
        found.extend(known.map(|_| Found::new("chain", &chain, path)));
    }
    for validator in validators::by_moniker(&app.pool, text).await.map_err(read_problem)? {
        let path = format!("/api/v1/validators/{}", validator.address);
        found.push(Found::new("validator", validator.address, path));
    }
    Ok(())
}

/// What has one row for each aggregate, under its id.
async fn by_id<R: Shown>(
    app: &App,
    text: &str,
    collection: &str,
    found: &mut Vec<Found>,
) -> Result<(), Problem> {
    let Ok(id) = text.parse::<<R as Row>::Id>() else { return Ok(()) };
    let row = keyed::get::<R>(&app.pool, &id.to_string()).await.map_err(read_problem)?;
    found.extend(row.map(|_| Found::new(R::NOUN, &id, format!("/api/v1/{collection}/{id}"))));
    Ok(())
}

async fn by_key(app: &App, text: &str, found: &mut Vec<Found>) -> Result<(), Problem> {
    let Ok(key) = text.parse::<Key>() else { return Ok(()) };
    if settings::find(&key).is_some() {
        found.push(Found::new("setting", &key, format!("/api/v1/settings/{key}")));
    }
    let flag = flags::get(&app.pool, &key).await.map_err(read_problem)?;
    found.extend(flag.map(|_| Found::new("flag", &key, format!("/api/v1/flags/{key}"))));
    Ok(())
}

async fn by_principal(app: &App, text: &str, found: &mut Vec<Found>) -> Result<(), Problem> {
    let Ok(id) = text.parse::<PrincipalId>() else { return Ok(()) };
    let known = app.identities.principal(&id).await?;
    found.extend(known.map(|_| Found::new("principal", &id, format!("/api/v1/principals/{id}"))));
    Ok(())
}
