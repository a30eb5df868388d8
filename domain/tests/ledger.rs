//! The ledger: what blocks do to the state, and what nothing can do to the supply.

use domain::{
    aggregate::Aggregate as _,
    ledger::{
        Account, Anchor, BlockContext, BlockFault, Burn, Burned, Delegation, Entry, Equivocation,
        Execution, Failure, Key, Ledger, Receipt, Release, Totals, Unbonding, Unfollowed, Unusable,
        ValidatorStake,
    },
    transaction::{Envelope, Payload, Transaction},
    trie::Trie,
    validator::{self, Validator},
    values::{Amount, Epoch, Hash, Height, Nonce},
};
use prost::Message as _;
use serde_json::{Value, json};
use tendermint_proto::v0_38::abci::ExecTxResult;

use crate::{
    fixture::{address, key, moment},
    genesis,
    transaction::{amount, envelope, nonce},
};

/// Two with money, four validators (1 to 4), and one of them as the proposer.
pub const RICH: u8 = 21;
pub const POOR: u8 = 22;
pub const PROPOSER: u8 = 4;

/// A small world: [`RICH`] has 10_000_000, [`POOR`] 200, each validator a bond of 10_000_000, on
/// the first of which [`RICH`] delegated 1_000_000. Epochs of 4, stake is free after 3 of them.
pub fn document() -> Value {
    let mut document = genesis::native();
    let bond = |number: u8, units: &str| json!({"validator": address(number).to_string(), "amount": units});
    document["app_state"] = json!({
        "accounts": [
            {"address": address(RICH).to_string(), "balance": "10000000"},
            {"address": address(POOR).to_string(), "balance": "200"},
        ],
        "bonds": [
            bond(1, "9000000"), bond(2, "10000000"), bond(3, "10000000"), bond(4, "10000000"),
            {"validator": address(1).to_string(), "amount": "1000000",
                "delegator": address(RICH).to_string()},
        ],
        "parameters": {"epoch_blocks": 4, "unbonding_epochs": 3, "evidence_age_blocks_max": 8},
        "supply": "50000200",
    });
    document
}

pub fn begun() -> Ledger {
    Ledger::genesis(&document().to_string()).unwrap()
}

fn height(number: u64) -> Height {
    Height::new(number).unwrap()
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(number).unwrap()
}

/// The next block's context, without evidence.
pub fn context(ledger: &Ledger) -> BlockContext {
    BlockContext {
        evidence: Vec::new(),
        height: ledger.next_height().unwrap(),
        proposer: address(PROPOSER),
        time: moment("2026-01-01T00:00:07Z"),
    }
}

/// The next transaction of an account, whatever else is in the block, with a fee of 5.
pub fn next(ledger: &Ledger, sender: u8, ahead: u64, payload: Payload) -> Transaction {
    let number = ledger.account(address(sender)).nonce.value() + ahead;
    envelope(sender, number, 5, payload).sign(&key(sender))
}

fn transfer(units: u128, to: u8) -> Payload {
    Payload::Transfer { amount: amount(units), to: address(to) }
}

/// One block with these transactions, which must be valid.
fn block(ledger: &mut Ledger, transactions: &[Transaction]) -> Execution {
    let context = context(ledger);
    ledger.execute(&context, transactions).unwrap()
}

/// One block with one transaction.
fn only(ledger: &mut Ledger, sender: u8, payload: Payload) -> Execution {
    let transaction = next(ledger, sender, 0, payload);
    block(ledger, &[transaction])
}

/// The one transaction of a block fails for this reason, and all that changes is the fee's way.
fn fails(ledger: &Ledger, sender: u8, payload: Payload, failure: Failure) {
    let mut ledger = ledger.clone();
    let (before, proposed) = (ledger.account(address(sender)), balance(&ledger, PROPOSER));
    let execution = only(&mut ledger, sender, payload);
    assert_eq!(execution.receipts[0].failure, Some(failure));
    let balance_after = before.balance.minus(amount(5)).unwrap();
    let paid = Account { balance: balance_after, nonce: before.nonce.next(), ..before };
    assert_eq!(ledger.account(address(sender)), paid);
    assert_eq!(balance(&ledger, PROPOSER), proposed + 5);
    assert_eq!(execution.changed.len(), 2);
}

fn balance(ledger: &Ledger, number: u8) -> u128 {
    ledger.account(address(number)).balance.value()
}

/// Empty blocks up to a height.
fn up_to(ledger: &mut Ledger, last: u64) -> Vec<Execution> {
    let mut executions = Vec::new();
    while ledger.height().is_none_or(|height| height.value() < last) {
        executions.push(block(ledger, &[]));
    }
    executions
}

#[test]
fn a_ledger_begins_as_its_genesis_document_says() {
    let ledger = begun();
    assert_eq!((ledger.height(), ledger.next_height()), (None, Some(Height::FIRST)));
    assert_eq!((balance(&ledger, RICH), balance(&ledger, POOR)), (10_000_000, 200));
    assert_eq!(balance(&ledger, 99), 0);
    let staked = ledger.staked(address(1)).unwrap();
    assert_eq!((staked.stake.bond, staked.stake.delegated), (amount(9_000_000), amount(1_000_000)));
    assert_eq!(ledger.stakes().count(), 4);
    assert_eq!(ledger.supply(), amount(50_000_200));
    let totals = Totals {
        balances: amount(10_000_200),
        bonds: amount(39_000_000),
        burned: amount(0),
        delegations: amount(1_000_000),
        unbonding: amount(0),
    };
    assert_eq!(ledger.totals(), totals);
    assert_eq!(totals.sum(), Some(ledger.supply()));
    let implied = Ledger::genesis(&genesis::native().to_string()).unwrap();
    assert_eq!(implied.staked(address(1)).unwrap().stake.bond, amount(10_000_000));
}

#[test]
fn a_ledger_does_not_begin_with_a_faulty_or_a_foreign_document() {
    let mut faulty = document();
    faulty["app_state"]["supply"] = "1".into();
    let refused = Ledger::genesis(&faulty.to_string()).unwrap_err();
    let Unusable::GenesisFaulty { count: 1, faults } = refused else { panic!("{refused}") };
    assert_eq!(faults[0].pointer, "/app_state/supply");
    let mut foreign = document();
    foreign["app_state"] = json!({"auth": {}, "bank": {}});
    let refused = Ledger::genesis(&foreign.to_string()).unwrap_err();
    assert!(matches!(refused, Unusable::GenesisNotOurs { .. }), "{refused}");
}

/// The root is that of a trie of the entries as the module says it, and nothing else is in it.
#[test]
fn the_root_is_that_of_the_entries_under_their_keys() {
    let entry = |entry: &Entry| (entry.key().hash(), Some(entry.bytes()));
    let mut trie = Trie::new();
    let account = |number: u8, units: u128| {
        let (address, balance) = (address(number), amount(units));
        Entry::Account(Account { address, balance, nonce: Nonce::FIRST })
    };
    let validator = |number: u8, bond: u128, delegated: u128| {
        Entry::Validator(ValidatorStake {
            address: address(number),
            bond: amount(bond),
            delegated: amount(delegated),
            tombstoned: false,
        })
    };
    let entries = [
        account(RICH, 10_000_000),
        account(POOR, 200),
        validator(1, 9_000_000, 1_000_000),
        validator(2, 10_000_000, 0),
        validator(3, 10_000_000, 0),
        validator(4, 10_000_000, 0),
        Entry::Delegation(Delegation {
            amount: amount(1_000_000),
            delegator: address(RICH),
            validator: address(1),
        }),
    ];
    trie.update(entries.iter().map(entry));
    let ledger = begun();
    assert_eq!(ledger.root(), trie.root());
    assert_eq!(ledger.entries().count(), entries.len());
    let by_hand = [&[0][..], address(POOR).as_bytes()].concat();
    assert_eq!(Key::Account(address(POOR)).hash(), Hash::of(&by_hand));
    let json = format!(r#"{{"account":{{"address":"{}","balance":"200","nonce":"0"}}}}"#, {
        address(POOR)
    });
    assert_eq!(entries[1].bytes(), json.as_bytes());
}

#[test]
fn keys_are_hashed_as_they_say() {
    let (validator, delegator) = (address(1), address(2));
    let hash = |parts: &[&[u8]]| Hash::of(&parts.concat());
    let (v, d) = (validator.as_bytes(), delegator.as_bytes());
    assert_eq!(Key::Validator(validator).hash(), hash(&[&[1], v]));
    assert_eq!(Key::Delegation { validator, delegator }.hash(), hash(&[&[2], v, d]));
    let (matures, started) = (epoch(0x0102), epoch(3));
    let epochs = [0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 3];
    let own = Key::Unbonding { validator, delegator: None, matures, started };
    assert_eq!(own.hash(), hash(&[&[3], v, &[0], &epochs]));
    let others = Key::Unbonding { validator, delegator: Some(delegator), matures, started };
    assert_eq!(others.hash(), hash(&[&[3], v, &[1], d, &epochs]));
    let transaction = Hash::of(b"t");
    assert_eq!(Key::Anchor(transaction).hash(), hash(&[&[4], transaction.as_bytes()]));
    assert_eq!(Key::Burned.hash(), hash(&[&[5]]));
}

#[test]
fn a_transfer_moves_its_amount_and_its_fee_goes_to_the_proposer() {
    let mut ledger = begun();
    let sent = next(&ledger, RICH, 0, transfer(100, POOR));
    let execution = block(&mut ledger, std::slice::from_ref(&sent));
    assert_eq!(execution.receipts, [Receipt { failure: None, hash: sent.hash() }]);
    let account = |number: u8, units: u128, used: u64| {
        Entry::Account(Account {
            address: address(number),
            balance: amount(units),
            nonce: nonce(used),
        })
    };
    let mut expected =
        vec![account(RICH, 9_999_895, 1), account(POOR, 300, 0), account(PROPOSER, 5, 0)];
    expected.sort_by_key(Entry::key);
    assert_eq!(execution.changed, expected);
    assert_eq!((execution.fees, execution.height), (amount(5), Height::FIRST));
    assert_eq!(execution.state_root, ledger.root());
    assert_eq!(ledger.height(), Some(Height::FIRST));
}

#[test]
fn a_block_does_what_its_transactions_do_in_their_order() {
    let mut ledger = begun();
    let there = next(&ledger, RICH, 0, transfer(1_000, 50));
    let back = next(&ledger, 50, 0, transfer(900, RICH));
    let again = next(&ledger, RICH, 1, transfer(1, RICH));
    let execution = block(&mut ledger, &[there, back, again]);
    assert!(execution.receipts.iter().all(|receipt| receipt.failure.is_none()));
    assert_eq!((balance(&ledger, 50), balance(&ledger, RICH)), (95, 9_999_890));
    assert_eq!(ledger.account(address(RICH)).nonce, nonce(2));
}

#[test]
fn what_fails_pays_its_fee_and_uses_its_nonce() {
    let ledger = begun();
    fails(
        &ledger,
        POOR,
        transfer(196, RICH),
        Failure::BalanceInsufficient { amount: amount(196), balance: amount(195) },
    );
    fails(&ledger, POOR, transfer(0, RICH), Failure::AmountZero);
    let (sender, validator) = (address(POOR), address(1));
    let not_own = Failure::NotOwnBond { sender, validator };
    fails(&ledger, POOR, Payload::Bond { amount: amount(1), validator }, not_own.clone());
    fails(&ledger, POOR, Payload::Unbond { amount: amount(1), validator }, not_own);
    let bond = Payload::Bond { amount: amount(50), validator: sender };
    let minimum = amount(1_000_000);
    fails(&ledger, POOR, bond, Failure::BondBelowMinimum { bond: amount(50), minimum });
    let unbond = Payload::Unbond { amount: amount(1), validator: sender };
    let insufficient = Failure::BondInsufficient { amount: amount(1), bond: amount(0) };
    fails(&ledger, POOR, unbond, insufficient);
    let stranger = address(60);
    let delegate = Payload::Delegate { amount: amount(1), validator: stranger };
    fails(&ledger, POOR, delegate, Failure::ValidatorUnknown { validator: stranger });
    let undelegate = Payload::Undelegate { amount: amount(1), validator };
    let delegation = amount(0);
    let nothing = Failure::DelegationInsufficient { amount: amount(1), delegation };
    fails(&ledger, POOR, undelegate, nothing);
    let hash = Hash::of(b"nothing");
    fails(&ledger, POOR, Payload::RevokeAnchor { hash }, Failure::AnchorUnknown { hash });
}

#[test]
fn a_block_with_what_cannot_be_charged_is_invalid_and_changes_nothing() {
    let ledger = begun();
    let good = next(&ledger, RICH, 0, transfer(1, POOR));
    let refuse = |bad: Transaction| {
        let mut tried = ledger.clone();
        let refused = tried.execute(&context(&ledger), &[good.clone(), bad]).unwrap_err();
        assert_eq!(tried, ledger);
        serde_json::to_value(refused).unwrap()
    };
    let poor = |number, fee, units| envelope(POOR, number, fee, transfer(units, RICH));
    let sign = |envelope: Envelope| envelope.sign(&key(POOR));
    let refused = refuse(sign(poor(1, 5, 1)));
    assert_eq!(refused["code"], "nonce-mismatch");
    assert_eq!((&refused["index"], &refused["expected"]), (&json!(1), &json!("0")));
    assert_eq!(refuse(good.clone())["code"], "nonce-mismatch");
    let refused = refuse(sign(poor(0, 202, 1)));
    assert_eq!((&refused["code"], &refused["balance"]), (&json!("fee-unpayable"), &json!("201")));
    assert_eq!(refuse(sign(poor(0, 0, 1)))["code"], "fee-below-minimum");
    let chain_id = "another-1".parse().unwrap();
    let refused = refuse(sign(Envelope { chain_id, ..poor(0, 5, 1) }));
    assert_eq!(refused["code"], "chain-mismatch");
    let mut later = ledger.clone();
    up_to(&mut later, 2);
    let expiring = |at| sign(Envelope { expires_at_height: Some(height(at)), ..poor(0, 5, 1) });
    let refused = later.clone().execute(&context(&later), &[expiring(2)]).unwrap_err();
    assert!(matches!(refused, BlockFault::TransactionExpired { index: 0, .. }), "{refused}");
    later.execute(&context(&ledger), &[]).unwrap_err();
    block(&mut later, &[expiring(3)]);
}

#[test]
fn only_the_next_height_is_executed() {
    let mut ledger = begun();
    let skipping = BlockContext { height: height(2), ..context(&ledger) };
    let expected = BlockFault::HeightNotNext { expected: height(1), found: height(2) };
    assert_eq!(ledger.execute(&skipping, &[]), Err(expected));
    let first = context(&ledger);
    ledger.execute(&first, &[]).unwrap();
    let expected = BlockFault::HeightNotNext { expected: height(2), found: height(1) };
    assert_eq!(ledger.execute(&first, &[]), Err(expected));
}

#[test]
fn a_bond_grows_and_what_leaves_it_returns_at_the_first_height_of_an_epoch() {
    let mut ledger = begun();
    let validator = address(1);
    only(&mut ledger, RICH, transfer(2_000_010, 1));
    only(&mut ledger, 1, Payload::Bond { amount: amount(2_000_000), validator });
    assert_eq!(ledger.staked(validator).unwrap().stake.bond, amount(11_000_000));
    assert_eq!(balance(&ledger, 1), 5);
    only(&mut ledger, RICH, transfer(100, 1));
    let most = Payload::Unbond { amount: amount(10_000_001), validator };
    let minimum = amount(1_000_000);
    fails(&ledger, 1, most, Failure::BondBelowMinimum { bond: amount(999_999), minimum });
    // Height 4 is the last of epoch 0; what begins there is back after three epochs.
    let execution = only(&mut ledger, 1, Payload::Unbond { amount: amount(9_000_000), validator });
    let unbonding = Unbonding {
        amount: amount(9_000_000),
        delegator: None,
        matures: epoch(3),
        started: epoch(0),
        validator,
    };
    assert!(execution.changed.contains(&Entry::Unbonding(unbonding)));
    assert!(up_to(&mut ledger, 12).iter().all(|execution| execution.releases.is_empty()));
    let execution = block(&mut ledger, &[]);
    let release = Release { amount: amount(9_000_000), owner: validator, validator };
    assert_eq!((execution.height, &execution.releases[..]), (height(13), &[release][..]));
    let gone = Unbonding { amount: amount(0), ..unbonding };
    assert!(execution.changed.contains(&Entry::Unbonding(gone)));
    assert_eq!(ledger.entry(&Entry::Unbonding(gone).key()), None);
    assert_eq!(balance(&ledger, 1), 9_000_100);
    // The whole of it may go, too, and then nothing is left to remember.
    only(&mut ledger, 1, Payload::Unbond { amount: amount(2_000_000), validator });
    let nobody = Failure::ValidatorUnknown { validator };
    fails(&ledger, RICH, Payload::Delegate { amount: amount(1), validator }, nobody);
    only(&mut ledger, RICH, Payload::Undelegate { amount: amount(1_000_000), validator });
    up_to(&mut ledger, 25);
    assert_eq!(ledger.staked(validator), None);
    assert_eq!(ledger.entry(&Key::Validator(validator)), None);
    assert_eq!(ledger.totals().sum(), Some(ledger.supply()));
}

#[test]
fn delegations_come_and_go() {
    let mut ledger = begun();
    let validator = address(2);
    let execution = only(&mut ledger, RICH, Payload::Delegate { amount: amount(70), validator });
    let delegation = Delegation { amount: amount(70), delegator: address(RICH), validator };
    assert!(execution.changed.contains(&Entry::Delegation(delegation)));
    let too_much = Payload::Undelegate { amount: amount(71), validator };
    let insufficient =
        Failure::DelegationInsufficient { amount: amount(71), delegation: amount(70) };
    fails(&ledger, RICH, too_much, insufficient);
    let beyond = Payload::Delegate { amount: amount(10_000_000), validator };
    let balance_now = amount(9_999_920);
    let insufficient =
        Failure::BalanceInsufficient { amount: amount(10_000_000), balance: balance_now };
    fails(&ledger, RICH, beyond, insufficient);
    only(&mut ledger, RICH, Payload::Undelegate { amount: amount(70), validator });
    assert_eq!(ledger.entry(&Entry::Delegation(delegation).key()), None);
    up_to(&mut ledger, 13);
    assert_eq!(balance(&ledger, RICH), 9_999_990);
}

#[test]
fn a_validator_has_so_many_delegators_and_no_more_power_than_a_whole_set() {
    let mut document = document();
    let state = &mut document["app_state"];
    let bonds = state["bonds"].as_array_mut().unwrap();
    for number in 0..9_999_u32 {
        let delegator = &Hash::of(&number.to_be_bytes()).to_string()[..40];
        let validator = address(1).to_string();
        bonds.push(json!({"validator": validator, "amount": "1", "delegator": delegator}));
    }
    state["supply"] = Value::Null;
    state["accounts"][0]["balance"] = (1_u128 << 90).to_string().into();
    let ledger = Ledger::genesis(&document.to_string()).unwrap();
    let delegate = |number, units| {
        let validator = address(number);
        Payload::Delegate { amount: amount(units), validator }
    };
    let full = Failure::DelegatorsExhausted { maximum: 10_000 };
    fails(&ledger, POOR, delegate(1, 1), full);
    only(&mut ledger.clone(), RICH, delegate(1, 1));
    let most = 1_000_000 * (i64::MAX as u128 / 8) + 999_999 - 10_000_000;
    only(&mut ledger.clone(), RICH, delegate(2, most));
    let power_max = (i64::MAX.cast_unsigned() / 8).try_into().unwrap();
    let stake = amount(most + 10_000_001);
    let too_large = Failure::StakeTooLarge { power_max, stake };
    fails(&ledger, RICH, delegate(2, most + 1), too_large);
}

/// The same stake, the same offence: the validator's own history burns the same.
#[test]
fn equivocation_burns_what_the_validators_history_says() {
    let mut ledger = begun();
    let validator = address(1);
    up_to(&mut ledger, 4);
    only(&mut ledger, RICH, Payload::Undelegate { amount: amount(300_001), validator });
    let evidence = Hash::of(b"two votes");
    let offence = Equivocation { evidence, height: height(5), validator };
    let guilty = BlockContext { evidence: vec![offence, offence], ..context(&ledger) };
    let execution = ledger.execute(&guilty, &[]).unwrap();

    let chain_id = ledger.chain_id().clone();
    let mut known = validator::Known {
        address: validator,
        now: moment("2026-01-01T00:00:00Z"),
        parameters: ledger.parameters().clone(),
        epoch: epoch(0),
        active: 0,
        joined: 0,
    };
    let delegator = address(RICH);
    let registration = validator::Registration {
        bond: amount(9_000_000),
        commission_bps: domain::values::Bps::ZERO,
        contact: None,
        moniker: "One".parse().unwrap(),
        operator: "one".parse().unwrap(),
        proof: crate::fixture::proof(1, &chain_id),
        chain_id,
        public_key: crate::fixture::public_key(1),
        reservation: None,
        website: None,
    };
    let mut history = Validator::default();
    let mut happened = Vec::new();
    for (command, at) in [
        (validator::Command::Register(Box::new(registration)), 0),
        (validator::Command::Activate {}, 0),
        (validator::Command::Delegate { amount: amount(1_000_000), delegator }, 0),
        (validator::Command::Undelegate { amount: amount(300_001), delegator }, 1),
        (
            validator::Command::Slash {
                evidence,
                height: height(5),
                offence: validator::Offence::Equivocation,
            },
            1,
        ),
    ] {
        known.epoch = epoch(at);
        happened = history.decide(&command, &known).unwrap();
        happened.iter().for_each(|event| history.evolve(event));
    }
    let slashed = happened.iter().find_map(|event| match event {
        validator::Event::ValidatorSlashed(data) => Some(data),
        _ => None,
    });
    let slashed = slashed.unwrap();
    let burn = Burn {
        bond: slashed.burned_bond,
        delegated: slashed.burned_delegated,
        evidence,
        height: height(5),
        unbonding: slashed.burned_unbonding,
        validator,
    };
    assert_eq!(execution.burns, [burn], "once, however often it is proved");
    assert_eq!((burn.bond, burn.delegated), (amount(9_000_000), amount(34_999)));
    assert_eq!(burn.unbonding, amount(15_000));
    assert_eq!(ledger.burned(), slashed.burned);
    assert!(execution.changed.contains(&Entry::Burned(Burned { amount: slashed.burned })));
    let staked = ledger.staked(validator).unwrap();
    assert_eq!(&staked.stake, &history.record().unwrap().stake);
    assert_eq!(ledger.totals().sum(), Some(ledger.supply()));
}

#[test]
fn nothing_can_be_staked_with_one_that_equivocated_but_delegators_can_leave() {
    let mut ledger = begun();
    let validator = address(1);
    only(&mut ledger, RICH, transfer(2_000_000, 1));
    let offence = Equivocation { evidence: Hash::of(b"e"), height: height(1), validator };
    let guilty = BlockContext { evidence: vec![offence], ..context(&ledger) };
    ledger.execute(&guilty, &[]).unwrap();
    let tombstoned = Failure::ValidatorTombstoned { validator };
    fails(&ledger, 1, Payload::Bond { amount: amount(1_000_000), validator }, tombstoned.clone());
    fails(&ledger, RICH, Payload::Delegate { amount: amount(1), validator }, tombstoned);
    only(&mut ledger, RICH, Payload::Undelegate { amount: amount(950_000), validator });
    up_to(&mut ledger, 13);
    assert_eq!(balance(&ledger, RICH), 10_000_000 - 2_000_005 - 5 + 950_000);
    let again = BlockContext {
        evidence: vec![Equivocation { height: height(12), ..offence }],
        ..context(&ledger)
    };
    assert_eq!(ledger.execute(&again, &[]).unwrap().burns, []);
    assert!(ledger.staked(validator).unwrap().tombstoned, "it is remembered for ever");
}

#[test]
fn evidence_is_of_an_earlier_height_that_is_not_too_old() {
    let mut ledger = begun();
    up_to(&mut ledger, 9);
    let offence =
        |at| Equivocation { evidence: Hash::of(b"e"), height: height(at), validator: address(1) };
    let tried = |at| {
        let guilty = BlockContext { evidence: vec![offence(at)], ..context(&ledger) };
        ledger.clone().execute(&guilty, &[])
    };
    let refused = tried(10).unwrap_err();
    assert!(matches!(refused, BlockFault::EvidenceNotBefore { .. }), "{refused}");
    let refused = tried(1).unwrap_err();
    assert!(matches!(refused, BlockFault::EvidenceExpired { .. }), "{refused}");
    assert_eq!(tried(2).unwrap().burns.len(), 1);
}

#[test]
fn an_anchor_is_kept_with_its_time_and_revoked_by_its_owner_alone_and_once() {
    let mut ledger = begun();
    let payload = Payload::Anchor {
        algorithm: "sha-256".parse().unwrap(),
        digest: "A0DE".parse().unwrap(),
        label: "a deed".parse().unwrap(),
    };
    let transaction = next(&ledger, RICH, 0, payload);
    let hash = transaction.hash();
    block(&mut ledger, &[transaction]);
    let anchor = Anchor {
        algorithm: "sha-256".parse().unwrap(),
        digest: "A0DE".parse().unwrap(),
        height: height(1),
        label: "a deed".parse().unwrap(),
        owner: address(RICH),
        revoked: None,
        time: moment("2026-01-01T00:00:07Z"),
        transaction: hash,
    };
    assert_eq!(ledger.anchor(hash), Some(anchor.clone()));
    let revoke = || Payload::RevokeAnchor { hash };
    fails(&ledger, POOR, revoke(), Failure::AnchorNotOwn { owner: address(RICH) });
    let both = [next(&ledger, RICH, 0, revoke()), next(&ledger, RICH, 1, revoke())];
    let execution = block(&mut ledger, &both);
    let failure = Some(Failure::AnchorRevoked { height: height(2) });
    assert_eq!(execution.receipts[1].failure, failure);
    let revoked = Anchor { revoked: Some(height(2)), ..anchor };
    assert_eq!(ledger.anchor(hash), Some(revoked));
}

#[test]
fn what_the_state_holds_and_does_not_hold_is_proved_under_its_root() {
    let mut ledger = begun();
    only(&mut ledger, RICH, transfer(100, POOR));
    let root = ledger.root();
    for entry in ledger.entries() {
        let (key, bytes) = (entry.key(), entry.bytes());
        assert_eq!(ledger.entry(&key), Some(entry));
        assert!(ledger.prove(&key).verify(&root, &key.hash(), Some(&bytes)));
    }
    let absent = Key::Account(address(99));
    assert!(ledger.prove(&absent).verify(&root, &absent.hash(), None));
}

#[test]
fn receipts_have_the_root_that_comets_light_clients_expect() {
    let mut ledger = begun();
    let good = next(&ledger, RICH, 0, transfer(100, POOR));
    let bad = next(&ledger, POOR, 0, transfer(10_000, RICH));
    let execution = block(&mut ledger, &[good, bad]);
    let result = |receipt: &Receipt, code: u32| {
        let data = serde_json_canonicalizer::to_vec(receipt).unwrap().into();
        ExecTxResult { code, data, ..ExecTxResult::default() }.encode_to_vec()
    };
    let leaf = |bytes: Vec<u8>| Hash::of(&[&[0], &bytes[..]].concat());
    let first = leaf(result(&execution.receipts[0], 0));
    let second = leaf(result(&execution.receipts[1], 2));
    let root = Hash::of(&[&[1], &first.as_bytes()[..], second.as_bytes()].concat());
    assert_eq!(execution.receipts_root, root);
    assert_eq!(execution.receipts[1].code(), 2);
    assert_eq!(block(&mut ledger, &[]).receipts_root, Hash::of(b""));
}

#[test]
fn the_bytes_of_an_execution_are_canonical_and_read_back() {
    let mut ledger = begun();
    only(&mut ledger, RICH, Payload::Undelegate { amount: amount(9), validator: address(1) });
    up_to(&mut ledger, 12);
    let transactions = [
        next(&ledger, RICH, 0, transfer(100, POOR)),
        next(&ledger, POOR, 0, transfer(10_000, RICH)),
    ];
    let offence =
        Equivocation { evidence: Hash::of(b"e"), height: height(9), validator: address(1) };
    let guilty = BlockContext { evidence: vec![offence], ..context(&ledger) };
    let execution = ledger.execute(&guilty, &transactions).unwrap();
    assert_eq!((execution.burns.len(), execution.releases.len()), (1, 1));
    let bytes = execution.bytes();
    assert_eq!(bytes, serde_json_canonicalizer::to_vec(&execution).unwrap());
    assert_eq!(Execution::from_bytes(&bytes).unwrap(), execution);
    assert!(Execution::from_bytes(b"{}").is_err());
}

#[test]
fn nobody_follows_what_does_not_come_to_the_root_it_says() {
    let before = begun();
    let mut ledger = before.clone();
    let execution = only(&mut ledger, RICH, transfer(5, 2));
    assert_eq!(before.after(&execution), Ok(ledger));
    let mut changed = execution.clone();
    changed.changed.pop();
    assert!(matches!(before.after(&changed), Err(Unfollowed::RootMismatch { .. })));
    let early = Execution { height: execution.height.next().unwrap(), ..execution };
    assert!(matches!(before.after(&early), Err(Unfollowed::HeightNotNext { .. })));
}

#[test]
fn a_snapshot_holds_the_whole_state() {
    let mut ledger = begun();
    assert_eq!(Ledger::restore(&ledger.snapshot()).unwrap(), ledger);
    let validator = address(1);
    only(&mut ledger, RICH, Payload::Undelegate { amount: amount(9), validator });
    let offence = Equivocation { evidence: Hash::of(b"e"), height: height(1), validator };
    let guilty = BlockContext { evidence: vec![offence], ..context(&ledger) };
    ledger.execute(&guilty, &[]).unwrap();
    let mut restored = Ledger::restore(&ledger.snapshot()).unwrap();
    assert_eq!(restored, ledger);
    assert_eq!(restored.snapshot(), ledger.snapshot());
    let sent = [next(&ledger, RICH, 0, transfer(100, POOR))];
    assert_eq!(block(&mut restored, &sent), block(&mut ledger, &sent));
}

#[test]
fn a_snapshot_that_was_changed_is_not_restored() {
    let text = String::from_utf8(begun().snapshot()).unwrap();
    let restore = |text: &str| Ledger::restore(text.as_bytes()).unwrap_err();
    let richer = text.replace(r#""balance":"200""#, r#""balance":"201""#);
    let refused = restore(&richer);
    assert!(matches!(refused, Unusable::RootMismatch { .. }), "{refused}");
    let Unusable::RootMismatch { found, said } = refused else { unreachable!() };
    let refused = restore(&richer.replace(&said.to_string(), &found.to_string()));
    let (found, said) = (amount(50_000_201), amount(50_000_200));
    assert_eq!(refused, Unusable::SupplyMismatch { found, said });
    for (text, word) in [
        (text.trim_end(), "no end"),
        ("\n", "EOF"),
        (&text.replace("node0.snapshot/1", "node0.snapshot/2"), "its form"),
        (&text.replace("\"account\"", "\"acount\""), "unknown variant"),
    ] {
        let refused = restore(text).to_string();
        assert!(refused.contains(word), "{refused}");
    }
}

#[test]
fn every_failure_has_a_code_of_its_own() {
    let (units, validator, hash) = (amount(1), address(1), Hash::of(b"x"));
    let failures = [
        Failure::AmountZero,
        Failure::BalanceInsufficient { amount: units, balance: units },
        Failure::NotOwnBond { sender: validator, validator },
        Failure::BondBelowMinimum { bond: units, minimum: units },
        Failure::BondInsufficient { amount: units, bond: units },
        Failure::DelegationInsufficient { amount: units, delegation: units },
        Failure::ValidatorUnknown { validator },
        Failure::ValidatorTombstoned { validator },
        Failure::DelegatorsExhausted { maximum: 1 },
        Failure::StakeTooLarge { power_max: 1_u64.try_into().unwrap(), stake: Amount::ZERO },
        Failure::AnchorUnknown { hash },
        Failure::AnchorNotOwn { owner: validator },
        Failure::AnchorRevoked { height: Height::FIRST },
    ];
    for (code, failure) in (1..).zip(failures) {
        assert_eq!(failure.code(), code);
        let receipt = Receipt { failure: Some(failure), hash };
        assert_eq!(receipt.bytes(), serde_json_canonicalizer::to_vec(&receipt).unwrap());
        assert_eq!(serde_json::from_slice::<Receipt>(&receipt.bytes()).unwrap(), receipt);
    }
}
