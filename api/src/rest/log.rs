//! The published log: its state, proofs out of it, and the pieces themselves, at the paths that
//! tlog-tiles gives them.
//!
//! Does not know how it is made ([`crate::seal`]).

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderValue, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use evidence::{Hash, Piece};
use serde::Serialize;
use utoipa::ToSchema;

use super::{blobs::FOR_EVER, reply::Asked};
use crate::{
    graphql::Component,
    params::{self, Params, PathParams},
    problem::{Kind, Problem},
    seal::{self, Now, Published},
    server::App,
};

/// How long a checkpoint may be kept: it is another one in a moment.
const FOR_A_MOMENT: HeaderValue = HeaderValue::from_static("no-cache");
/// What only those may keep who were let in, but they for ever.
const FOR_EVER_PRIVATE: HeaderValue =
    HeaderValue::from_static("private, max-age=31536000, immutable");

/// The log as it is published: anybody can verify it with its key.
#[derive(Debug, Serialize, ToSchema)]
pub struct PublishedLog {
    /// Its name: the first line of its checkpoints.
    #[schema(example = "node0.example/log")]
    pub origin: String,
    /// By what its checkpoints are verified, in the form of signed-note; the key in force first.
    pub keys: Vec<String>,
    /// How many events are published and signed.
    #[schema(example = "1042")]
    pub size: String,
    /// The root of their tree, in base64.
    pub root: Option<String>,
    /// How many events, from the first one on, were moved to the archive: they are read there.
    #[schema(example = "0")]
    pub archived_size: String,
    /// The newest published checkpoint; none while nothing is signed.
    pub checkpoint: Option<String>,
    /// How many events are signed; those that are not published wait for witnesses.
    #[schema(example = "1042")]
    pub signed_size: String,
    /// When something was signed last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub signed_at: Option<DateTime<Utc>>,
    /// Who else sees it grow, and says so.
    pub witnesses: Vec<LogWitness>,
    /// How many of them must have cosigned a checkpoint before it is published.
    pub witness_quorum: u32,
    /// Why nothing is signed any more; none while all is well.
    pub refused: Option<String>,
}

/// Somebody who sees the log grow.
#[derive(Debug, Serialize, ToSchema)]
pub struct LogWitness {
    /// Its name.
    pub name: String,
    /// By what its cosignatures are verified.
    pub key: String,
}

/// That an event is in the log (RFC 6962, section 2.1.1).
#[derive(Debug, Serialize, ToSchema)]
pub struct InclusionProof {
    /// The event's position.
    #[schema(example = "42")]
    pub position: String,
    /// The index of its leaf: its position less one.
    #[schema(example = "41")]
    pub leaf_index: String,
    /// The hash of its leaf, in base64: SHA-256 of a zero byte and the record.
    pub leaf_hash: String,
    /// Of how many events the tree is.
    #[schema(example = "1042")]
    pub tree_size: String,
    /// Its root, in base64.
    pub root: String,
    /// The hashes beside the way from the leaf to the root, in base64, the leaf's sibling first.
    pub hashes: Vec<String>,
}

/// That the log goes on from what it was (RFC 6962, section 2.1.2).
#[derive(Debug, Serialize, ToSchema)]
pub struct ConsistencyProof {
    /// How many events it had.
    #[schema(example = "1000")]
    pub from_size: String,
    /// The root it had, in base64.
    pub from_root: String,
    /// How many events it has.
    #[schema(example = "1042")]
    pub to_size: String,
    /// The root it has, in base64.
    pub to_root: String,
    /// The proof, in base64.
    pub hashes: Vec<String>,
}

impl Component for PublishedLog {
    const SCHEMA: &'static str = "PublishedLog";
}

impl Component for InclusionProof {
    const SCHEMA: &'static str = "InclusionProof";
}

impl Component for ConsistencyProof {
    const SCHEMA: &'static str = "ConsistencyProof";
}

fn base64(hash: Hash) -> String {
    STANDARD.encode(hash.0)
}

fn all_base64(hashes: &[Hash]) -> Vec<String> {
    hashes.iter().copied().map(base64).collect()
}

/// The published log of this server.
pub fn published(app: &App) -> Result<&Published, Problem> {
    let detail = "the log is not sealed here: its storage or its key is not configured (`seal_storage`, \
                  `seal_key`), or `seal_interval_ms` is 0";
    app.published.as_ref().ok_or_else(|| Problem::new(Kind::NotConfigured, detail))
}

/// How far it is.
pub async fn state(app: &App) -> Result<PublishedLog, Problem> {
    let published = published(app)?;
    let archived = app.store.archived().await?;
    let seal = published.seal();
    let now = published.now().ok();
    let witness = |witness: &crate::seal::Witness| LogWitness {
        name: witness.key.name().to_owned(),
        key: witness.key.to_string(),
    };
    Ok(PublishedLog {
        origin: published.origin().to_owned(),
        keys: published.keys().iter().map(ToString::to_string).collect(),
        size: now.as_ref().map_or(0, |now| now.size).to_string(),
        root: now.as_ref().map(|now| base64(now.root)),
        archived_size: archived.to_string(),
        checkpoint: now.map(|now| now.checkpoint),
        signed_size: seal.signed.as_ref().map_or(0, |signed| signed.size).to_string(),
        signed_at: seal.signed.map(|signed| signed.at),
        witnesses: published.witnesses().iter().map(witness).collect(),
        witness_quorum: u32::try_from(published.quorum()).unwrap_or(u32::MAX),
        refused: seal.refused,
    })
}

/// That the event at a position is in the log of a size; of its newest one when none is named.
pub async fn inclusion(
    app: &App,
    position: u64,
    size: Option<u64>,
) -> Result<InclusionProof, Problem> {
    let published = published(app)?;
    let (now, size, root) = tree(app, published, size).await?;
    let index = index(app, &now, size, position)?;
    let proved = published.inclusion(&now, (size, root), index).await?;
    Ok(InclusionProof {
        position: position.to_string(),
        leaf_index: index.to_string(),
        leaf_hash: base64(proved.leaf),
        tree_size: size.to_string(),
        root: base64(root),
        hashes: all_base64(&proved.hashes),
    })
}

/// That the log of a size, or the newest one, goes on from an older one.
pub async fn consistency(
    app: &App,
    from: u64,
    to: Option<u64>,
) -> Result<ConsistencyProof, Problem> {
    let published = published(app)?;
    let (now, size, root) = tree(app, published, to).await?;
    if from > now.size {
        return Err(unpublished(app, &now, from).await);
    }
    if from > size {
        let detail = format!("is at most the size it is compared with, {size}");
        return Err(Problem::invalid_parameter("from", detail));
    }
    let proved = published.consistency(&now, (size, root), from).await?;
    Ok(ConsistencyProof {
        from_size: from.to_string(),
        from_root: base64(proved.older_root),
        to_size: size.to_string(),
        to_root: base64(root),
        hashes: all_base64(&proved.hashes),
    })
}

/// The receipt of an event: a `.tlog-proof`.
pub async fn receipt(app: &App, position: u64) -> Result<String, Problem> {
    let published = published(app)?;
    let now = published.now()?;
    let index = index(app, &now, now.size, position)?;
    Ok(published.receipt(now, index).await?.to_string())
}

/// The tree of a size: its root is proved by what is published.
async fn tree(
    app: &App,
    published: &Published,
    size: Option<u64>,
) -> Result<(Now, u64, Hash), Problem> {
    let now = published.now()?;
    let root = match size {
        None => now.root,
        Some(size) if size == now.size => now.root,
        Some(size) if size > now.size => return Err(unpublished(app, &now, size).await),
        Some(size) => published.consistency(&now, (now.size, now.root), size).await?.older_root,
    };
    let size = size.unwrap_or(now.size);
    Ok((now, size, root))
}

/// Where the event at a position is in the tree of a size; if it is not, not yet or not at all.
fn index(app: &App, now: &Now, size: u64, position: u64) -> Result<u64, Problem> {
    match position.checked_sub(1) {
        Some(index) if index < size => Ok(index),
        Some(_) if position > now.size && position <= app.head() => Err(not_yet(now, position)),
        Some(_) | None => Err(Problem::not_found("event at position", position)),
    }
}

/// Why there is no tree of so many events: not yet, or they are none of this log.
async fn unpublished(app: &App, now: &Now, size: u64) -> Problem {
    match app.is_within(size).await {
        Ok(_) => not_yet(now, size),
        Err(problem) => problem,
    }
}

fn not_yet(now: &Now, position: u64) -> Problem {
    let detail = format!("the event at {position} is not published yet: {} are", now.size);
    Problem::new(Kind::NotSealed, detail)
}

/// `GET /api/v1/log`.
pub async fn get(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&state(&app).await?)
}

/// `GET /api/v1/log/inclusion/{position}`.
pub async fn get_inclusion(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let position: u64 = path.get("position")?;
    let mut params = Params::of(parts.uri.query());
    let size = params.position("size");
    params.finish()?;
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&inclusion(&app, position, size).await?)
}

/// `GET /api/v1/log/consistency`.
pub async fn get_consistency(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let (from, to) = (params.position("from").unwrap_or(0), params.position("size"));
    params.finish()?;
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&consistency(&app, from, to).await?)
}

/// `GET /api/v1/log/receipts/{position}`.
pub async fn get_receipt(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let position: u64 = path.get("position")?;
    let mut response = text(receipt(&app, position).await?);
    let name = format!("attachment; filename=\"{position}.tlog-proof\"");
    let name = HeaderValue::from_str(&name).ok();
    response.headers_mut().extend(name.map(|name| (header::CONTENT_DISPOSITION, name)));
    Ok(response)
}

/// `GET /log/checkpoint`.
pub async fn checkpoint(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    Ok(text(published(&app)?.now()?.checkpoint))
}

fn text(body: String) -> Response {
    let mut response = Response::new(Body::from(body));
    let form = HeaderValue::from_static("text/plain; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, form);
    response.headers_mut().insert(header::CACHE_CONTROL, FOR_A_MOMENT);
    response
}

/// `GET /log/tile/{level}/{*index}`.
pub async fn tile(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    piece(&app, &format!("tile/{}/{}", path.text("level"), path.text("index")), FOR_EVER).await
}

/// `GET /log/tile/entries/{*index}`.
pub async fn entries(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    piece(&app, &format!("tile/entries/{}", path.text("index")), FOR_EVER_PRIVATE).await
}

/// A piece of the published log. What is kept beyond what is published may still change.
async fn piece(app: &App, path: &str, kept: HeaderValue) -> Result<Response, Problem> {
    let published = published(app)?;
    let missing = || Problem::not_found("piece of the log", path);
    let piece: Piece = path.parse().map_err(|_| missing())?;
    if !piece.is_within(published.now()?.size) {
        return Err(missing());
    }
    let read = published.source().get(&piece.to_string()).await;
    let read = read.map_err(seal::away)?;
    let mut response = Response::new(Body::from(read.ok_or_else(missing)?));
    let form = HeaderValue::from_static("application/octet-stream");
    response.headers_mut().insert(header::CONTENT_TYPE, form);
    response.headers_mut().insert(header::CACHE_CONTROL, kept);
    Ok(response)
}
