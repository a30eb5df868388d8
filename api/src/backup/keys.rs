//! The keys: what is personal or secret is sealed under them, and they are rows of the database,
//! sealed under the master key. They are kept apart from the log, in one file.
//!
//! Does not open anything. Whoever was erased after the file was written is in it still, and is not
//! put back.

use std::{
    collections::BTreeSet,
    fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
};

use domain::{aggregate::Aggregate as _, identity::principal::Principal};
use event_store::{EventStore, Filter, StoreError, StoreOptions, StoredEvent};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, PgPool};

/// The tables, in the order of this file; the first is there before anybody is.
const TABLES: [&str; 6] = [
    "index_keys",
    "signing_keys",
    "person_keys",
    "password_verifiers",
    "second_factors",
    "erasure_certificates",
];
/// What says that somebody's key was destroyed, or is to be.
const ERASED: [&str; 2] = ["personal-data-erased.v1", "subject-key-destroyed.v1"];
/// Of erased persons this alone is kept.
const CERTIFICATES: &str = "erasure_certificates";

/// Why keys are not kept, or not put back.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum KeysError {
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: std::io::Error },
    #[error("line {line} of {} is no row of keys: {fault}", path.display())]
    Line { path: PathBuf, line: usize, fault: String },
    #[error(transparent)]
    Log(#[from] StoreError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// How many rows were put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Rows of keys.
    pub keys: u64,
    /// Rows of those who were erased since: not put back.
    pub erased: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line<'l> {
    table: &'l str,
    principal: Option<&'l str>,
    #[serde(borrow)]
    row: &'l RawValue,
}

/// Writes all keys into a file that only its owner can read, in place of what it was; how many.
pub async fn write_keys(database: &PgPool, path: &Path) -> Result<u64, KeysError> {
    let failed = |error| KeysError::File { path: path.to_owned(), error };
    let mut text = Vec::new();
    let mut keys = 0;
    // One state of all tables.
    let mut tx = database.begin_with("begin isolation level repeatable read read only").await?;
    for table in TABLES {
        let statement = format!(
            "select to_jsonb(t) ->> 'principal', to_jsonb(t)::text from {table} t order by 2"
        );
        let rows: Vec<(Option<String>, String)> =
            sqlx::query_as(AssertSqlSafe(statement)).fetch_all(&mut *tx).await?;
        for (principal, row) in rows {
            let row = RawValue::from_string(row).map_err(|error| failed(error.into()))?;
            let line = Line { table, principal: principal.as_deref(), row: &row };
            serde_json::to_writer(&mut text, &line).map_err(|error| failed(error.into()))?;
            text.push(b'\n');
            keys += 1;
        }
    }
    tx.commit().await?;
    agent::replace(path, &text).map_err(failed)?;
    Ok(keys)
}

/// Puts the keys of a file back, but for those that are there, and those of whoever the log says is
/// erased. All of them, or none.
pub async fn restore_keys(
    log: &StoreOptions,
    pool: &PgPool,
    path: &Path,
) -> Result<Kept, KeysError> {
    let failed = |error| KeysError::File { path: path.to_owned(), error };
    let erased = erased(log).await?;
    let file = fs::File::open(path).map_err(failed)?;
    let mut kept = Kept { keys: 0, erased: 0 };
    let mut tx = pool.begin().await?;
    for (nth, text) in BufReader::new(file).lines().enumerate() {
        let text = text.map_err(failed)?;
        let no_row =
            |fault: String| KeysError::Line { path: path.to_owned(), line: nth + 1, fault };
        let line: Line<'_> =
            serde_json::from_str(&text).map_err(|error| no_row(error.to_string()))?;
        let Some(table) = TABLES.iter().find(|table| **table == line.table) else {
            return Err(no_row(format!("there is no table {}", line.table)));
        };
        let is_erased = line.principal.is_some_and(|principal| erased.contains(principal));
        if is_erased && *table != CERTIFICATES {
            kept.erased += 1;
            continue;
        }
        let statement = format!(
            "insert into {table} select * from jsonb_populate_record(null::{table}, $1::jsonb)
             on conflict do nothing"
        );
        let done = sqlx::query(AssertSqlSafe(statement)).bind(line.row.get()).execute(&mut *tx);
        let done = done.await.map_err(|error| match error.as_database_error() {
            // What is in the line cannot be a row of this table.
            Some(fault) if fault.code().is_some_and(|code| code.starts_with('2')) => {
                no_row(fault.message().to_owned())
            }
            _ => error.into(),
        })?;
        kept.keys += done.rows_affected();
    }
    tx.commit().await?;
    Ok(kept)
}

/// Whose keys are destroyed, or to be, by what the log says.
async fn erased(log: &StoreOptions) -> Result<BTreeSet<String>, KeysError> {
    let store = EventStore::open(log.clone()).await?;
    let filter = Filter {
        categories: vec![Principal::CATEGORY.to_owned()],
        event_types: ERASED.map(str::to_owned).to_vec(),
        ..Filter::default()
    };
    let mut erased = BTreeSet::new();
    let see = |event: StoredEvent| {
        erased.insert(event.stream.id().to_owned());
    };
    store.each(&filter, see).await?;
    store.close().await;
    Ok(erased)
}
