//! What things of our own chain were, asked of a chain that is longer than a question may fold.

use domain::{
    aggregate::{Aggregate as _, Data},
    chain::{self, Chain, ChainStream},
    ledger::{Account, Entry, Execution},
    transaction::{self, Eviction, TransactionEvicted},
    values::{Address, Amount, Epoch, Hash, Nonce},
};
use event_store::{NewEvent, StreamName};
use projections::{
    Past, PastError, ReadError, Subject, accounts, anchors, blocks, chains,
    past::PAST_EVENTS_MAX,
    state_history::{self, Thing},
    transactions::{self, Transaction, TransactionState},
};
use sqlx::PgPool;

use crate::{
    database::{Database, caught_up},
    history::History,
    own_chain::{anchor, chain, execution, sender, transfer},
};

/// Events that a request appends.
const BATCH: usize = 1_000;
/// An account that each of the many blocks changes.
const BUSY: u8 = 7;

/// Blocks that change one account and nothing else.
fn many_blocks(history: &mut History) {
    let busy = Account { address: sender(BUSY), balance: Amount::new(70), nonce: Nonce::FIRST };
    let changed = vec![Entry::Account(busy)];
    let results = Execution { changed, receipts: Vec::new(), ..execution() }.bytes();
    let text = include_str!("../../../domain/tests/golden/block-applied.v1.json");
    let chain::Event::BlockApplied(of) = serde_json::from_str(text).unwrap() else {
        panic!("{text}")
    };
    let applied = |number: usize| {
        let hash = Hash::of(&number.to_be_bytes());
        let data = chain::BlockApplied { hash, results: Hash::of(&results), ..*of.clone() };
        let event = chain::Event::BlockApplied(Box::new(data));
        NewEvent::new("block-applied.v1", &Data(&event)).unwrap()
    };
    let stream = ChainStream { chain: chain(), epoch: Epoch::FIRST };
    let stream = StreamName::of(Chain::CATEGORY, &stream).unwrap();
    for batch in 0..=PAST_EVENTS_MAX / BATCH {
        let events = (batch * BATCH..(batch + 1) * BATCH).map(applied).collect();
        history.push(stream.clone(), events, Vec::new());
    }
    history.blobs.push(results);
}

/// More of a sender's events than a question may fold.
fn much_of_a_sender(history: &mut History, who: u8) {
    let evicted = TransactionEvicted {
        hash: Hash::of(b"another"),
        nonce: Nonce::new(900).unwrap(),
        reason: Eviction::Expired,
    };
    let event = transaction::Event::TransactionEvicted(evicted);
    let event = NewEvent::new("transaction-evicted.v1", &Data(&event)).unwrap();
    let stream = StreamName::of(transaction::Account::CATEGORY, sender(who)).unwrap();
    for _ in 0..=PAST_EVENTS_MAX / BATCH {
        history.push(stream.clone(), vec![event.clone(); BATCH], Vec::new());
    }
}

/// A log, and what is asked of it.
struct Told {
    database: Database,
    empty: Database,
    past: Past,
}

impl Told {
    /// What a read model says of a thing, when it was folded as the API folds it.
    async fn then<T>(
        &self,
        model: &str,
        subject: Subject,
        until: u64,
        read: impl AsyncFnOnce(&PgPool) -> Result<Option<T>, ReadError>,
    ) -> Option<T> {
        let subject = subject.looked_up(&self.database.pool, until).await.unwrap();
        let folded = self.past.fold(&[model], &subject, until).await.unwrap();
        read(folded.pool()).await.unwrap()
    }

    async fn chain(&self, until: u64) -> Option<chains::Chain> {
        let subject = chains::history(&self.database.pool, &chain()).await.unwrap();
        self.then(chains::NAME, subject, until, async |pool| chains::get(pool, &chain()).await)
            .await
    }

    async fn account(&self, who: Address, until: u64) -> Option<accounts::AccountWithStakes> {
        let read = async |pool: &PgPool| accounts::get(pool, who).await;
        self.then(accounts::NAME, Subject::of_account(who), until, read).await
    }

    async fn transaction(&self, now: &Transaction, until: u64) -> Option<Transaction> {
        let read = async |pool: &PgPool| transactions::get(pool, now.hash).await;
        self.then(transactions::NAME, Subject::of_transaction(now), until, read).await
    }

    async fn anchor(&self, until: u64) -> Option<anchors::Anchor> {
        let hash = anchor().hash();
        let read = async |pool: &PgPool| anchors::get(pool, hash).await;
        self.then(anchors::NAME, Subject::of_anchor(hash), until, read).await
    }

    async fn block(&self, hash: Hash, until: u64) -> Option<blocks::Block> {
        let read = async |pool: &PgPool| blocks::get(pool, hash).await;
        self.then(blocks::NAME, Subject::of_block(hash), until, read).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_thing_was_is_told_however_long_its_chain_is() {
    let mut history = History::empty(1);
    history.own_chain();
    many_blocks(&mut history);
    much_of_a_sender(&mut history, 2);
    let (database, head) = Database::filled(&history).await;
    let models =
        [state_history::NAME, chains::NAME, accounts::NAME, anchors::NAME, transactions::NAME];
    let running = database.start_these(projections::named(&models), 4_096);
    caught_up(&running, head).await;
    running.stop().await;
    let empty = Database::create().await;
    let past = Past::new(database.store.clone(), empty.url.parse().unwrap());
    let told = Told { database, empty, past };
    let live = &told.database.pool;

    let whole = told.past.fold(&[chains::NAME], &Subject::of_chain(chain()), head).await;
    assert!(matches!(whole, Err(PastError::TooLong)), "the chain is not long enough");
    let now = chains::get(live, &chain()).await.unwrap();
    assert!(now.is_some());
    assert_eq!(told.chain(head).await, now);
    for who in [sender(1), sender(2), sender(BUSY)] {
        let now = accounts::get(live, who).await.unwrap();
        assert!(now.is_some());
        assert_eq!(told.account(who, head).await, now);
    }
    for of in [transfer(1, 0, 5), transfer(2, 0, 1), transfer(1, 2, 5), transfer(1, 2, 50)] {
        let now = transactions::get(live, of.hash()).await.unwrap().unwrap();
        assert_eq!(told.transaction(&now, head).await, Some(now));
    }
    let now = anchors::get(live, anchor().hash()).await.unwrap();
    assert!(now.is_some());
    assert_eq!(told.anchor(head).await, now);

    // Before its block was executed.
    let paid = transactions::get(live, transfer(1, 0, 5).hash()).await.unwrap().unwrap();
    let block = paid.block_hash.unwrap();
    let executed = state_history::positions(live, &Thing::Block(block), head).await.unwrap();
    let before = executed[0] - 1;
    assert_eq!(told.anchor(before).await, None);
    let begun = told.chain(before).await.unwrap();
    assert_eq!((begun.version, begun.height, begun.parameter_changes.len()), (1, None, 0));
    let one = told.account(sender(1), before).await.unwrap();
    assert_eq!((one.account.balance, one.account.height), (Amount::new(1_000), 0));
    assert_eq!(one.stakes.len(), 1, "its bond, and nothing on its way back");
    let pending = told.transaction(&paid, before).await.unwrap();
    assert_eq!(pending.state, TransactionState::Pending);
    assert_eq!(told.block(block, before).await.unwrap().state_root, None);
    assert!(told.block(block, head).await.unwrap().state_root.is_some());
    told.empty.drop().await;
    told.database.drop().await;
}
