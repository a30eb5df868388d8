//! Whether a read model in use is what the log makes of it: it is compared, as of one position,
//! with the same one folded anew into a database beside it.
//!
//! Does not know who asks, nor what becomes of a difference. What is equal is known by sums of
//! hashes that do not depend on any order; only where those differ is row compared with row, in
//! both directions.

use std::{cmp::Ordering, collections::BTreeMap, sync::Arc};

use event_store::{EventStore, StoreError};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::{AssertSqlSafe, PgConnection, PgPool};
use utoipa::ToSchema;

use crate::{
    begin::begin_as,
    checkpoint::{self, Id},
    columns,
    projection::Projection,
    runner::{Projections, ProjectionsOptions},
};

/// Characters of a value that are told.
const VALUE_CHARS_MAX: usize = 200;
/// How often it is looked whether a fold still moves, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// A transaction that sees one state of all tables, in which values are written in one form
/// whatever the database is set to.
const SNAPSHOT: &str = "begin isolation level repeatable read read only; \
    set local timezone to 'UTC'; set local datestyle to 'ISO, YMD'; set local bytea_output to hex; \
    set local extra_float_digits to 1; set local intervalstyle to iso_8601";

/// Why nothing can be said.
#[derive(Debug, thiserror::Error)]
pub enum CompareError {
    /// The log cannot be folded.
    #[error("{name} cannot be folded anew: {because}")]
    Fold {
        /// The read model.
        name: String,
        /// Why not.
        because: String,
    },
    /// The log could not be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The database could not be reached or refused.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What a read model is, compared with what the log makes of it.
#[derive(Clone, Debug)]
pub enum Comparison {
    /// The same, in every row.
    Equal(Contents),
    /// Something else: this is the first row, by the names of tables and the keys of rows.
    Differs(RowDifference),
    /// It cannot be said now.
    Not(String),
}

/// What is in a read model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    /// As of this position.
    pub position: u64,
    /// So many rows.
    pub rows: u64,
    /// What stands for all of them: the sum of their hashes, in hex.
    pub checksum: String,
}

/// A row that is not what the log makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct RowDifference {
    /// The read model.
    #[schema(example = "validators")]
    pub read_model: String,
    /// Its table.
    #[schema(example = "validators")]
    pub table: String,
    /// The key of the row, as a JSON object.
    pub key: String,
    /// What is wrong with the row.
    pub fault: RowFault,
    /// As of this position.
    #[serde(with = "columns::decimal_text")]
    #[schema(value_type = String, example = "4096")]
    pub position: u64,
    /// The columns that differ.
    pub columns: Vec<ColumnDifference>,
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowFault {
    /// The log makes it, and it is not there.
    Missing,
    /// It is there, and the log makes none.
    Unexpected,
    /// The log makes another of it.
    Changed,
}

/// A value that is not what the log makes of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ColumnDifference {
    /// Its column.
    #[schema(example = "power")]
    pub column: String,
    /// What is there, as JSON, cut at 200 characters.
    pub in_use: String,
    /// What the log makes of it, likewise.
    pub by_log: String,
}

impl RowDifference {
    /// What it is, in a sentence.
    pub fn sentence(&self) -> String {
        let RowDifference { read_model, table, key, fault, columns, .. } = self;
        let row = format!("{read_model}: row {key} of {table}");
        match fault {
            RowFault::Missing => format!("{row} is missing"),
            RowFault::Unexpected => format!("{row} is none that the log makes"),
            RowFault::Changed => {
                let names: Vec<&str> = columns.iter().map(|one| one.column.as_str()).collect();
                format!("{row} is not what the log makes of it: {}", names.join(", "))
            }
        }
    }
}

/// Folds read models on to a position of the log, in the database that they are kept in.
pub async fn fold_to(
    these: Vec<Arc<dyn Projection>>,
    store: &EventStore,
    tables: &PgPool,
    until: u64,
) -> Result<(), CompareError> {
    let options = ProjectionsOptions { until, ..ProjectionsOptions::default() };
    let folding = Projections::start_these(these, store.clone(), tables.clone(), options);
    let names: Vec<&str> = folding.names().collect();
    let mut stalled = None;
    while stalled.is_none() && folding.wait_for(&names, until, LOOK_MS).await.is_err() {
        stalled = folding.status().await.into_iter().find(|status| status.state.is_stalled());
    }
    folding.stop().await;
    match stalled {
        None => Ok(()),
        Some(status) => {
            let because = status.stalled_because.unwrap_or_default();
            Err(CompareError::Fold { name: status.name, because })
        }
    }
}

/// Compares a read model with the same one in another database, which is folded on for it to where
/// the one in use is.
pub async fn compare(
    projection: Arc<dyn Projection>,
    store: &EventStore,
    in_use: &PgPool,
    anew: &PgPool,
) -> Result<Comparison, CompareError> {
    let id = Id { name: projection.name(), version: projection.version() };
    let mut ours = begin_as(in_use, SNAPSHOT).await?;
    let Some((position, built_from)) = checkpoint::found(&mut *ours, id).await? else {
        return Ok(Comparison::Not("it has not begun".to_owned()));
    };
    if built_from != store.incarnation() {
        return Ok(Comparison::Not("it was built from another log".to_owned()));
    }
    let there = checkpoint::position(anew, id).await?.unwrap_or(0);
    if position < there {
        return Ok(Comparison::Not(format!("it is behind: at {position} of {there}")));
    }
    fold_to(vec![projection], store, anew, position).await?;
    let mut theirs = begin_as(anew, SNAPSHOT).await?;
    let mut contents = Contents { position, rows: 0, checksum: String::new() };
    let mut sum = [0_u64; 2];
    for table in tables(&mut theirs, id).await? {
        let found = table.digest(&mut ours).await?;
        if found != table.digest(&mut theirs).await?
            && let Some((key, fault, columns)) = table.first(&mut ours, &mut theirs).await?
        {
            let (read_model, table) = (id.name.to_owned(), table.name);
            let differs = RowDifference { read_model, table, key, fault, position, columns };
            return Ok(Comparison::Differs(differs));
        }
        contents.rows += found.rows;
        for (all, one) in sum.iter_mut().zip(found.sum) {
            *all = all.wrapping_add(one);
        }
    }
    contents.checksum = format!("{:016x}{:016x}", sum[0], sum[1]);
    Ok(Comparison::Equal(contents))
}

/// A table of a read model, as statements write it.
struct Table {
    name: String,
    /// With its schema.
    quoted: String,
    /// What names a row of it, called `t`: its primary key as a JSON object, or all of the row.
    key: String,
}

/// What stands for all rows of a table, in whatever order: how many there are, and the sums of the
/// halves of their hashes, modulo 2^64.
#[derive(Debug, PartialEq, Eq)]
struct Digest {
    rows: u64,
    sum: [u64; 2],
}

/// A row that is not the same in both: its key, and in what.
type Differing = (String, RowFault, Vec<ColumnDifference>);

async fn tables(tx: &mut PgConnection, id: Id) -> Result<Vec<Table>, sqlx::Error> {
    let found: Vec<(String, String, String)> = sqlx::query_as(
        "select c.relname::text, format('%I.%I', n.nspname, c.relname),
                coalesce('jsonb_build_object(' || (
                    select string_agg(format('%L, t.%I', a.attname, a.attname), ', '
                                      order by a.attnum)
                      from pg_index i
                      join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey)
                     where i.indrelid = c.oid and i.indisprimary) || ')', 'to_jsonb(t)')
           from pg_class c join pg_namespace n on n.oid = c.relnamespace
          where n.nspname = $1 and c.relkind in ('r', 'p') order by 1",
    )
    .bind(format!("{}_v{}", id.name, id.version))
    .fetch_all(tx)
    .await?;
    Ok(found.into_iter().map(|(name, quoted, key)| Table { name, quoted, key }).collect())
}

impl Table {
    async fn digest(&self, tx: &mut PgConnection) -> Result<Digest, sqlx::Error> {
        // A row is told from the same one of another table by the table's name before it.
        let statement = format!(
            "select count(*),
                    coalesce(sum(('x' || substr(h, 1, 16))::bit(64)::bigint::numeric), 0)::text,
                    coalesce(sum(('x' || substr(h, 17, 16))::bit(64)::bigint::numeric), 0)::text
               from (select encode(sha256(convert_to($1 || t::text, 'UTF8')), 'hex') as h
                       from {} t) hashed",
            self.quoted
        );
        let (rows, first, second): (i64, String, String) =
            sqlx::query_as(AssertSqlSafe(statement)).bind(&self.name).fetch_one(tx).await?;
        Ok(Digest { rows: columns::unsigned(rows), sum: [modulo(&first)?, modulo(&second)?] })
    }

    /// The rows in the order of their keys, each as JSON.
    fn rows(&self) -> AssertSqlSafe<String> {
        let Table { quoted, key, .. } = self;
        AssertSqlSafe(format!(
            "select key, row from (select {key}::text as key, to_jsonb(t)::text as row
                                     from {quoted} t) k
              order by key collate \"C\", row collate \"C\""
        ))
    }

    /// The first row that is not the same in both.
    async fn first(
        &self,
        ours: &mut PgConnection,
        theirs: &mut PgConnection,
    ) -> Result<Option<Differing>, sqlx::Error> {
        let mut ours = sqlx::query_as::<_, (String, String)>(self.rows()).fetch(ours);
        let mut theirs = sqlx::query_as::<_, (String, String)>(self.rows()).fetch(theirs);
        loop {
            let ((key, in_use), (other, by_log)) =
                match (ours.try_next().await?, theirs.try_next().await?) {
                    (None, None) => return Ok(None),
                    (Some((key, _)), None) => {
                        return Ok(Some((key, RowFault::Unexpected, Vec::new())));
                    }
                    (None, Some((key, _))) => {
                        return Ok(Some((key, RowFault::Missing, Vec::new())));
                    }
                    (Some(in_use), Some(by_log)) => (in_use, by_log),
                };
            let found = match key.cmp(&other) {
                Ordering::Less => (key, RowFault::Unexpected, Vec::new()),
                Ordering::Greater => (other, RowFault::Missing, Vec::new()),
                Ordering::Equal if in_use == by_log => continue,
                Ordering::Equal => (key, RowFault::Changed, differing(&in_use, &by_log)),
            };
            return Ok(Some(found));
        }
    }
}

/// The columns in which two rows differ.
fn differing(in_use: &str, by_log: &str) -> Vec<ColumnDifference> {
    let read = |row| serde_json::from_str::<BTreeMap<String, &RawValue>>(row).unwrap_or_default();
    let (in_use, by_log) = (read(in_use), read(by_log));
    let cut = |value: &RawValue| value.get().chars().take(VALUE_CHARS_MAX).collect::<String>();
    let different = in_use.iter().filter_map(|(column, in_use)| {
        let by_log = by_log.get(column)?;
        (in_use.get() != by_log.get()).then(|| ColumnDifference {
            column: column.clone(),
            in_use: cut(in_use),
            by_log: cut(by_log),
        })
    });
    different.collect()
}

/// A sum, modulo 2^64.
fn modulo(text: &str) -> Result<u64, sqlx::Error> {
    let number: i128 = text.parse().map_err(|error| sqlx::Error::Decode(Box::new(error)))?;
    let modulus = i128::from(u64::MAX) + 1;
    u64::try_from(number.rem_euclid(modulus)).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}
