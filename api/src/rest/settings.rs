//! Settings: what may be set, what is in force, and what is proposed: `/api/v1/settings`.
//!
//! Does not know what a setting sets.

use std::collections::HashMap;

use ::projections::{
    PageOf, PageRequest, Subject,
    keyed::{self, Row as _},
    settings::{NAME, Proposal, Setting, SettingVersion},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use commands::settings::{self, SettingKey};
use domain::{
    configuration::{
        Document, Key,
        diff::{Change, diff},
    },
    values::Moment,
};
use serde::Serialize;
use serde_json::Value;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::reply::{Asked, read_problem};
use crate::{
    graphql::Component,
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// The list of keys, as its cursors name it.
const KEYS: &str = "setting_keys";
/// The list of a key's versions, as its cursors name it.
const VERSIONS: &str = "setting_versions";

/// A key, with what is in force and what is proposed.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = SettingView)]
pub struct View {
    /// Its key.
    pub key: Key,
    /// What it sets.
    #[schema(example = "When a node counts as gone")]
    pub title: &'static str,
    /// Whether somebody else than its proposer must approve a value.
    pub four_eyes: bool,
    /// What a value must be: JSON Schema, draft 2020-12.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// The version in force; 0 for the default: what each process was configured with.
    pub in_force: u32,
    /// The value in force; null for the default.
    #[schema(value_type = serde_json::Value)]
    pub value: Option<Document>,
    /// The proposal that is open.
    pub proposal: Option<Proposal>,
    /// What the open proposal would change; empty when none is open.
    pub changes: Vec<Change>,
    /// The version of its stream.
    #[schema(value_type = String, example = "3")]
    #[serde(serialize_with = "::projections::decimal")]
    pub version: u64,
    /// When it changed last; null when never.
    pub changed_at: Option<Moment>,
}

impl Component for View {
    const SCHEMA: &'static str = "SettingView";
}

impl View {
    /// A key with its row, when anybody ever spoke to it.
    fn of(key: &SettingKey, row: Option<Setting>) -> View {
        let value = row.as_ref().and_then(|row| row.value.clone());
        let proposal = row.as_ref().and_then(|row| row.proposal.clone());
        let changes = proposal.as_ref().map_or_else(Vec::new, |open| {
            diff(value.as_ref().map(Document::value), Some(open.value.value()))
        });
        View {
            key: key.key.clone(),
            title: key.title,
            four_eyes: key.four_eyes,
            schema: key.schema.clone(),
            in_force: row.as_ref().map_or(0, |row| row.in_force),
            value,
            proposal,
            changes,
            version: row.as_ref().map_or(0, |row| row.version),
            changed_at: row.map(|row| row.changed_at),
        }
    }
}

/// A page of the keys, in order.
pub async fn page_of(app: &App, page: &PageRequest) -> Result<PageOf<View>, Problem> {
    let all = all(app).await?.into_iter().map(|view| (view.key.to_string(), view));
    let page = page.cut(KEYS, all.collect());
    page.map_err(|error| Problem::invalid_parameter("after", error.to_string()))
}

/// Every key, in order.
async fn all(app: &App) -> Result<Vec<View>, Problem> {
    let all = &keyed::Filter::default();
    let rows: Vec<Setting> = keyed::all(&app.pool, all).await.map_err(read_problem)?;
    let mut rows: HashMap<Key, Setting> =
        rows.into_iter().map(|row| (row.key.clone(), row)).collect();
    Ok(settings::all().iter().map(|key| View::of(key, rows.remove(&key.key))).collect())
}

/// One key; none when there is no such key.
pub async fn find(pool: &PgPool, key: &Key) -> Result<Option<View>, Problem> {
    let Some(known) = settings::find(key) else { return Ok(None) };
    Ok(Some(View::of(known, row(pool, key).await?)))
}

async fn row(pool: &PgPool, key: &Key) -> Result<Option<Setting>, Problem> {
    keyed::get(pool, key.as_str()).await.map_err(read_problem)
}

fn unknown(key: &Key) -> Problem {
    Problem::not_found("setting", key)
}

/// `GET /api/v1/settings`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&page_of(&app, &page).await?)
}

/// `GET /api/v1/settings/{key}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let key: Key = path.get("key")?;
    let subject = Subject::of_stream(Setting::CATEGORY, &key);
    let asked = Asked::about(&app, &parts, &[NAME], subject).await?;
    let view = find(asked.pool(&app), &key).await?.ok_or_else(|| unknown(&key))?;
    asked.versioned(&view, view.version)
}

/// `GET /api/v1/settings/{key}/versions`: what was in force, the newest first.
pub async fn versions(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let key: Key = path.get("key")?;
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&versions_of(&app, &key, &page).await?)
}

/// A page of what was in force of a setting, the newest first.
pub async fn versions_of(
    app: &App,
    key: &Key,
    page: &PageRequest,
) -> Result<PageOf<SettingVersion>, Problem> {
    settings::find(key).ok_or_else(|| unknown(key))?;
    let versions = row(&app.pool, key).await?.map_or_else(Vec::new, |row| row.history);
    // The newest first: lists of what is in memory are cut in the order of their keys.
    let from_the_last = |version: &SettingVersion| format!("{:010}", u32::MAX - version.number);
    let sorted = versions.into_iter().map(|version| (from_the_last(&version), version)).collect();
    let page = page.cut(VERSIONS, sorted);
    page.map_err(|error| Problem::invalid_parameter("after", error.to_string()))
}
