//! What happens on a chain of our own, from its genesis document to a block that failed, and the
//! read models of it.
//!
//! Does not decide: the events are those that the domain's golden files hold, or made like them.

use domain::{
    aggregate::{Aggregate, Data, Event},
    block::{self, Block},
    chain::{self, Chain, ChainStream},
    consensus::{self, ConsensusHeight, HeightStream},
    ledger::{Account as Balance, Anchor, Entry, Execution, Failure, Receipt, Unbonding},
    transaction::{
        self, Account, Envelope, Eviction, Payload, Placement, Transaction, TransactionAccepted,
        TransactionEvicted,
    },
    values::{Address, Amount, ChainId, Digest, Epoch, Hash, Height, Moment, Nonce},
};
use ed25519_dalek::SigningKey;
use event_store::{NewEvent, StreamName};
use projections::{
    Order, PageRequest, accounts, accounts::StakeKind, anchors, blocks, event::Fact, heights,
    transactions, transactions::TransactionState as State,
};
use serde_json::{Value, json};

use crate::{
    database::{Database, caught_up},
    fixture,
    history::History,
};

/// Votes of the golden files are for this height, in rounds 0 and 1.
const HEIGHT: u64 = 1;

fn golden<E: for<'de> serde::Deserialize<'de>>(text: &str) -> E {
    serde_json::from_str(text).unwrap()
}

pub fn chain() -> ChainId {
    "node0-local".parse().unwrap()
}

fn height(number: u64) -> Height {
    Height::new(number).unwrap()
}

fn key(n: u8) -> SigningKey {
    SigningKey::from_bytes(&[n; 32])
}

pub fn sender(n: u8) -> Address {
    transfer(n, 0, 1).sender()
}

fn signed(n: u8, nonce: u64, fee: u128, payload: Payload) -> Transaction {
    let sender = key(n).verifying_key().to_bytes();
    let envelope = Envelope {
        chain_id: chain(),
        expires_at_height: None,
        fee: Amount::new(fee),
        memo: None,
        nonce: Nonce::new(nonce).unwrap(),
        payload,
        sender: domain::values::PublicKey::from_bytes(sender).unwrap(),
    };
    envelope.sign(&key(n))
}

pub fn transfer(n: u8, nonce: u64, fee: u128) -> Transaction {
    let to = fixture::address(9);
    signed(n, nonce, fee, Payload::Transfer { amount: Amount::new(7), to })
}

fn digest() -> Digest {
    Digest::from_bytes(vec![0xAB; 32]).unwrap()
}

pub fn anchor() -> Transaction {
    let payload = Payload::Anchor {
        algorithm: "sha-256".parse().unwrap(),
        digest: digest(),
        label: "a deed".to_owned().try_into().unwrap(),
    };
    signed(1, 1, 9, payload)
}

/// A genesis document with the validators of the golden event.
fn document(genesis: &chain::GenesisInitialised) -> String {
    let validators = genesis.validators.iter().map(|member| {
        json!({
            "address": member.address, "name": "", "power": member.power.to_string(),
            "pub_key": {"type": "tendermint/PubKeyEd25519", "value": member.public_key},
        })
    });
    let document = json!({
        "genesis_time": "2026-01-01T00:00:00Z",
        "chain_id": "node0-local",
        "initial_height": "1",
        "consensus_params": {
            "block": {"max_bytes": "4194304", "max_gas": "-1"},
            "evidence": {
                "max_age_num_blocks": "100", "max_age_duration": "172800000000000",
                "max_bytes": "1048576",
            },
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": "1"},
        },
        "validators": validators.collect::<Vec<_>>(),
        "app_hash": "",
        "app_state": {
            "accounts": [{"address": sender(1), "balance": "1000"}],
            "supply": "40001000",
        },
    });
    document.to_string()
}

/// What the block of the golden event came to: two transfers, of which one failed, and an anchor.
pub fn execution() -> Execution {
    let failure = Failure::BalanceInsufficient { amount: Amount::new(7), balance: Amount::new(1) };
    let receipt = |of: &Transaction, failure| Receipt { failure, hash: of.hash() };
    let account = |n, balance, nonce| {
        Entry::Account(Balance {
            address: sender(n),
            balance: Amount::new(balance),
            nonce: Nonce::new(nonce).unwrap(),
        })
    };
    let (owner, transaction) = (sender(1), anchor().hash());
    let anchored = Anchor {
        algorithm: "sha-256".parse().unwrap(),
        digest: digest(),
        height: height(HEIGHT),
        label: "a deed".to_owned().try_into().unwrap(),
        owner,
        revoked: None,
        time: Moment::from_micros(1_767_225_607_000_000),
        transaction,
    };
    let leaving = Unbonding {
        amount: Amount::new(5),
        delegator: Some(owner),
        matures: Epoch::new(9).unwrap(),
        started: Epoch::new(1).unwrap(),
        validator: fixture::address(2),
    };
    Execution {
        burns: Vec::new(),
        changed: vec![
            account(1, 984, 2),
            account(2, 0, 1),
            Entry::Anchor(Box::new(anchored)),
            Entry::Unbonding(leaving),
        ],
        fees: Amount::new(15),
        height: height(HEIGHT),
        receipts: vec![
            receipt(&transfer(1, 0, 5), None),
            receipt(&anchor(), None),
            receipt(&transfer(2, 0, 1), Some(failure)),
        ],
        receipts_root: Hash::of(b"receipts"),
        releases: Vec::new(),
        state_root: Hash::of(b"state"),
    }
}

impl History {
    fn own<A: Aggregate>(&mut self, id: &A::Id, event: A::Event, fact: impl Fn(A::Event) -> Fact)
    where
        A::Event: Clone,
    {
        let stored = NewEvent::new(event.name(), &Data(&event)).unwrap();
        let name = StreamName::of(A::CATEGORY, id).unwrap();
        self.push(name, vec![stored], vec![fact(event)]);
    }

    fn of_chain(&mut self, event: chain::Event) {
        let stream = ChainStream { chain: chain(), epoch: Epoch::FIRST };
        self.own::<Chain>(&stream.clone(), event, |event| Fact::Chain(stream.clone(), event));
    }

    fn of_block(&mut self, hash: Hash, event: block::Event) {
        self.own::<Block>(&hash, event, |event| Fact::Block(hash, event));
    }

    fn of_height(&mut self, text: &str) {
        let stream = HeightStream { chain: chain(), height: height(HEIGHT) };
        let event: consensus::Event = golden(text);
        self.own::<ConsensusHeight>(&stream, event, |event| Fact::Height(stream.clone(), event));
    }

    fn accept(&mut self, transaction: &Transaction, replaces: Option<Hash>) {
        let account_nonce = Nonce::FIRST;
        let accepted = TransactionAccepted {
            account_nonce,
            hash: transaction.hash(),
            head: None,
            placement: Placement::Pending,
            replaces,
            transaction: transaction.clone(),
        };
        let sender = transaction.sender();
        let event = transaction::Event::TransactionAccepted(accepted);
        self.own::<Account>(&sender, event, |event| Fact::Account(sender, event));
    }

    fn evict(&mut self, of: &Transaction) {
        let (sender, nonce) = (of.sender(), of.envelope().nonce);
        let evicted = TransactionEvicted { hash: of.hash(), nonce, reason: Eviction::Expired };
        let event = transaction::Event::TransactionEvicted(evicted);
        self.own::<Account>(&sender, event, |event| Fact::Account(sender, event));
    }

    /// A chain of our own, and everything that can happen on it.
    pub fn own_chain(&mut self) {
        let text = include_str!("../../../domain/tests/golden/genesis-initialised.v1.json");
        let chain::Event::GenesisInitialised(mut genesis) = golden(text) else { panic!("{text}") };
        let document = document(&genesis);
        genesis.genesis_hash = Hash::of(document.as_bytes());
        self.blobs.push(document.into_bytes());
        self.of_chain(chain::Event::GenesisInitialised(genesis));
        self.height_one();
        // Sent, replaced, sent too early, and taken out.
        self.accept(&transfer(1, 0, 5), None);
        self.accept(&anchor(), None);
        self.accept(&transfer(2, 0, 1), None);
        self.accept(&transfer(1, 2, 5), None);
        self.accept(&transfer(1, 2, 50), Some(transfer(1, 2, 5).hash()));
        self.accept(&transfer(1, 5, 500), None);
        self.accept(&transfer(3, 0, 3), None);
        self.evict(&transfer(3, 0, 3));
        self.accept(&transfer(4, 0, 3), None);
        self.evict(&transfer(4, 0, 3));
        self.accept(&transfer(4, 0, 3), None);
        let hash = self.block_one();
        let text = include_str!("../../../domain/tests/golden/block-applied.v1.json");
        let chain::Event::BlockApplied(mut applied) = golden(text) else { panic!("{text}") };
        let results = execution().bytes();
        (applied.hash, applied.results) = (hash, Hash::of(&results));
        self.blobs.push(results);
        self.of_chain(chain::Event::BlockApplied(applied));
        for text in [
            include_str!("../../../domain/tests/golden/state-snapshot-created.v1.json"),
            include_str!("../../../domain/tests/golden/state-pruned.v1.json"),
            // The second time it replaces the first.
            include_str!("../../../domain/tests/golden/parameters-scheduled.v1.json"),
            include_str!("../../../domain/tests/golden/parameters-scheduled.v1.json"),
            include_str!("../../../domain/tests/golden/chain-halted.v1.json"),
        ] {
            self.of_chain(golden(text));
        }
    }

    fn block_one(&mut self) -> Hash {
        let text = include_str!("../../../domain/tests/golden/block-proposed.v1.json");
        let block::Event::BlockProposed(proposed) = golden(text) else { panic!("{text}") };
        let hash = proposed.block_id.hash;
        // Three blocks of one form: one is final, one is rejected, one given up.
        for (name, then) in [
            ("final", ["block-validated", "block-finalized"]),
            ("rejected", ["block-rejected", ""]),
            ("abandoned", ["block-validated", "block-abandoned"]),
        ] {
            let mut proposed = proposed.clone();
            if name != "final" {
                proposed.block_id.hash = Hash::of(name.as_bytes());
            }
            let hash = proposed.block_id.hash;
            self.of_block(hash, block::Event::BlockProposed(proposed));
            for event in then {
                let text = match event {
                    "block-validated" => {
                        include_str!("../../../domain/tests/golden/block-validated.v1.json")
                    }
                    "block-finalized" => {
                        include_str!("../../../domain/tests/golden/block-finalized.v1.json")
                    }
                    "block-rejected" => {
                        include_str!("../../../domain/tests/golden/block-rejected.v1.json")
                    }
                    "block-abandoned" => {
                        include_str!("../../../domain/tests/golden/block-abandoned.v1.json")
                    }
                    _ => continue,
                };
                self.of_block(hash, golden(text));
            }
        }
        hash
    }

    fn height_one(&mut self) {
        for text in [
            include_str!("../../../domain/tests/golden/height-started.v1.json"),
            include_str!("../../../domain/tests/golden/round-started.v1.json"),
            include_str!("../../../domain/tests/golden/evidence-accepted.v1.json"),
            include_str!("../../../domain/tests/golden/proposal-accepted.v1.json"),
            include_str!("../../../domain/tests/golden/round-failed.v1.json"),
            include_str!("../../../domain/tests/golden/vote-cast.v1.json"),
            include_str!("../../../domain/tests/golden/equivocation-detected.v1.json"),
            include_str!("../../../domain/tests/golden/votes-refused.v1.json"),
            include_str!("../../../domain/tests/golden/polka-reached.v1.json"),
            include_str!("../../../domain/tests/golden/block-committed.v1.json"),
        ] {
            self.of_height(text);
        }
    }
}

fn wide() -> PageRequest {
    PageRequest::new(100, None).unwrap()
}

async fn told() -> Database {
    let mut history = History::empty(1);
    history.own_chain();
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(4_096);
    caught_up(&projections, head).await;
    for status in projections.status().await {
        assert_eq!(status.parked, 0, "{status:#?}");
    }
    projections.stop().await;
    database
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_ends_final_failed_replaced_evicted_or_waits() {
    let database = told().await;
    let pool = &database.pool;
    for (of, state) in [
        (transfer(1, 0, 5), State::Final),
        (anchor(), State::Final),
        (transfer(2, 0, 1), State::Failed),
        (transfer(1, 2, 5), State::Replaced),
        (transfer(1, 2, 50), State::Pending),
        (transfer(1, 5, 500), State::Queued),
        (transfer(3, 0, 3), State::Evicted),
        (transfer(4, 0, 3), State::Pending),
    ] {
        let row = transactions::get(pool, of.hash()).await.unwrap().unwrap();
        assert_eq!(row.state, state, "{row:#?}");
        assert_eq!((row.sender, row.nonce), (of.sender(), of.envelope().nonce));
        assert_eq!((row.fee, row.bytes as usize), (of.envelope().fee, of.bytes().len()));
    }
    let failed = transactions::get(pool, transfer(2, 0, 1).hash()).await.unwrap().unwrap();
    assert_eq!((failed.height, failed.place, failed.code), (Some(height(1)), Some(2), Some(2)));
    assert!(failed.failure.unwrap().contains("less than the amount 7"));
    let replaced = transactions::get(pool, transfer(1, 2, 5).hash()).await.unwrap().unwrap();
    assert_eq!(replaced.replaced_by, Some(transfer(1, 2, 50).hash()));
    // What waits, the best paid first; page by page it is the same.
    let whole = transactions::mempool(pool, &wide()).await.unwrap().items;
    let hashes: Vec<Hash> = whole.iter().map(|row| row.hash).collect();
    let expected = [transfer(1, 5, 500), transfer(1, 2, 50), transfer(4, 0, 3)].map(|t| t.hash());
    assert_eq!(hashes, expected);
    let (mut paged, mut after) = (Vec::new(), None);
    loop {
        let page = PageRequest::new(1, after.take()).unwrap();
        let page = transactions::mempool(pool, &page).await.unwrap();
        paged.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!(paged, whole);
    let summary = transactions::summary(pool).await.unwrap();
    assert_eq!((summary.transactions, summary.senders), (3, 2));
    let block = blocks::at(pool, &chain(), height(2)).await.unwrap().unwrap();
    // (The golden files' block is of height 2, and what it came to of height 1.)
    let block = blocks::Block { height: height(1), ..block };
    let block = transactions::of_block(pool, &block, &wide()).await.unwrap().items;
    let hashes: Vec<Hash> = block.iter().map(|row| row.hash).collect();
    assert_eq!(hashes, [transfer(1, 0, 5), anchor(), transfer(2, 0, 1)].map(|t| t.hash()));
    for order in [Order::Newest, Order::Oldest] {
        let filter = transactions::Filter {
            account: Some(fixture::address(9)),
            kind: Some("transfer".to_owned()),
            ..transactions::Filter::default()
        };
        let (mut received, mut after) = (Vec::new(), None);
        loop {
            let page = PageRequest::new(2, after.take()).unwrap();
            let page = transactions::list(pool, &filter, order, &page).await.unwrap();
            received.extend(page.items.into_iter().map(|row| row.position));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(received.len(), 7, "{received:?}");
        let newest = order == Order::Newest;
        assert!(received.is_sorted_by(|a, b| (a > b) == newest), "{received:?}");
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn accounts_and_anchors_are_as_the_last_block_left_them() {
    let database = told().await;
    let pool = &database.pool;
    let one = accounts::get(pool, sender(1)).await.unwrap().unwrap();
    assert_eq!((one.account.balance, one.account.nonce.value()), (Amount::new(984), 2));
    assert_eq!(one.account.height, 1);
    // It is a validator's, too: its own bond is of the genesis document.
    let stakes = one.stakes.iter().map(|stake| (stake.kind, stake.amount.value()));
    let expected = [(StakeKind::Bond, 10_000_000), (StakeKind::Unbonding, 5)];
    assert_eq!(stakes.collect::<Vec<_>>(), expected);
    assert_eq!(one.stakes[1].matures, Some(Epoch::new(9).unwrap()));
    let bonded = accounts::get(pool, fixture::address(2)).await.unwrap().unwrap();
    assert_eq!((bonded.account.balance, bonded.stakes.len()), (Amount::ZERO, 1));
    let all = accounts::list(pool, &wide()).await.unwrap().items;
    assert!(all.is_sorted_by(|a, b| a.balance >= b.balance), "{all:#?}");
    let found = anchors::by_digest(pool, &digest()).await.unwrap().unwrap();
    assert_eq!((found.transaction, found.owner), (anchor().hash(), sender(1)));
    let filter = anchors::Filter { owner: Some(sender(1)), ..anchors::Filter::default() };
    let page = anchors::list(pool, &filter, Order::Newest, &wide()).await.unwrap();
    assert_eq!(page.items, [found]);
    assert_eq!(anchors::get(pool, Hash::of(b"other")).await.unwrap(), None);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_says_what_became_of_it_and_a_height_what_was_said() {
    let database = told().await;
    let pool = &database.pool;
    let filter = blocks::Filter { chain_id: Some(chain()), ..blocks::Filter::default() };
    let page = blocks::list(pool, &filter, Order::Newest, &wide()).await.unwrap().items;
    assert_eq!(page.len(), 3);
    let of = |name: &str| {
        let hash = Hash::of(name.as_bytes());
        page.iter().find(|block| block.hash == hash).unwrap()
    };
    assert_eq!(of("rejected").state, blocks::BlockState::Rejected);
    assert_eq!(of("rejected").faults.len(), 1);
    assert_eq!(of("abandoned").state, blocks::BlockState::Abandoned);
    let last = blocks::at(pool, &chain(), height(2)).await.unwrap().unwrap();
    assert_eq!((last.failed, last.fees), (Some(1), Some(Amount::new(15))));
    assert!(last.finalized_at.is_some() && last.applied_at.is_some(), "{last:#?}");
    let finality = blocks::finality(pool, &chain(), 100).await.unwrap();
    assert_eq!((finality.blocks, finality.height), (1, Some(height(2))));
    assert!(finality.p95_ms.is_some());

    let told = heights::get(pool, &chain(), height(HEIGHT)).await.unwrap().unwrap();
    assert_eq!((told.height.validators, told.height.total_power.value()), (4, 40));
    assert_eq!(told.height.committed_round.unwrap().value(), 1);
    assert!(told.height.took_ms.is_some());
    let rounds: Vec<(u32, bool, bool)> = told
        .rounds
        .iter()
        .map(|round| (round.round.value(), round.polka, round.failed.is_some()))
        .collect();
    assert_eq!(rounds, [(0, false, true), (1, true, false)]);
    assert_eq!(told.votes.len(), 1);
    let kinds: Vec<&str> = told.equivocations.iter().map(|found| found.kind.as_str()).collect();
    assert_eq!(kinds, ["prevote", "prevote"]);
    let board = heights::leaderboard(pool, &chain(), 10).await.unwrap();
    let all = board.iter().map(|one| (one.heights, one.signed, one.missed, one.equivocations));
    assert_eq!(all.collect::<Vec<_>>(), [(1, 0, 1, 1), (1, 0, 1, 1)], "{board:#?}");
    assert_eq!(board.iter().map(|one| one.proposed).sum::<u32>(), 1);
    assert_eq!(board.iter().map(|one| one.failed_rounds).sum::<u32>(), 1);
    let written: Value = serde_json::to_value(&told).unwrap();
    assert_eq!(written["votes"][0]["type"], "prevote");
    database.drop().await;
}
