//! Transactions and their senders' queues: given / when / then.

use std::collections::BTreeMap;

use domain::{
    aggregate::Aggregate as _,
    replica::Room,
    transaction::{
        Account, Command, Envelope, Event, Eviction, FeeRate, Known, MEMO_BYTES_MAX, Mempool,
        Payload, Placement, Refusal, ReservationMade, ReservationReleased, TRANSACTION_BYTES_MAX,
        Transaction, TransactionAccepted, TransactionEvicted, verify_all,
    },
    values::{Amount, Hash, Height, Nonce, Signature},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use crate::{
    fixture::{address, key, moment, public_key},
    order::fill_block,
    spec::{Given, given},
};

const ME: u8 = 41;
const OTHER: u8 = 42;

pub fn amount(units: u128) -> Amount {
    Amount::new(units)
}

pub fn nonce(number: u64) -> Nonce {
    Nonce::new(number).unwrap()
}

fn height(number: u64) -> Height {
    Height::new(number).unwrap()
}

/// What `sender` signs in these tests, unless said otherwise.
pub fn envelope(sender: u8, number: u64, fee: u128, payload: Payload) -> Envelope {
    Envelope {
        chain_id: "node0-local".parse().unwrap(),
        expires_at_height: None,
        fee: amount(fee),
        memo: None,
        nonce: nonce(number),
        payload,
        sender: public_key(sender),
    }
}

/// A signed transfer to [`OTHER`].
fn transfer(number: u64, fee: u128, units: u128) -> Transaction {
    let payload = Payload::Transfer { amount: amount(units), to: address(OTHER) };
    envelope(ME, number, fee, payload).sign(&key(ME))
}

/// A transfer that can no longer be executed after a height.
fn expiring(number: u64, at: u64) -> Transaction {
    let payload = Payload::Transfer { amount: amount(1), to: address(OTHER) };
    let envelope = envelope(ME, number, 1, payload);
    Envelope { expires_at_height: Some(height(at)), ..envelope }.sign(&key(ME))
}

fn known() -> Known {
    Known {
        address: address(ME),
        balance: amount(1_000),
        chain_id: Some("node0-local".parse().unwrap()),
        head: Some(height(7)),
        mempool: Mempool::EMPTY,
        nonce: nonce(0),
        now: moment("2026-01-01T00:00:00Z"),
        parameters: domain::parameters::Parameters::default(),
        superseded: None,
    }
}

fn account() -> Given<Account> {
    given(known())
}

fn submit(transaction: &Transaction) -> Command {
    Command::Submit { transaction: transaction.clone() }
}

fn evict(transaction: &Transaction, reason: Eviction) -> Command {
    Command::Evict { hash: transaction.hash(), reason }
}

fn reserve(units: u128, purpose: &str) -> Command {
    Command::Reserve { amount: amount(units), purpose: purpose.parse().unwrap() }
}

fn accepted(transaction: &Transaction, placement: Placement, replaces: Option<Hash>) -> Event {
    Event::TransactionAccepted(TransactionAccepted {
        account_nonce: nonce(0),
        hash: transaction.hash(),
        head: Some(height(7)),
        placement,
        replaces,
        transaction: transaction.clone(),
    })
}

/// One of each payload.
pub fn payloads() -> Vec<Payload> {
    let (units, validator) = (amount(5), address(1));
    vec![
        Payload::Transfer { amount: units, to: address(OTHER) },
        Payload::Bond { amount: units, validator },
        Payload::Unbond { amount: units, validator },
        Payload::Delegate { amount: units, validator },
        Payload::Undelegate { amount: units, validator },
        Payload::Anchor {
            algorithm: "sha-256".parse().unwrap(),
            digest: Hash::of(b"a document").to_string().parse().unwrap(),
            label: "tender \"2026-17\", Anhang B – ⚖".parse().unwrap(),
        },
        Payload::RevokeAnchor { hash: Hash::of(b"a transaction") },
    ]
}

/// With and without what may be left out.
fn envelopes() -> Vec<Envelope> {
    let full = payloads().into_iter().map(|payload| Envelope {
        expires_at_height: Some(height(9)),
        memo: Some("paid\\\"with\" thanks – ⚖".parse().unwrap()),
        ..envelope(ME, 3, 7, payload)
    });
    full.chain(payloads().into_iter().map(|payload| envelope(ME, 3, 7, payload))).collect()
}

#[test]
fn the_bytes_are_canonical_json_and_the_hash_is_theirs() {
    let mut types = Vec::new();
    for envelope in envelopes() {
        types.push(envelope.payload.type_name());
        let signed = serde_json_canonicalizer::to_vec(&envelope).unwrap();
        assert_eq!(envelope.sign_bytes(), signed);
        let transaction = envelope.clone().sign(&key(ME));
        assert_eq!(transaction.bytes(), serde_json_canonicalizer::to_vec(&transaction).unwrap());
        assert_eq!(transaction.hash(), Hash::of(transaction.bytes()));
        let mut whole: Value = serde_json::from_slice(transaction.bytes()).unwrap();
        assert!(whole.as_object_mut().unwrap().remove("signature").is_some());
        assert_eq!(whole, serde_json::from_slice::<Value>(&signed).unwrap());
        assert_eq!(transaction.envelope(), &envelope);
        assert_eq!(Transaction::from_bytes(transaction.bytes()).unwrap(), transaction);
    }
    types.truncate(Payload::TYPES.len());
    assert_eq!(types, Payload::TYPES);
}

#[test]
fn other_forms_of_the_same_values_are_the_same_transaction() {
    let transaction = transfer(0, 5, 50);
    let mut sent: Value = serde_json::from_slice(transaction.bytes()).unwrap();
    sent["payload"]["to"] = address(OTHER).to_string().to_lowercase().into();
    sent["memo"] = Value::Null;
    let read: Transaction = serde_json::from_value(sent).unwrap();
    assert_eq!(read, transaction);
    assert!(read.verify());
}

#[test]
fn only_the_canonical_form_is_read_from_bytes() {
    let transaction = transfer(0, 5, 50);
    let code = |bytes: &[u8]| {
        let fault = Transaction::from_bytes(bytes).unwrap_err();
        serde_json::to_value(fault).unwrap()["code"].clone()
    };
    let padded = [transaction.bytes(), b" "].concat();
    assert_eq!(code(&padded), "not-canonical");
    assert_eq!(code(b"{}"), "malformed");
    assert_eq!(code(&vec![b' '; TRANSACTION_BYTES_MAX + 1]), "too-large");
}

#[test]
fn the_largest_transaction_is_smaller_than_what_is_read() {
    let payload = Payload::Anchor {
        algorithm: "a".repeat(32).parse().unwrap(),
        digest: "F".repeat(128).parse().unwrap(),
        label: "🦀".repeat(140).parse().unwrap(),
    };
    let largest = Envelope {
        chain_id: "c".repeat(50).parse().unwrap(),
        expires_at_height: Some(height(i64::MAX.cast_unsigned())),
        fee: amount(u128::MAX),
        memo: Some("\"".repeat(MEMO_BYTES_MAX).parse().unwrap()),
        nonce: nonce(i64::MAX.cast_unsigned()),
        ..envelope(ME, 0, 1, payload)
    };
    let bytes = largest.sign(&key(ME)).bytes().len();
    assert!(bytes < TRANSACTION_BYTES_MAX, "{bytes} bytes");
    assert!(bytes > 1_500, "{bytes} bytes");
}

#[test]
fn what_a_transaction_does_not_have_is_not_read() {
    let sent: Value = serde_json::from_slice(transfer(0, 5, 50).bytes()).unwrap();
    let refused = |change: fn(&mut Value)| {
        let mut sent = sent.clone();
        change(&mut sent);
        serde_json::from_value::<Transaction>(sent).unwrap_err().to_string()
    };
    refused(|sent| sent["gas"] = "1".into());
    refused(|sent| sent["payload"]["memo"] = "x".into());
    refused(|sent| sent["payload"]["type"] = "mint".into());
    refused(|sent| sent["fee"] = 5.into());
    refused(|sent| sent["memo"] = "".into());
    refused(|sent| sent["nonce"] = "-1".into());
    let weak = refused(|sent| {
        sent["sender"] = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
    });
    assert!(weak.contains("small order"), "{weak}");
}

#[test]
fn signatures_are_judged_one_by_one() {
    let good = transfer(0, 5, 50);
    let forged = Transaction::new(good.envelope().clone(), Signature::from_bytes([1; 64]));
    let other = envelope(OTHER, 0, 5, good.envelope().payload.clone()).sign(&key(ME));
    let moved = Envelope { nonce: nonce(1), ..good.envelope().clone() };
    let moved = Transaction::new(moved, *good.signature());
    let batch = [good.clone(), forged.clone(), other, moved, good];
    assert_eq!(verify_all(&batch), [true, false, false, false, true]);
    let refused = Refusal::SignatureInvalid { hash: forged.hash() };
    account().when(submit(&forged)).refused(refused);
}

#[test]
fn the_next_nonce_is_pending_and_a_later_one_queued_until_the_gap_is_filled() {
    let [first, second, third] = [0, 1, 2].map(|number| transfer(number, 5, 50));
    let story = account()
        .when(submit(&first))
        .then(vec![accepted(&first, Placement::Pending, None)])
        .when(submit(&third))
        .then(vec![accepted(&third, Placement::Queued, None)])
        .when(submit(&second))
        .then(vec![accepted(&second, Placement::Pending, None)]);
    let fourth = transfer(3, 5, 50);
    story.when(submit(&fourth)).then(vec![accepted(&fourth, Placement::Pending, None)]);
}

#[test]
fn the_same_transaction_again_changes_nothing() {
    let first = transfer(0, 5, 50);
    account().and(submit(&first)).when(submit(&first)).then(vec![]);
}

#[test]
fn a_nonce_must_be_unused_and_not_too_far_ahead() {
    let story = account().knowing(|known| known.nonce = nonce(3));
    let used = Refusal::NonceUsed { next: nonce(3), nonce: nonce(2) };
    story.clone().when(submit(&transfer(2, 5, 50))).refused(used);
    story.clone().when(submit(&transfer(1_003, 5, 50))).then_named(&["transaction-accepted"]);
    let (ahead, next) = (1_001, nonce(3));
    let far = Refusal::NonceTooFarAhead { ahead, next, nonce: nonce(1_004) };
    story.clone().when(submit(&transfer(1_004, 5, 50))).refused(far);
    let waiting = story.and(submit(&transfer(3, 5, 50)));
    waiting.when(submit(&transfer(1_004, 5, 50))).then_named(&["transaction-accepted"]);
}

#[test]
fn the_same_nonce_is_replaced_only_for_a_tenth_more() {
    let (old, low, new) = (transfer(0, 15, 50), transfer(0, 16, 1), transfer(0, 17, 60));
    let story = account().and(submit(&old));
    story.clone().when(submit(&low)).refused(Refusal::ReplacementFeeTooLow {
        fee: amount(16),
        needed: amount(17),
        nonce: nonce(0),
        replaced: amount(15),
    });
    let replaced = vec![accepted(&new, Placement::Pending, Some(old.hash()))];
    let story = story.when(submit(&new)).then(replaced);
    assert_eq!(story.state.nonce_of(&old.hash()), None);
    assert_eq!(story.state.nonce_of(&new.hash()), Some(nonce(0)));
    let greatest = account()
        .knowing(|known| known.balance = amount(u128::MAX))
        .and(submit(&transfer(0, u128::MAX - 2, 1)));
    greatest.when(submit(&transfer(0, u128::MAX - 1, 1))).refused_as("replacement-fee-too-low");
}

#[test]
fn the_balance_covers_everything_that_waits_and_is_reserved() {
    let story = account().knowing(|known| known.balance = amount(40));
    let refusal = Refusal::BalanceInsufficient {
        amount: amount(50),
        balance: amount(40),
        fee: amount(5),
        needed: amount(55),
        reserved: amount(0),
        waiting: amount(0),
    };
    let sentence = "balance 40 is less than 55 = amount 50 + fee 5 + waiting 0 + reserved 0";
    assert_eq!(refusal.to_string(), sentence);
    story.clone().when(submit(&transfer(0, 5, 50))).refused(refusal);
    let story = story.and(submit(&transfer(0, 5, 15))).and(reserve(10, "reservation-1"));
    let refusal = Refusal::BalanceInsufficient {
        amount: amount(6),
        balance: amount(40),
        fee: amount(5),
        needed: amount(41),
        reserved: amount(10),
        waiting: amount(20),
    };
    story.clone().when(submit(&transfer(1, 5, 6))).refused(refusal);
    story.clone().when(submit(&transfer(1, 5, 5))).then_named(&["transaction-accepted"]);
    // What it replaces need not be covered any longer; what cannot be summed is not covered.
    story.clone().when(submit(&transfer(0, 6, 24))).then_named(&["transaction-accepted"]);
    story.clone().when(submit(&transfer(0, 6, 25))).refused_as("balance-insufficient");
    story.when(submit(&transfer(1, u128::MAX, 5))).refused_as("balance-insufficient");
}

#[test]
fn what_the_envelope_says_is_checked() {
    let sent = transfer(0, 5, 50);
    let elsewhere = account().knowing(|known| known.address = address(OTHER));
    elsewhere.when(submit(&sent)).refused_as("address-mismatch");
    let chain = account().knowing(|known| known.chain_id = Some("another-1".parse().unwrap()));
    chain.when(submit(&sent)).refused_as("chain-mismatch");
    let early = account().knowing(|known| known.chain_id = None);
    early.when(submit(&sent)).refused(Refusal::NoChain);
    let dear = account().knowing(|known| known.parameters.fee_min = amount(6));
    let refusal = Refusal::FeeBelowMinimum { fee: amount(5), minimum: amount(6) };
    dear.when(submit(&sent)).refused(refusal);
    account().when(submit(&transfer(0, 5, 0))).refused(Refusal::AmountZero);
    let refusal = Refusal::Expired { expires_at_height: height(7), head: height(7) };
    account().when(submit(&expiring(0, 7))).refused(refusal);
    account().when(submit(&expiring(0, 8))).then_named(&["transaction-accepted"]);
}

#[test]
fn a_sender_has_so_many_waiting_and_a_full_mempool_takes_only_better_ones() {
    let first = transfer(0, 5, 50);
    let narrow = account().knowing(|known| known.parameters.mempool_per_sender_max = 1);
    let narrow = narrow.and(submit(&first));
    let refusal = Refusal::SenderQueueFull { maximum: 1, waiting: 1 };
    narrow.clone().when(submit(&transfer(1, 5, 50))).refused(refusal);
    narrow.clone().when(submit(&transfer(0, 9, 50))).then_named(&["transaction-accepted"]);
    let executed = narrow.knowing(|known| known.nonce = nonce(1));
    executed.when(submit(&transfer(1, 5, 50))).then_named(&["transaction-accepted"]);

    let fee_per_byte_min = transfer(0, 5, 50).fee_rate();
    let fee_per_byte_due = fee_per_byte_min;
    let mempool = Mempool { fee_per_byte_due, fee_per_byte_min, full: true, transactions: 200_000 };
    let full = account().knowing(|known| known.mempool = mempool);
    let refusal = full.clone().when(submit(&first)).refused_as("mempool-full");
    assert!(refusal.to_string().contains("full with 200000 transactions"), "{refusal}");
    full.clone().when(submit(&transfer(0, 6, 50))).then_named(&["transaction-accepted"]);
    let nearly = full.knowing(|known| known.mempool.transactions = 201_999);
    nearly.clone().when(submit(&transfer(0, 6, 50))).then_named(&["transaction-accepted"]);
    let crowded = nearly.knowing(|known| known.mempool.transactions = 202_000);
    let (excess_max, maximum, transactions) = (2_000, 200_000, 202_000);
    let refusal = Refusal::MempoolCrowded { excess_max, maximum, transactions };
    crowded.when(submit(&transfer(0, 6, 50))).refused(refusal);
}

#[test]
fn what_was_executed_waits_no_longer() {
    let sent: Vec<_> = (0..4).map(|number| transfer(number, 5, 50)).collect();
    let story = sent.iter().fold(account(), |story, sent| story.and(submit(sent)));
    let story = story.knowing(|known| (known.nonce, known.balance) = (nonce(3), amount(110)));
    // 55 still wait: the three executed ones are not counted, though no event said so.
    story.clone().when(submit(&transfer(4, 5, 51))).refused_as("balance-insufficient");
    let next = transfer(4, 5, 50);
    let story = story.when(submit(&next)).then_named(&["transaction-accepted"]);
    assert_eq!(story.state.waiting(nonce(0)).count(), 2);
    assert_eq!(story.state.nonce_of(&sent[2].hash()), None);
    story.clone().when(submit(&sent[1])).refused_as("nonce-used");
    // A ledger that is asked late does not bring back what was seen already.
    let late = story.knowing(|known| known.nonce = nonce(0));
    late.when(submit(&sent[1])).refused_as("nonce-used");
}

#[test]
fn what_waited_too_long_is_evicted_and_what_follows_it_is_queued() {
    let (first, second) = (expiring(0, 10), transfer(1, 5, 50));
    let story = account().and(submit(&first)).and(submit(&second));
    let refusal = Refusal::NotExpired { executed: "7".to_owned(), last: "10".to_owned() };
    story.clone().when(evict(&first, Eviction::Expired)).refused(refusal);
    let story = story.knowing(|known| known.head = Some(height(10)));
    let event = Event::TransactionEvicted(TransactionEvicted {
        hash: first.hash(),
        nonce: nonce(0),
        reason: Eviction::Expired,
    });
    let story = story.when(evict(&first, Eviction::Expired)).then(vec![event]);
    story.clone().when(evict(&first, Eviction::Expired)).refused_as("not-waiting");
    let third = transfer(2, 5, 50);
    let events = story.clone().when(submit(&third)).events();
    let Event::TransactionAccepted(data) = &events[0] else { panic!("{events:?}") };
    assert_eq!(data.placement, Placement::Queued);
    let again = transfer(0, 5, 50);
    let events = story.and(submit(&again)).when(submit(&third)).events();
    let Event::TransactionAccepted(data) = &events[0] else { panic!("{events:?}") };
    assert_eq!(data.placement, Placement::Pending);
}

#[test]
fn a_transaction_waits_for_so_many_blocks() {
    let sent = transfer(0, 5, 50);
    let story = account().and(submit(&sent)).knowing(|known| known.head = Some(height(126)));
    story.clone().when(evict(&sent, Eviction::Expired)).refused_as("not-expired");
    let story = story.knowing(|known| known.head = Some(height(127)));
    story.when(evict(&sent, Eviction::Expired)).then_named(&["transaction-evicted"]);
}

#[test]
fn only_the_lowest_fees_are_evicted_for_room() {
    let sent = transfer(0, 5, 50);
    let evicted = evict(&sent, Eviction::MempoolFull);
    let story = account().and(submit(&sent));
    story.clone().when(evicted.clone()).refused_as("mempool-not-full");
    let full = |fee: u128| Mempool {
        fee_per_byte_due: FeeRate { fee: amount(fee), ..sent.fee_rate() },
        fee_per_byte_min: FeeRate::ZERO,
        full: true,
        transactions: 200_000,
    };
    let story = story.knowing(|known| known.mempool = full(4));
    story.clone().when(evicted.clone()).refused_as("fee-not-lowest");
    let story = story.knowing(|known| known.mempool = full(5));
    story.when(evicted).then_named(&["transaction-evicted"]);
}

#[test]
fn what_another_transaction_with_its_nonce_superseded_is_evicted_as_such() {
    let sent = transfer(0, 5, 50);
    let story = account().and(submit(&sent));
    let refusal = Refusal::NonceNotUsed { next: nonce(0), nonce: nonce(0) };
    story.clone().when(evict(&sent, Eviction::NonceSuperseded)).refused(refusal);
    let story = story.knowing(|known| known.nonce = nonce(1));
    story.clone().when(evict(&sent, Eviction::Expired)).refused_as("not-waiting");
    // A block executed it, for all that is known, unless it is known to have executed another.
    story.clone().when(evict(&sent, Eviction::NonceSuperseded)).refused_as("not-waiting");
    let story = story.knowing(|known| known.superseded = Some(nonce(0)));
    let evicted = &["transaction-evicted"];
    story.clone().when(evict(&sent, Eviction::NonceSuperseded)).then_named(evicted);
    // Its sender went on in the meantime.
    let story = story.and(submit(&transfer(1, 5, 50)));
    assert_eq!(story.state.nonce_of(&sent.hash()), None);
    story.when(evict(&sent, Eviction::NonceSuperseded)).then_named(evicted);
}

#[test]
fn a_part_of_the_balance_is_set_aside_once_for_each_purpose() {
    let purpose: domain::values::Reservation = "reservation-1".parse().unwrap();
    let made =
        ReservationMade { amount: amount(600), purpose: purpose.clone(), reserved: amount(600) };
    let story = account()
        .when(reserve(600, "reservation-1"))
        .then(vec![Event::ReservationMade(made)])
        .when(reserve(600, "reservation-1"))
        .then(vec![]);
    story.clone().when(reserve(601, "reservation-1")).refused_as("reservation-differs");
    story.clone().when(reserve(401, "reservation-2")).refused_as("balance-insufficient");
    story.clone().when(reserve(0, "reservation-2")).refused(Refusal::AmountZero);
    let release = Command::Release { purpose: purpose.clone() };
    let released = ReservationReleased { amount: amount(600), purpose, reserved: Amount::ZERO };
    let story = story
        .and(reserve(400, "reservation-2"))
        .and(Command::Release { purpose: "reservation-2".parse().unwrap() })
        .when(release.clone())
        .then(vec![Event::ReservationReleased(released)]);
    story.when(release).refused_as("nothing-reserved");
}

#[test]
fn there_are_only_so_many_reservations() {
    let story = (0..100)
        .fold(account(), |story, number| story.and(reserve(1, &format!("reservation-{number}"))));
    story.when(reserve(1, "one-more")).refused_as("reservations-exhausted");
}

#[test]
fn a_key_from_history_is_not_judged_again() {
    let sent = transfer(0, 5, 50);
    let mut data = serde_json::to_value(accepted(&sent, Placement::Pending, None)).unwrap();
    let weak = "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    data["data"]["transaction"]["sender"] = weak.into();
    let Event::TransactionAccepted(read) = serde_json::from_value(data).unwrap() else {
        panic!("another event")
    };
    assert!(!read.transaction.verify(), "it verifies nothing all the same");
}

/// A transfer of any sender, not signed: a block is filled before anybody asks.
fn unsigned(sender: u8, number: u64, fee: u128) -> Transaction {
    let payload = Payload::Transfer { amount: amount(1), to: address(OTHER) };
    Transaction::new(envelope(sender, number, fee, payload), Signature::from_bytes([0; 64]))
}

const EVERYTHING: Room = Room { bytes_max: usize::MAX, transactions_max: usize::MAX };

#[test]
fn a_block_is_filled_by_fee_rate_but_each_senders_nonces_in_order() {
    let [poor, rich, later] = [unsigned(1, 4, 10), unsigned(1, 5, 90), unsigned(1, 7, 99)];
    let [middle, last] = [unsigned(2, 0, 50), unsigned(2, 1, 5)];
    let waiting = [&later, &last, &rich, &middle, &poor].map(Clone::clone);
    let block = fill_block(waiting.clone(), EVERYTHING);
    assert_eq!(block, [&middle, &poor, &rich, &last].map(Clone::clone), "7 leaves a gap");
    let two = Room { transactions_max: 2, ..EVERYTHING };
    assert_eq!(fill_block(waiting.clone(), two), [middle.clone(), poor.clone()]);
    // What follows something that does not fit stays out, but other senders' may still fit.
    let bytes_max = middle.bytes().len() + last.bytes().len();
    assert!(poor.bytes().len() > last.bytes().len());
    let narrow = Room { bytes_max, ..EVERYTHING };
    assert_eq!(fill_block(waiting, narrow), [middle, last]);
}

proptest! {
    #[test]
    fn the_same_waiting_transactions_fill_the_same_block(
        waiting in vec((1..4_u8, 0..5_u64, 1..9_u128), 0..16),
        transactions_max in 0..12_usize,
        seed in any::<u64>(),
    ) {
        let waiting: Vec<_> = waiting.iter().map(|(s, n, fee)| unsigned(*s, *n, *fee)).collect();
        let room = Room { transactions_max, ..EVERYTHING };
        let block = fill_block(waiting.clone(), room);
        let mut shuffled = waiting.clone();
        shuffled.sort_by_key(|sent| Hash::of(&[sent.hash().as_bytes(), &seed.to_be_bytes()[..]].concat()));
        prop_assert_eq!(&fill_block(shuffled, room), &block);
        prop_assert!(block.len() <= transactions_max);
        let mut next: BTreeMap<_, Nonce> = BTreeMap::new();
        for (place, sent) in block.iter().enumerate() {
            let nonce = sent.envelope().nonce;
            prop_assert_eq!(*next.get(&sent.sender()).unwrap_or(&nonce), nonce);
            next.insert(sent.sender(), nonce.next());
            // Nothing that could have stood here pays more.
            let better = block[place..].iter().find(|other| other.fee_rate() > sent.fee_rate());
            if let Some(better) = better {
                let before = block[place..].iter().take_while(|other| *other != better);
                let held_up = before.into_iter().any(|other| other.sender() == better.sender());
                prop_assert!(held_up);
            }
        }
    }

    #[test]
    fn fee_rates_compare_as_fractions(fees in vec(0..50_u32, 2), sizes in vec(1..20_u32, 2)) {
        let rate = |index: usize| FeeRate { bytes: sizes[index], fee: amount(fees[index].into()) };
        let exact = (fees[0] * sizes[1]).cmp(&(fees[1] * sizes[0]));
        prop_assert_eq!(rate(0).cmp(&rate(1)), exact);
        prop_assert_eq!(rate(0) == rate(1), exact.is_eq());
    }

    /// Against a queue written as plainly as the rules: nonces with their costs.
    #[test]
    fn a_queue_never_owes_more_than_the_balance_and_knows_what_is_pending(
        steps in vec((0..4_u8, 0..6_u64, 1..40_u128, 0..120_u128), 1..40),
    ) {
        let mut story = account().knowing(|known| known.balance = amount(300));
        let mut model: BTreeMap<u64, u128> = BTreeMap::new();
        let (mut executed, mut balance) = (0, 300);
        for (kind, number, fee, units) in steps {
            let sent = transfer(executed + number, fee, units);
            let command = match kind {
                // A block executes the next one, if it waits.
                0 => {
                    if let Some(cost) = model.remove(&executed) {
                        (executed, balance) = (executed + 1, balance - cost);
                        let (now, left) = (nonce(executed), amount(balance));
                        story = story.knowing(|known| (known.nonce, known.balance) = (now, left));
                    }
                    continue;
                }
                1 => {
                    let Some(waiting) = story.state.waiting_at(nonce(executed + number)) else {
                        continue;
                    };
                    let hash = waiting.hash;
                    story = story.knowing(|known| known.head = Some(height(1_000)));
                    Command::Evict { hash, reason: Eviction::Expired }
                }
                _ => submit(&sent),
            };
            let Ok(events) = story.state.decide(&command, &story.known) else { continue };
            for event in &events {
                match event {
                    Event::TransactionAccepted(data) => {
                        let gap = (executed..executed + number).any(|n| !model.contains_key(&n));
                        prop_assert_eq!(data.placement == Placement::Queued, gap);
                        model.insert(executed + number, fee + units);
                    }
                    Event::TransactionEvicted(data) => {
                        model.remove(&data.nonce.value());
                    }
                    other => prop_assert!(false, "{other:?}"),
                }
                story.state.evolve(event);
            }
            prop_assert!(model.values().sum::<u128>() <= balance);
            let waiting: Vec<_> = story
                .state
                .waiting(nonce(executed))
                .map(|(nonce, waiting)| (nonce.value(), waiting.cost.value()))
                .collect();
            prop_assert_eq!(waiting, model.clone().into_iter().collect::<Vec<_>>());
            story = story.knowing(|known| known.head = Some(height(7)));
        }
    }
}

/// A story in which everything happens.
pub fn one_of_each() -> Vec<Event> {
    let first = transfer(0, 5, 50);
    let mut events = account().when(submit(&first)).events();
    let late = account().and(submit(&first)).knowing(|known| known.head = Some(height(200)));
    events.extend(late.when(evict(&first, Eviction::Expired)).events());
    events.extend(account().when(reserve(600, "reservation-1")).events());
    let reserved = account().and(reserve(600, "reservation-1"));
    let release = Command::Release { purpose: "reservation-1".parse().unwrap() };
    events.extend(reserved.when(release).events());
    events
}

/// An example of each command, made with a real key.
pub fn examples() -> Vec<Value> {
    let sent = Envelope {
        expires_at_height: Some(height(500)),
        memo: Some("invoice 2026-0117".parse().unwrap()),
        ..transfer(0, 5, 50).envelope().clone()
    }
    .sign(&key(ME));
    let commands = [
        submit(&sent),
        evict(&sent, Eviction::Expired),
        reserve(600, "reservation-1"),
        Command::Release { purpose: "reservation-1".parse().unwrap() },
    ];
    commands.iter().map(|command| serde_json::to_value(command).unwrap()).collect()
}

/// The examples of the contract, carried out one after the other.
#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    account()
        .and(example("submit"))
        .and(example("reserve"))
        .and(example("release"))
        .knowing(|known| known.head = Some(height(500)))
        .and(example("evict"));
    assert_eq!(Command::example("reboot"), None);
    assert_eq!(
        Command::examples()[2],
        json!({
            "amount": "600", "command": "reserve", "purpose": "reservation-1",
        })
    );
}
