//! Every read model equals what the domain's own aggregates make of the same events.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    aggregate::Event as _,
    chain::{Chain, Event as ChainEvent},
    configuration::{Key, flag::Flag},
    parameters::Schedule,
    validator::{Event as ValidatorEvent, Standing},
    validator_set::Event as SetEvent,
    values::{Address, Amount, ChainId, Hash, Height},
};
use projections::{
    Order, PageRequest, activity, alert_rules, alerts, chains, delegations,
    event::{Configured, Fact},
    flags::{self, FlagStanding},
    headers,
    keyed::{self, Filter, Row},
    partitions, peers,
    process_runs::{self, STEPS_SHOWN_MAX},
    reputation_history, settings, slashing_history, slos, validator_sets, validators,
};
use uuid::Uuid;

use crate::{
    database::{Database, caught_up},
    history::{History, Step},
};

/// Enough for everything to have happened.
const COMMANDS: usize = 900;

fn wide() -> PageRequest {
    PageRequest::new(100, None).unwrap()
}

async fn projected(seed: u64) -> (History, Database) {
    let history = History::of(seed, COMMANDS);
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(4_096);
    caught_up(&projections, head).await;
    projections.stop().await;
    (history, database)
}

#[tokio::test(flavor = "multi_thread")]
async fn read_models_equal_the_domains_own_fold() {
    for seed in [1, 23] {
        let (history, database) = projected(seed).await;
        every_event_happened(&history);
        validators_are_equal(&history, &database).await;
        stakes_are_equal(&history, &database).await;
        sets_are_equal(&history, &database).await;
        chains_are_equal(&history, &database).await;
        headers_are_equal(&history, &database).await;
        histories_are_equal(&history, &database).await;
        runs_are_equal(&history, &database).await;
        flags_are_equal(&history, &database).await;
        settings_are_equal(&history, &database).await;
        what_is_watched_is_equal(&history, &database).await;
        the_network_is_equal(&history, &database).await;
        the_feed_has_every_event_it_follows(&history, &database).await;
        database.drop().await;
    }
}

/// A comparison of nothing would prove nothing.
fn every_event_happened(history: &History) {
    let names: BTreeSet<&str> = history.facts().map(|(_, fact)| fact.name()).collect();
    let all = [ValidatorEvent::NAMES, SetEvent::NAMES, ChainEvent::NAMES].concat();
    let missing: Vec<_> = all.iter().filter(|name| !names.contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?} did not happen");
}

async fn validators_are_equal(history: &History, database: &Database) {
    let addresses: Vec<Address> = history.validators.keys().copied().collect();
    let rows = validators::by_keys(&database.pool, &addresses).await.unwrap();
    assert_eq!(rows.len(), addresses.len());
    for row in rows {
        let record = history.validators[&row.address].record().unwrap();
        assert_eq!(row.standing, record.standing.name(), "{}", row.address);
        assert_eq!(row.chain_id, record.chain_id);
        assert_eq!(row.operator, record.operator);
        assert_eq!(row.public_key, record.public_key);
        assert_eq!(row.moniker, record.profile.moniker);
        assert_eq!(row.contact, record.profile.contact);
        assert_eq!(row.website, record.profile.website);
        assert_eq!(row.commission_bps, record.commission.current);
        assert_eq!(row.bond, record.stake.bond);
        assert_eq!(row.delegated, record.stake.delegated);
        assert_eq!(row.stake, record.stake.total());
        assert_eq!(row.power, record.stake.power(Amount::new(1_000_000)));
        assert_eq!(row.reputation, record.reputation);
        assert_eq!(row.quarantined_until, record.quarantined_until);
        assert_eq!(row.last_performance, record.last_performance);
        assert_eq!(row.reservation, record.reservation);
        assert_eq!(row.slashes as usize, record.offences.len());
        let (jailed_until, exit_matures) = match record.standing {
            Standing::Jailed { until, .. } => (Some(until), None),
            Standing::Exiting { matures } => (None, Some(matures)),
            Standing::Registered
            | Standing::Active
            | Standing::Slashed
            | Standing::Exited
            | Standing::Tombstoned => (None, None),
        };
        assert_eq!((row.jailed_until, row.exit_matures), (jailed_until, exit_matures));
        assert_eq!(row.jail_reason.is_some(), jailed_until.is_some());
        let of_it =
            |(_, fact): &(_, &Fact)| matches!(fact, Fact::Validator(a, _) if *a == row.address);
        assert_eq!(row.version, history.facts().filter(of_it).count() as u64);
    }
}

async fn stakes_are_equal(history: &History, database: &Database) {
    let mut by_delegator: BTreeMap<Address, BTreeMap<Address, Amount>> = BTreeMap::new();
    for (address, validator) in &history.validators {
        let stake = &validator.record().unwrap().stake;
        let bond = delegations::bond(&database.pool, *address).await.unwrap().unwrap();
        assert_eq!(
            (bond.bond, bond.delegated, bond.stake),
            (stake.bond, stake.delegated, stake.total())
        );
        let filter = delegations::Filter::Validator(*address);
        let page = delegations::list(&database.pool, filter, &wide()).await.unwrap();
        let found = page.items.iter().map(|row| (row.delegator, row.delegation));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), stake.delegations);
        assert!(page.items.is_sorted_by(|a, b| a.delegation >= b.delegation));
        let page = delegations::unbondings(&database.pool, filter, &wide()).await.unwrap();
        let found = page.items.iter().map(|row| {
            let (matures, started, delegator) = (row.matures, row.started, row.delegator);
            (domain::validator::Unbonding { matures, started, delegator }, row.amount)
        });
        assert_eq!(found.collect::<BTreeMap<_, _>>(), stake.unbonding);
        for (delegator, amount) in &stake.delegations {
            by_delegator.entry(*delegator).or_default().insert(*address, *amount);
            let row = delegations::get(&database.pool, *address, *delegator).await.unwrap();
            assert_eq!(row.unwrap().delegation, *amount);
        }
    }
    assert!(by_delegator.len() > 3);
    for (delegator, expected) in by_delegator {
        let filter = delegations::Filter::Delegator(delegator);
        let page = delegations::list(&database.pool, filter, &wide()).await.unwrap();
        let found = page.items.iter().map(|row| (row.validator, row.delegation));
        assert_eq!(found.collect::<BTreeMap<_, _>>(), expected);
    }
}

async fn sets_are_equal(history: &History, database: &Database) {
    let rotations = history.facts().filter_map(|(_, fact)| match fact {
        Fact::ValidatorSet(_, SetEvent::ValidatorSetRotated(data)) => Some(data),
        _ => None,
    });
    let rotations: Vec<_> = rotations.collect();
    assert!(rotations.len() > 3);
    let chain: ChainId = "node0-local".parse().unwrap();
    let pool = &database.pool;
    for data in &rotations {
        let row = validator_sets::get(pool, &chain, data.epoch).await.unwrap().unwrap();
        assert_eq!(row.set_hash, data.set_hash);
        assert_eq!(row.total_power, data.total_power);
        assert_eq!((&row.joined, &row.left), (&data.joined, &data.left));
        assert_eq!(row.members as usize, data.members.len());
        let page = validator_sets::members(pool, &chain, data.epoch, &wide()).await.unwrap();
        let members = page.items.iter().map(|m| (m.address, m.power, m.public_key));
        let expected = data.members.iter().map(|m| (m.address, m.power, m.public_key));
        assert!(members.eq(expected));
    }
    let current = validator_sets::current(pool, &chain).await.unwrap().unwrap();
    assert_eq!(current.epoch, rotations.last().unwrap().epoch);
    let list = validator_sets::list(pool, &chain, Order::Oldest, &wide()).await.unwrap();
    let epochs: Vec<_> = rotations.iter().map(|data| data.epoch).take(100).collect();
    assert_eq!(list.items.iter().map(|set| set.epoch).collect::<Vec<_>>(), epochs);
}

async fn chains_are_equal(history: &History, database: &Database) {
    let pool = &database.pool;
    let (stream, last) = history.chains.last_key_value().unwrap();
    let Chain::Observed(observed) = last else { panic!("{last:?}") };
    let row = chains::get(pool, &stream.chain).await.unwrap().unwrap();
    let head = observed.head.as_ref().unwrap();
    assert_eq!(
        (row.height, row.hash, row.time),
        (Some(head.height), Some(head.hash), Some(head.time))
    );
    assert_eq!(row.next_validators_hash, Some(head.next_validators_hash));
    assert_eq!((row.epoch, row.closed), (observed.epoch, observed.closed));
    assert_eq!(row.stream, format!("chain-{stream}"));
    assert!(row.fork.is_none() && row.genesis.is_none());
    let observation = row.observation.unwrap();
    assert_eq!(observation.epoch_headers, observed.epoch_headers);
    assert_eq!(observation.trusting_period_s, observed.trusting_period_s);
    let native: ChainId = "node0-local".parse().unwrap();
    let row = chains::get(pool, &native).await.unwrap().unwrap();
    let data = history.facts().find_map(|(_, fact)| match fact {
        Fact::Chain(_, ChainEvent::GenesisInitialised(data)) => Some(data),
        _ => None,
    });
    let (genesis, data) = (row.genesis.unwrap(), data.unwrap());
    assert_eq!(genesis.genesis_hash, data.genesis_hash);
    assert_eq!(genesis.parameters, data.parameters);
    assert_eq!((genesis.supply, genesis.bonded), (data.supply, data.bonded));
    assert_eq!(genesis.validators as usize, data.validators.len());
    let applied = history.facts().find_map(|(_, fact)| match fact {
        Fact::Chain(_, ChainEvent::BlockApplied(data)) => Some((data.height, data.hash)),
        _ => None,
    });
    assert_eq!(row.height.zip(row.hash), Some(applied.unwrap()));
    let mut schedule = Schedule::new(data.parameters.clone(), &[]);
    for (_, fact) in history.facts() {
        if let Fact::Chain(_, ChainEvent::ParametersScheduled(change)) = fact {
            schedule.set((**change).clone());
        }
    }
    assert_eq!((&row.parameter_changes[..], schedule.changes().len()), (schedule.changes(), 1));
    let forks = chains::forks(pool, &stream.chain, Order::Oldest, &wide()).await.unwrap().items;
    let resolved = history.facts().filter_map(|(step, fact)| match fact {
        Fact::Chain(_, ChainEvent::ForkResolved(data)) => {
            Some((data.height, Some(data.kept), Some(data.reason.clone()), Some(step.at)))
        }
        _ => None,
    });
    let found = forks.into_iter().map(|f| (f.height, f.kept, f.reason, f.resolved_at));
    assert!(found.eq(resolved));
}

async fn headers_are_equal(history: &History, database: &Database) {
    let pool = &database.pool;
    let recorded = history.chains.values().filter_map(|chain| match chain {
        Chain::Observed(observed) => Some(&observed.hashes),
        Chain::Unbegun | Chain::Native(_) => None,
    });
    let recorded: BTreeMap<Height, Hash> =
        recorded.flatten().map(|(height, hash)| (*height, *hash)).collect();
    let chain: ChainId = "example-1".parse().unwrap();
    let mut filter = headers::Filter::of(chain.clone());
    assert_eq!(all_headers(pool, &filter).await, recorded.iter().map(|(h, x)| (*h, *x)).collect());
    let seen = history.facts().filter_map(|(_, fact)| match fact {
        Fact::Chain(_, ChainEvent::HeaderObserved(data)) => Some((data.height, data.hash)),
        Fact::Chain(_, ChainEvent::ForkDetected(data)) => Some((data.height, data.conflicting)),
        _ => None,
    });
    let seen: BTreeSet<(Height, Hash)> = seen.collect();
    filter.state = Some(headers::HeaderState::Abandoned);
    let abandoned: BTreeSet<_> =
        seen.into_iter().filter(|(height, hash)| recorded.get(height) != Some(hash)).collect();
    assert!(abandoned.len() > 3);
    assert_eq!(all_headers(pool, &filter).await, abandoned);
    for (_, fact) in history.facts() {
        let Fact::Chain(_, ChainEvent::HeaderObserved(data)) = fact else { continue };
        let rows = headers::by_hash(pool, data.hash).await.unwrap();
        let [row] = &rows[..] else { panic!("{rows:?}") };
        assert_eq!(
            (row.height, row.time, row.time_nanos),
            (data.height, data.time, data.time_nanos)
        );
        assert_eq!((row.proposer, row.round), (data.proposer, data.round));
        assert_eq!((&row.app_hash, row.data_hash), (&data.app_hash, data.data_hash));
        assert_eq!(row.validators_hash, data.validators_hash);
        assert_eq!(row.next_validators_hash, data.next_validators_hash);
        assert_eq!(
            (row.signed_power, row.total_power),
            (Some(data.signed_power), data.total_power)
        );
    }
    let rejected = history.facts().filter_map(|(_, fact)| match fact {
        Fact::Chain(_, ChainEvent::HeaderRejected(data)) => Some((data.hash, data.reason.clone())),
        _ => None,
    });
    let rows = headers::rejections(pool, &chain, Order::Oldest, &wide()).await.unwrap().items;
    assert!(rows.into_iter().map(|row| (row.hash, row.reason)).eq(rejected));
}

/// Every page of a list.
async fn all_headers(pool: &sqlx::PgPool, filter: &headers::Filter) -> BTreeSet<(Height, Hash)> {
    let mut found = BTreeSet::new();
    let mut page = PageRequest::new(7, None).unwrap();
    loop {
        let rows = headers::list(pool, filter, Order::Newest, &page).await.unwrap();
        found.extend(rows.items.iter().map(|row| (row.height, row.hash)));
        let Some(next) = rows.next else { return found };
        page = PageRequest::new(7, Some(next)).unwrap();
    }
}

async fn histories_are_equal(history: &History, database: &Database) {
    let pool = &database.pool;
    let (mut slashed, mut changed) = (Vec::new(), Vec::new());
    for (position, (_, fact)) in (1..).zip(history.facts()) {
        let Fact::Validator(address, event) = fact else { continue };
        match event {
            ValidatorEvent::ValidatorSlashed(data) => {
                slashed.push((position, *address, data.offence, data.evidence, data.burned));
            }
            ValidatorEvent::ReputationChanged(data) => {
                changed.push((position, *address, Some(data.from), data.to));
            }
            ValidatorEvent::ValidatorRegistered(data) => {
                changed.push((position, *address, None, data.reputation));
            }
            _ => {}
        }
    }
    let filter = slashing_history::Filter::default();
    let rows = slashing_history::list(pool, &filter, Order::Oldest, &wide()).await.unwrap().items;
    let found: Vec<_> =
        rows.iter().map(|r| (r.position, r.address, r.offence, r.evidence, r.burned)).collect();
    assert_eq!(found, slashed[..slashed.len().min(100)]);
    let rows = reputation_history::list(pool, None, Order::Oldest, &wide()).await.unwrap().items;
    let found: Vec<_> = rows.iter().map(|r| (r.position, r.address, r.from, r.to)).collect();
    assert_eq!(found, changed[..changed.len().min(100)]);
}

async fn the_feed_has_every_event_it_follows(history: &History, database: &Database) {
    let followed = |(_, (step, _)): &(usize, (&Step, &Fact))| {
        ["validator", "validator_set", "chain"].contains(&step.stream.category())
    };
    let facts: Vec<_> = history.facts().enumerate().filter(followed).collect();
    let positions: Vec<u64> = facts.iter().map(|(index, _)| *index as u64 + 1).collect();
    let mut rows = activity::by_keys(&database.pool, &positions).await.unwrap();
    rows.sort_by_key(|row| row.position);
    assert_eq!(rows.len(), positions.len());
    for (row, (_, (step, fact))) in rows.iter().zip(facts) {
        assert_eq!(row.stream, step.stream.as_str());
        assert_eq!(row.event_type, fact.name());
        assert_eq!((row.at, row.correlation), (step.at, step.correlation));
        assert_eq!(row.actor, step.actor);
        assert!(row.summary.len() > 10, "{row:?}");
        assert!(step.stream.as_str().contains(&row.subject));
    }
}

/// A flag's row switches what its history switches.
async fn flags_are_equal(history: &History, database: &Database) {
    let rows = flags::list(&database.pool, flags::Filter::default(), &wide()).await.unwrap().items;
    let known = history.beside.flags.iter().filter(|(_, flag)| **flag != Flag::Unknown);
    let expected: Vec<(&Key, &Flag)> = known.collect();
    assert!(!expected.is_empty() && rows.len() == expected.len());
    for (row, (key, flag)) in rows.iter().zip(expected) {
        assert_eq!(row.key, *key);
        assert_eq!(matches!(flag, Flag::Killed), row.standing == FlagStanding::Killed);
        for subject in (0..100).map(|n| format!("who-{n}").parse().unwrap()) {
            assert_eq!(row.is_on(&subject), flag.is_on(key, &subject), "{key} {subject}");
        }
        let alone = flags::get(&database.pool, key).await.unwrap();
        assert_eq!(alone.as_ref(), Some(row));
    }
}

/// Every row of a read model that has one for each aggregate, by id.
async fn rows<R: Row>(database: &Database) -> Vec<R> {
    let rows = keyed::list::<R>(&database.pool, &Filter::default(), &wide()).await.unwrap().items;
    assert!(!rows.is_empty(), "{}", R::NAME);
    rows
}

/// A setting's row has the value in force, what is proposed, and the versions that are kept.
async fn settings_are_equal(history: &History, database: &Database) {
    for row in rows::<settings::Setting>(database).await {
        let setting = &history.beside.settings[&row.key];
        assert_eq!((row.in_force, row.value.as_ref()), (setting.current, setting.value()));
        let proposed = row.proposal.as_ref().map(|open| (open.number, open.approved, &open.value));
        let open = setting.proposal.as_ref();
        assert_eq!(proposed, open.map(|open| (open.number, open.approved, &open.value)));
        for version in &row.history {
            let kept = setting.version(version.number).map(|value| value.cloned());
            assert_eq!(kept, Some(version.value.clone()), "{}", version.number);
        }
        assert!(row.history.len() > 1 && row.history.is_sorted_by(|a, b| a.number > b.number));
    }
}

/// Rules, alerts and objectives stand as their histories say.
async fn what_is_watched_is_equal(history: &History, database: &Database) {
    for row in rows::<alert_rules::AlertRule>(database).await {
        let rule = &history.beside.rules[&row.rule];
        assert_eq!(Some(&row.definition), rule.definition.as_ref());
        assert_eq!(format!("{:?}", row.standing), format!("{:?}", rule.standing));
    }
    for row in rows::<alerts::Alert>(database).await {
        let alert = &history.beside.alerts[&row.alert];
        assert_eq!(format!("{:?}", row.standing), format!("{:?}", alert.standing));
        assert_eq!((row.occurrence, Some(row.severity)), (alert.occurrence, alert.severity));
        assert_eq!(row.silence.map(|silence| silence.until), alert.silenced_until);
        assert!(row.occurrence > 1, "it came again");
    }
    for row in rows::<slos::Slo>(database).await {
        let slo = &history.beside.slos[&row.slo];
        assert_eq!(Some(&row.definition), slo.definition.as_ref());
        assert_eq!(row.state, slo.state);
    }
}

/// Nodes and partitions stand as their histories say.
async fn the_network_is_equal(history: &History, database: &Database) {
    for row in rows::<peers::Peer>(database).await {
        let peer = &history.beside.peers[&row.peer];
        assert_eq!(row.connected_since, peer.connected_since);
        assert_eq!(row.address.as_ref(), peer.announced.as_ref().map(|said| &said.address));
        assert_eq!(row.ban.is_some(), peer.ban.is_some());
    }
    for row in rows::<partitions::Partitions>(database).await {
        let partitions = &history.beside.partitions[&row.chain_id];
        assert_eq!(row.number, partitions.count);
        let open = row.healed_at.is_none().then_some(row.groups);
        assert_eq!(open, partitions.open);
    }
}

/// Each run has the steps that a process did because of its cause, in order.
async fn runs_are_equal(history: &History, database: &Database) {
    let mut expected: BTreeMap<Uuid, Vec<(u64, &str, String)>> = BTreeMap::new();
    for (position, (step, fact)) in (1..).zip(history.facts()) {
        // No process that is followed has to do with these.
        let is_followed = !matches!(
            fact,
            Fact::Configuration(Configured::Flag(..)) | Fact::Monitoring(_) | Fact::Network(_)
        );
        if let Some(cause) = step.causation.filter(|_| is_followed) {
            let told = (position, fact.name(), step.stream.to_string());
            expected.entry(cause).or_default().push(told);
        }
    }
    let pool = &database.pool;
    let runs = process_runs::list(pool, "penalty", Order::Oldest, &wide()).await.unwrap();
    assert!(runs.items.is_sorted_by_key(|run| run.started_position));
    assert_eq!(runs.items.len(), expected.len());
    for run in runs.items {
        let steps = run.steps.iter();
        let steps = steps.map(|one| (one.position, one.event_type.as_str(), one.stream.clone()));
        let told = &expected[&run.cause];
        assert_eq!(steps.collect::<Vec<_>>(), told[..told.len().min(STEPS_SHOWN_MAX)]);
        assert_eq!(run.steps_count, told.len() as u64);
        let alone = process_runs::get(pool, "penalty", run.cause).await.unwrap();
        assert_eq!(alone, Some(run));
    }
}
