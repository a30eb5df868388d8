//! Large tables, made of copies of one row that are told apart by their keys alone: what a list
//! costs depends on its statement and its indexes, not on what the rows mean.
//!
//! Does not know what is asked of them.

use std::collections::BTreeSet;

use sqlx::{AssertSqlSafe, PgPool};

/// How many accounts transactions go to.
const RECIPIENTS: u64 = 100;
/// How many transactions of each sender wait.
const WAITING_OF_EACH: u64 = 10;

/// Which row of a table is copied: of what waits, one that was accepted.
fn template(table: &str) -> &'static str {
    match table {
        "transactions_v1.accepted" => "where hash in (select hash from transactions_v1.waiting)",
        "transactions_v1.waiting" => "where hash in (select hash from transactions_v1.accepted)",
        _ => "",
    }
}

/// How a value of a column's type differs from copy to copy `g`.
fn varied(column: &str, kind: &str) -> String {
    match kind {
        "bigint" | "integer" | "numeric" => format!("(t.{column} + g)::{kind}"),
        "bytea" => format!(
            "case when g = 0 then t.{column} else \
             substr(sha256(t.{column} || int8send(g)), 1, octet_length(t.{column})) end"
        ),
        "uuid" => format!("md5(t.{column}::text || g)::uuid"),
        _ => format!("case when g = 0 then t.{column} else t.{column} || 'x' || g end"),
    }
}

/// Fills a table with copies of its first row.
pub async fn multiply(pool: &PgPool, table: &str, rows: u64) {
    let statement = "select a.attname::text, format_type(a.atttypid, null) from pg_attribute a \
         where a.attrelid = $1::regclass and a.attnum > 0 and not a.attisdropped \
           and a.attgenerated = '' order by a.attnum";
    let columns: Vec<(String, String)> =
        sqlx::query_as(statement).bind(table).fetch_all(pool).await.unwrap();
    let statement = "select array_agg(a.attname::text) from pg_index i \
           join pg_attribute a on a.attrelid = i.indrelid and a.attnum = any (i.indkey) \
          where i.indrelid = $1::regclass and i.indisunique group by i.indexrelid";
    let keys: Vec<Vec<String>> =
        sqlx::query_scalar(statement).bind(table).fetch_all(pool).await.unwrap();
    let kind_of = |name: &String| {
        columns.iter().find(|(column, _)| column == name).map_or("", |(_, kind)| kind.as_str())
    };
    let mut differing: BTreeSet<&String> = BTreeSet::new();
    for key in &keys {
        if key.iter().all(|column| !differing.contains(column)) {
            // What lists are filtered by stays the same where something else can differ.
            let rank = |column: &&String| match (kind_of(column), column.as_str()) {
                ("bigint" | "integer" | "numeric", _) => 0,
                ("bytea", "validator" | "sender" | "address") => 2,
                ("bytea" | "uuid", _) => 1,
                _ => 3,
            };
            differing.insert(key.iter().min_by_key(rank).unwrap());
        }
    }
    let values: Vec<String> = columns
        .iter()
        .map(|(column, kind)| {
            let quoted = format!("\"{column}\"");
            let waits = matches!(table, "transactions_v1.accepted" | "transactions_v1.waiting");
            match column.as_str() {
                "sender" if waits => {
                    format!("substr(sha256(t.sender || int8send(g / {WAITING_OF_EACH})), 1, 20)")
                }
                "recipient" if waits => {
                    format!("substr(sha256(t.recipient || int8send(g % {RECIPIENTS})), 1, 20)")
                }
                "hash" | "nonce" if waits => varied(&quoted, kind),
                _ if differing.contains(column) => varied(&quoted, kind),
                _ => format!("t.{quoted}"),
            }
        })
        .collect();
    let names: Vec<String> = columns.iter().map(|(column, _)| format!("\"{column}\"")).collect();
    let (names, values) = (names.join(", "), values.join(", "));
    let filled = sqlx::raw_sql(AssertSqlSafe(format!(
        "create temp table template as select * from {table} {} limit 1; \
         delete from {table}; \
         insert into {table} ({names}) select {values} from template t, \
             generate_series(0::bigint, {rows} - 1) g; \
         drop table template; analyze {table}",
        template(table),
    )));
    filled.execute(pool).await.unwrap_or_else(|error| panic!("{table}: {error}"));
}
