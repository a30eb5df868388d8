//! Lists: every page of every order, one statement each, and cursors that are refused elsewhere.

use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, Ordering},
};

use crate::{
    counted::counting,
    database::{Database, caught_up},
    history::History,
};
use event_store::Filter;
use projections::{
    Order, PageError, PageOf, PageRequest, ReadError, activity, attachment, chains, delegations,
    event::{Chunk, Event},
    headers, process_runs, reputation_history, slashing_history, validator_sets, validators,
};

/// What a read answers, when it is one statement.
async fn one_statement<T>(
    count: &AtomicU64,
    read: impl Future<Output = Result<T, ReadError>>,
) -> T {
    count.store(0, Ordering::SeqCst);
    let found = read.await.unwrap();
    assert_eq!(count.load(Ordering::SeqCst), 1, "{}", std::any::type_name::<T>());
    found
}

async fn projected(seed: u64) -> (History, Database) {
    let history = History::of(seed, 500);
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(4_096);
    caught_up(&projections, head).await;
    projections.stop().await;
    (history, database)
}

fn first(first: u32) -> PageRequest {
    PageRequest::new(first, None).unwrap()
}

#[tokio::test]
async fn every_read_is_one_statement() {
    let (history, database) = projected(16).await;
    let pool = &database.pool;
    let addresses: Vec<_> = history.validators.keys().copied().collect();
    let one = addresses[0];
    let observed: domain::values::ChainId = "example-1".parse().unwrap();
    let native: domain::values::ChainId = "node0-local".parse().unwrap();
    let height = domain::values::Height::FIRST;
    let epoch = domain::values::Epoch::FIRST;
    let both = [observed.clone(), native.clone()];
    let page = first(3);
    // Its own statements are not to be counted.
    database.store.close().await;
    let (count, _guard) = counting();
    let count = &*count;
    let _ = one_statement(count, chains::get(pool, &observed)).await;
    assert_eq!(one_statement(count, chains::by_keys(pool, &both)).await.len(), 2);
    let _ = one_statement(count, chains::list(pool, &page)).await;
    let _ = one_statement(count, chains::forks(pool, &observed, Order::Newest, &page)).await;
    let _ = one_statement(count, headers::get(pool, &observed, height)).await;
    let keys: Vec<_> = (1..5).map(|h| (observed.clone(), h.try_into().unwrap())).collect();
    assert_eq!(one_statement(count, headers::by_keys(pool, &keys)).await.len(), 4);
    let filter = headers::Filter::of(observed.clone());
    let _ = one_statement(count, headers::list(pool, &filter, Order::Newest, &page)).await;
    let _ = one_statement(count, headers::rejections(pool, &observed, Order::Newest, &page)).await;
    let _ = one_statement(count, validators::get(pool, one)).await;
    assert_eq!(
        one_statement(count, validators::by_keys(pool, &addresses)).await.len(),
        addresses.len()
    );
    let all = validators::Filter::default();
    let _ =
        one_statement(count, validators::list(pool, &all, validators::Sort::Power, &page)).await;
    let _ = one_statement(count, validator_sets::current_of(pool, &both)).await;
    let _ = one_statement(count, validator_sets::list(pool, &native, Order::Newest, &page)).await;
    let _ = one_statement(count, validator_sets::members(pool, &native, epoch, &page)).await;
    let _ = one_statement(count, delegations::bonds_by_keys(pool, &addresses)).await;
    let filter = delegations::Filter::Validator(one);
    let _ = one_statement(count, delegations::list(pool, filter, &page)).await;
    let _ = one_statement(count, delegations::unbondings(pool, filter, &page)).await;
    let many = one_statement(count, delegations::first_of_many(pool, &addresses, &page)).await;
    assert!(many.iter().any(|(_, page)| page.has_next));
    for (address, found) in many {
        let filter = delegations::Filter::Validator(address);
        assert_eq!(one_statement(count, delegations::list(pool, filter, &page)).await, found);
    }
    for (address, found) in
        one_statement(count, slashing_history::first_of_many(pool, &addresses, &page)).await
    {
        let filter = slashing_history::Filter { address: Some(address), offence: None };
        let list =
            one_statement(count, slashing_history::list(pool, &filter, Order::Newest, &page)).await;
        assert_eq!(list, found);
    }
    for (address, found) in
        one_statement(count, reputation_history::first_of_many(pool, &addresses, &page)).await
    {
        let list = reputation_history::list(pool, Some(address), Order::Newest, &page);
        assert_eq!(one_statement(count, list).await, found);
    }
    let _ = one_statement(count, reputation_history::performances(pool, one, Order::Newest, &page))
        .await;
    let all = activity::Filter::default();
    let _ = one_statement(count, activity::list(pool, &all, Order::Newest, &page)).await;
    database.drop().await;
}

#[tokio::test]
async fn a_chunk_takes_as_many_statements_however_long_it_is() {
    let history = History::of(17, 900);
    let (database, head) = Database::filled(&history).await;
    let stored = database.store.read_all(0, &Filter::all(), 10_000).await.unwrap().events;
    let (events, _) = attachment::decode(&database.store, stored).await.unwrap();
    assert!(head >= 900, "{head}");
    database.store.close().await;
    let (count, _guard) = counting();
    for projection in projections::all() {
        let followed = |event: &&Event| projection.follows().contains(&event.stream.category());
        let events: Vec<&Event> = events.iter().filter(followed).collect();
        let mut tx = database.pool.begin().await.unwrap();
        count.store(0, Ordering::SeqCst);
        projection.apply(&Chunk::new(&events), &mut tx).await.unwrap();
        let taken = count.load(Ordering::SeqCst);
        let most = match projection.name() {
            // Tables: bonds, delegations and unbondings, each loaded, written, deleted from.
            "delegations" => 8,
            // Two tables are loaded, four written.
            "heights" => 6,
            // Five tables; what waits is taken out for two reasons.
            "transactions" => 6,
            "chains" | "headers" => 4,
            _ => 2,
        };
        assert!((1..=most).contains(&taken), "{}: {taken} statements", projection.name());
    }
    database.drop().await;
}

/// All pages of a list together are the list, whatever their size.
async fn assert_pages<T, K, F>(list: impl Fn(PageRequest) -> F, key: impl Fn(&T) -> K)
where
    F: Future<Output = Result<PageOf<T>, ReadError>>,
    K: Ord + std::fmt::Debug,
{
    let name = std::any::type_name::<F>();
    let mut whole: Vec<K> = Vec::new();
    for size in [100, 1, 2, 3] {
        let mut page = first(size);
        let mut found = Vec::new();
        loop {
            let rows = list(page).await.unwrap();
            assert_eq!(rows.cursors.len(), rows.items.len());
            found.extend(rows.items.iter().map(&key));
            assert_eq!(rows.has_next, rows.next.is_some());
            let Some(next) = rows.next else { break };
            // As a client has it.
            page = PageRequest::parse(Some(u64::from(size)), Some(&next.to_string())).unwrap();
        }
        if whole.is_empty() {
            whole = found;
            assert!(whole.len() > 1, "{name} has {} rows", whole.len());
            assert_eq!(whole.len(), whole.iter().collect::<BTreeSet<_>>().len());
        } else {
            assert_eq!(found, whole, "{name} in pages of {size}");
        }
    }
}

#[tokio::test]
async fn pages_put_together_are_the_list() {
    let (history, database) = projected(33).await;
    let pool = &database.pool;
    let chain: &domain::values::ChainId = &"example-1".parse().unwrap();
    let native: &domain::values::ChainId = &"node0-local".parse().unwrap();
    for name in validators::Sort::NAMES {
        let sort: validators::Sort = name.parse().unwrap();
        assert_eq!(sort.as_str(), *name);
        let all = &validators::Filter::default();
        assert_pages(
            |page| async move { validators::list(pool, all, sort, &page).await },
            |row| row.address,
        )
        .await;
    }
    for name in Order::NAMES {
        let order: Order = name.parse().unwrap();
        let filter = &headers::Filter { state: None, ..headers::Filter::of(chain.clone()) };
        assert_pages(
            |page| async move { headers::list(pool, filter, order, &page).await },
            |row| (row.height, row.hash),
        )
        .await;
        assert_pages(
            |page| async move { headers::rejections(pool, chain, order, &page).await },
            |row| row.position,
        )
        .await;
        assert_pages(
            |page| async move { chains::forks(pool, chain, order, &page).await },
            |row| row.position,
        )
        .await;
        assert_pages(
            |page| async move { validator_sets::list(pool, native, order, &page).await },
            |row| row.epoch,
        )
        .await;
        let all = &slashing_history::Filter::default();
        assert_pages(
            |page| async move { slashing_history::list(pool, all, order, &page).await },
            |row| row.position,
        )
        .await;
        assert_pages(
            |page| async move { process_runs::list(pool, "penalty", order, &page).await },
            |row| row.started_position,
        )
        .await;
        let one = &activity::Filter { subject: Some("example-1".into()), ..Default::default() };
        let few = &activity::Filter { event_type: Some("fork-resolved.v1".into()), ..one.clone() };
        assert_pages(
            |page| async move { activity::list(pool, few, order, &page).await },
            |row| row.position,
        )
        .await;
    }
    let stakes = history.validators.iter().map(|(a, v)| (v.record().unwrap().stake.clone(), *a));
    let most = stakes.clone().max_by_key(|(stake, _)| stake.delegations.len()).unwrap().1;
    let filter = delegations::Filter::Validator(most);
    assert_pages(
        |page| async move { delegations::list(pool, filter, &page).await },
        |row| row.delegator,
    )
    .await;
    let filter = delegations::Filter::Delegator(crate::fixture::address(200));
    assert_pages(
        |page| async move { delegations::list(pool, filter, &page).await },
        |row| row.validator,
    )
    .await;
    let most = stakes.max_by_key(|(stake, _)| stake.unbonding.len()).unwrap().1;
    let filter = delegations::Filter::Validator(most);
    assert_pages(
        |page| async move { delegations::unbondings(pool, filter, &page).await },
        |row| (row.matures, row.started, row.delegator),
    )
    .await;
    let all = &activity::Filter::default();
    let newest = activity::list(pool, all, Order::Newest, &first(100)).await.unwrap();
    assert!(newest.has_next && newest.items.is_sorted_by(|a, b| a.position > b.position));
    database.drop().await;
}

#[tokio::test]
async fn filters_let_through_what_they_name() {
    let (_, database) = projected(19).await;
    let pool = &database.pool;
    let wide = first(100);
    type Case = (activity::Filter, fn(&activity::Activity) -> String, &'static str);
    let filters: [Case; 5] = [
        (
            activity::Filter { category: Some("chain".into()), ..Default::default() },
            |row| row.category.clone(),
            "chain",
        ),
        (
            activity::Filter { stream: Some("chain-example-1-0".into()), ..Default::default() },
            |row| row.stream.clone(),
            "chain-example-1-0",
        ),
        (
            activity::Filter { actor: Some("principal-one".into()), ..Default::default() },
            |row| row.actor.clone(),
            "principal-one",
        ),
        (
            activity::Filter { correlation: Some(uuid::Uuid::from_u128(1)), ..Default::default() },
            |row| row.correlation.to_string(),
            "00000000-0000-0000-0000-000000000001",
        ),
        (
            activity::Filter { subject: Some("node0-local".into()), ..Default::default() },
            |row| row.subject.clone(),
            "node0-local",
        ),
    ];
    for (filter, member, expected) in filters {
        let rows = activity::list(pool, &filter, Order::Oldest, &wide).await.unwrap().items;
        assert!(rows.len() > 1, "{filter:?}");
        assert!(rows.iter().all(|row| member(row) == expected), "{filter:?}");
    }
    let active = domain::validator::StandingName::Tombstoned;
    let filter = validators::Filter { standing: Some(active), ..Default::default() };
    let rows = validators::list(pool, &filter, validators::Sort::Address, &wide).await.unwrap();
    assert!(!rows.items.is_empty() && rows.items.iter().all(|row| row.standing == active));
    let filter =
        validators::Filter { operator: Some("operator-1".parse().unwrap()), ..Default::default() };
    let rows = validators::list(pool, &filter, validators::Sort::Moniker, &wide).await.unwrap();
    assert!(rows.items.iter().all(|row| row.operator.to_string() == "operator-1"));
    assert!(rows.items.is_sorted_by(|a, b| a.moniker <= b.moniker));
    database.drop().await;
}

#[tokio::test]
async fn cursors_of_other_lists_are_refused() {
    let (_, database) = projected(20).await;
    let pool = &database.pool;
    let all = validators::Filter::default();
    let page = validators::list(pool, &all, validators::Sort::Power, &first(1)).await.unwrap();
    let elsewhere = PageRequest::new(1, page.next).unwrap();
    let sort = validators::Sort::Moniker;
    let refused = validators::list(pool, &all, sort, &elsewhere).await.unwrap_err();
    assert!(matches!(refused, ReadError::Page(PageError::OtherList { .. })), "{refused}");
    let filter = activity::Filter::default();
    let refused = activity::list(pool, &filter, Order::Newest, &elsewhere).await.unwrap_err();
    assert!(matches!(refused, ReadError::Page(PageError::OtherList { .. })), "{refused}");
    assert!(!refused.is_unavailable());
    database.drop().await;
}
