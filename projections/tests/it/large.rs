//! Lists over large tables: every list reads about as many rows as it shows, by an index, however
//! many there are and whether anything passes its filter, and is as many statements for one row as
//! for a hundred. `make lists` fills them with a million
//! rows and says how long a page takes.
//!
//! Does not know what the rows mean.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use domain::values::{Address, ChainId};
use futures::future::{BoxFuture, FutureExt as _};
use projections::{
    Cursor, Order, PageOf, PageRequest, ReadError, accounts, activity, alert_rules, alerts,
    anchors, blocks, chains, delegations, flags, headers, heights,
    keyed::{self, Row},
    partitions, peers, process_runs, reputation_history, settings, slashing_history, slos,
    transactions, validator_sets, validators,
};
use sqlx::{AssertSqlSafe, PgPool, postgres::PgPoolOptions};

use crate::{
    copies::multiply,
    counted::counting,
    database::{Database, TABLES, caught_up},
    history::History,
};

/// How many rows each table has when nothing is said.
const ROWS: u64 = 20_000;
/// Says another number.
const ROWS_VARIABLE: &str = "NODE0_LIST_ROWS";
/// How many pages of each list are asked for.
const PAGES: usize = 30;
/// The rows of a page.
const FIRST: u64 = 100;
/// How many rows a statement may read of tables and indexes for each row of a page: some are
/// joined, and joined again.
const READ_PER_ROW_MAX: u64 = 40;

type Answer = Result<(usize, Option<Cursor>), ReadError>;

/// A list.
struct List {
    name: &'static str,
    /// Whether nothing passes: then it must find that out without looking at everything.
    is_empty: bool,
    ask: Ask,
}

type Ask = Box<dyn Fn(PgPool, PageRequest) -> BoxFuture<'static, Answer> + Send + Sync>;

fn list<T, F, A>(name: &'static str, ask: F) -> List
where
    F: Fn(PgPool, PageRequest) -> A + Send + Sync + 'static,
    A: Future<Output = Result<PageOf<T>, ReadError>> + Send + 'static,
    T: 'static,
{
    let ask = move |pool, page| {
        let asked = ask(pool, page);
        async move { asked.await.map(|page| (page.items.len(), page.next)) }.boxed()
    };
    List { name, is_empty: false, ask: Box::new(ask) }
}

/// The same where nothing passes.
fn none<T, F, A>(name: &'static str, ask: F) -> List
where
    F: Fn(PgPool, PageRequest) -> A + Send + Sync + 'static,
    A: Future<Output = Result<PageOf<T>, ReadError>> + Send + 'static,
    T: 'static,
{
    List { is_empty: true, ..list(name, ask) }
}

fn rows<R: Row + 'static>(name: &'static str) -> List {
    list(name, |pool, page| async move {
        keyed::list::<R>(&pool, &keyed::Filter::default(), &page).await
    })
}

/// A value as it is in a table, hex for bytes.
async fn one(pool: &PgPool, statement: &str) -> String {
    let found = sqlx::query_scalar(AssertSqlSafe(statement.to_owned())).fetch_one(pool).await;
    found.unwrap_or_else(|error| panic!("{statement}: {error}"))
}

async fn address(pool: &PgPool, of: &str) -> Address {
    let (table, column) = of.rsplit_once('.').unwrap();
    let statement = format!("select upper(encode({column}, 'hex')) from {table} limit 1");
    one(pool, &statement).await.parse().unwrap()
}

async fn chain(pool: &PgPool, table: &str) -> ChainId {
    one(pool, &format!("select chain_id from {table} limit 1")).await.parse().unwrap()
}

/// Every list, and filters that nothing passes.
async fn lists(pool: &PgPool) -> Vec<List> {
    let nobody: Address = "00".repeat(20).parse().unwrap();
    let (of_headers, of_forks) =
        (chain(pool, "headers_v1.headers").await, chain(pool, "chains_v1.forks").await);
    let of_rejections = chain(pool, "headers_v1.rejections").await;
    let of_sets = chain(pool, "validator_sets_v1.validator_sets").await;
    let of_heights = chain(pool, "heights_v1.heights").await;
    let process = one(pool, "select process from process_runs_v1.runs limit 1").await;
    let sender = address(pool, "transactions_v1.accepted.sender").await;
    let recipient = address(pool, "transactions_v1.accepted.recipient").await;
    let staked = address(pool, "delegations_v1.delegations.validator").await;
    let unbonding = address(pool, "delegations_v1.unbondings.validator").await;
    let slashed = address(pool, "slashing_history_v1.slashings.address").await;
    let judged = address(pool, "reputation_history_v1.reputations.address").await;
    let performed = address(pool, "reputation_history_v1.performances.address").await;
    let newest = Order::Newest;
    let transactions_of = move |filter: transactions::Filter| {
        move |pool: PgPool, page: PageRequest| {
            let filter = filter.clone();
            async move { transactions::list(&pool, &filter, newest, &page).await }
        }
    };
    let activity_of = move |filter: activity::Filter| {
        move |pool: PgPool, page: PageRequest| {
            let filter = filter.clone();
            async move { activity::list(&pool, &filter, newest, &page).await }
        }
    };
    let validators_by = |sort: validators::Sort, filter: validators::Filter| {
        move |pool: PgPool, page: PageRequest| {
            let filter = filter.clone();
            async move { validators::list(&pool, &filter, sort, &page).await }
        }
    };
    let text = |text: &str| Some(text.to_owned());
    vec![
        list("accounts", |pool, page| async move { accounts::list(&pool, &page).await }),
        list("activity", activity_of(activity::Filter::default())),
        none(
            "activity of a category",
            activity_of(activity::Filter { category: text("nothing"), ..Default::default() }),
        ),
        none(
            "activity of a stream",
            activity_of(activity::Filter { stream: text("flag-no.such"), ..Default::default() }),
        ),
        none(
            "activity about",
            activity_of(activity::Filter { subject: text("nobody"), ..Default::default() }),
        ),
        none(
            "activity of a type",
            activity_of(activity::Filter { event_type: text("nothing.v1"), ..Default::default() }),
        ),
        none(
            "activity by",
            activity_of(activity::Filter { actor: text("nobody"), ..Default::default() }),
        ),
        rows::<alert_rules::AlertRule>("alert rules"),
        list("alerts", |pool, page| async move {
            keyed::latest::<alerts::Alert>(&pool, &keyed::Filter::default(), Order::Newest, &page)
                .await
        }),
        rows::<slos::Slo>("objectives"),
        rows::<peers::Peer>("peers"),
        rows::<partitions::Partitions>("partitions"),
        rows::<settings::Setting>("settings"),
        list("anchors", move |pool, page| async move {
            anchors::list(&pool, &anchors::Filter::default(), newest, &page).await
        }),
        none("anchors of", move |pool, page| async move {
            let filter = anchors::Filter { owner: Some(nobody), digest: None };
            anchors::list(&pool, &filter, newest, &page).await
        }),
        list("blocks", move |pool, page| async move {
            blocks::list(&pool, &blocks::Filter::default(), newest, &page).await
        }),
        none("blocks of", move |pool, page| async move {
            let filter = blocks::Filter { proposer: Some(nobody), ..Default::default() };
            blocks::list(&pool, &filter, newest, &page).await
        }),
        list("chains", |pool, page| async move { chains::list(&pool, &page).await }),
        list("forks", move |pool, page| {
            let chain = of_forks.clone();
            async move { chains::forks(&pool, &chain, newest, &page).await }
        }),
        list("headers", move |pool, page| {
            let filter = headers::Filter::of(of_headers.clone());
            async move { headers::list(&pool, &filter, newest, &page).await }
        }),
        list("rejections", move |pool, page| {
            let chain = of_rejections.clone();
            async move { headers::rejections(&pool, &chain, newest, &page).await }
        }),
        list("heights", move |pool, page| {
            let chain = of_heights.clone();
            async move { heights::list(&pool, &chain, newest, &page).await }
        }),
        list("delegations", move |pool, page| async move {
            delegations::list(&pool, delegations::Filter::Validator(staked), &page).await
        }),
        none("delegations of", move |pool, page| async move {
            delegations::list(&pool, delegations::Filter::Delegator(nobody), &page).await
        }),
        list("unbondings", move |pool, page| async move {
            delegations::unbondings(&pool, delegations::Filter::Validator(unbonding), &page).await
        }),
        none("unbondings of", move |pool, page| async move {
            delegations::unbondings(&pool, delegations::Filter::Delegator(nobody), &page).await
        }),
        list("flags", |pool, page| async move {
            flags::list(&pool, flags::Filter::default(), &page).await
        }),
        list("process runs", move |pool, page| {
            let process = process.clone();
            async move { process_runs::list(&pool, &process, newest, &page).await }
        }),
        list("reputation", move |pool, page| async move {
            reputation_history::list(&pool, Some(judged), newest, &page).await
        }),
        list("performances", move |pool, page| async move {
            reputation_history::performances(&pool, performed, newest, &page).await
        }),
        list("slashings", move |pool, page| async move {
            slashing_history::list(&pool, &slashing_history::Filter::default(), newest, &page).await
        }),
        list("slashings of", move |pool, page| async move {
            let filter = slashing_history::Filter { address: Some(slashed), offence: None };
            slashing_history::list(&pool, &filter, newest, &page).await
        }),
        list("transactions", transactions_of(transactions::Filter::default())),
        list(
            "transactions from",
            transactions_of(transactions::Filter { sender: Some(sender), ..Default::default() }),
        ),
        list(
            "transactions about",
            transactions_of(transactions::Filter {
                account: Some(recipient),
                ..Default::default()
            }),
        ),
        none(
            "transactions about nobody",
            transactions_of(transactions::Filter { account: Some(nobody), ..Default::default() }),
        ),
        none(
            "transactions of a kind",
            transactions_of(transactions::Filter { kind: text("nothing"), ..Default::default() }),
        ),
        list("mempool", |pool, page| async move { transactions::mempool(&pool, &page).await }),
        list("validator sets", move |pool, page| {
            let chain = of_sets.clone();
            async move { validator_sets::list(&pool, &chain, newest, &page).await }
        }),
        list(
            "validators by power",
            validators_by(validators::Sort::Power, validators::Filter::default()),
        ),
        list(
            "validators by reputation",
            validators_by(validators::Sort::Reputation, validators::Filter::default()),
        ),
        list(
            "validators by name",
            validators_by(validators::Sort::Moniker, validators::Filter::default()),
        ),
        list(
            "validators by age",
            validators_by(validators::Sort::Newest, validators::Filter::default()),
        ),
        list(
            "validators by address",
            validators_by(validators::Sort::Address, validators::Filter::default()),
        ),
        none(
            "validators of",
            validators_by(
                validators::Sort::Power,
                validators::Filter {
                    chain_id: Some("no-such-chain".parse().unwrap()),
                    ..Default::default()
                },
            ),
        ),
    ]
}

/// How many statements a page of so many rows is made of.
async fn statements(count: &AtomicU64, pool: &PgPool, ask: &Ask, first: u64) -> u64 {
    let page = PageRequest::parse(Some(first), None).unwrap();
    count.store(0, Ordering::SeqCst);
    ask(pool.clone(), page).await.unwrap();
    count.load(Ordering::SeqCst)
}

/// How many rows were read one after the other, and how many entries of indexes.
async fn read_so_far(pool: &PgPool) -> (u64, u64) {
    sqlx::raw_sql("select pg_stat_force_next_flush()").execute(pool).await.unwrap();
    let statement = "select coalesce(sum(seq_tup_read), 0)::bigint, \
         (select coalesce(sum(idx_tup_read), 0) from pg_stat_user_indexes)::bigint \
         from pg_stat_user_tables";
    let (rows, entries): (i64, i64) = sqlx::query_as(statement).fetch_one(pool).await.unwrap();
    (rows.unsigned_abs(), entries.unsigned_abs())
}

#[tokio::test(flavor = "multi_thread")]
async fn every_list_reads_about_as_many_rows_as_it_shows_however_many_there_are() {
    let count = std::env::var(ROWS_VARIABLE).map_or(ROWS, |count| count.parse().unwrap());
    let history = History::of(3, 400);
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(4_096);
    caught_up(&projections, head).await;
    projections.stop().await;
    // One connection: what it has read is counted before it is asked.
    let pool = PgPoolOptions::new().max_connections(1).connect(&database.url).await.unwrap();
    for table in TABLES {
        multiply(&pool, table, count).await;
    }
    println!("{count} rows in each of {} tables; a page has {FIRST} rows", TABLES.len());
    // Its own statements are not to be counted.
    database.store.close().await;
    let (counted, _guard) = counting();
    let mut wrong = Vec::new();
    for List { name, is_empty, ask } in lists(&pool).await {
        let (mut after, mut took, mut shown): (Option<Cursor>, Vec<Duration>, usize) =
            Default::default();
        let few = statements(&counted, &pool, &ask, 1).await;
        let many = statements(&counted, &pool, &ask, FIRST).await;
        if few != many || few == 0 {
            wrong.push(format!("{name}: {few} statements for a row, {many} for {FIRST}"));
        }
        let before = read_so_far(&pool).await;
        for _ in 0..PAGES {
            let text = after.as_ref().map(ToString::to_string);
            let page = PageRequest::parse(Some(FIRST), text.as_deref()).unwrap();
            let begun = Instant::now();
            let (found, next) =
                ask(pool.clone(), page).await.unwrap_or_else(|e| panic!("{name}: {e}"));
            took.push(begun.elapsed());
            shown += found;
            after = next;
        }
        let read = read_so_far(&pool).await;
        took.sort_unstable();
        let p95 = took[PAGES * 95 / 100];
        let (rows, entries) = (read.0 - before.0, read.1 - before.1);
        println!(
            "{name:28} p95 {p95:>10.2?}  {shown:>5} shown, {rows:>8} rows and {entries:>8} entries read"
        );
        let most = READ_PER_ROW_MAX * FIRST * PAGES as u64;
        if rows + entries > most {
            wrong.push(format!("{name} reads {rows} rows and {entries} entries for {PAGES} pages"));
        }
        if is_empty != (shown == 0) {
            wrong.push(format!("{name} shows {shown}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    pool.close().await;
    database.drop().await;
}
