//! How a ledger begins: with a genesis document, or with a snapshot of another.
//!
//! Does not know where either comes from.
//!
//! A snapshot is lines of canonical JSON, each ended by a line feed: first a head with the chain,
//! the height, the parameters and the state root, then every entry in the order of the hashes of
//! their keys. It is the same bytes whoever makes it, and the root in its head is proved by the
//! entries that follow.

use std::{collections::BTreeMap, sync::Arc};

use serde::{Deserialize, Serialize};

use super::{Constants, Entry, Ledger, Staked, follow};
use crate::{
    genesis,
    parameters::{Change, Parameters, Schedule},
    trie::Trie,
    values::{Address, Amount, ChainId, Hash, Height, Nonce},
};

/// What stands in the first line of a snapshot, so that others are told from it.
const FORM: &str = "node0.snapshot/1";

/// Why no ledger can begin with something.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Unusable {
    #[error("the genesis document has {count} faults")]
    GenesisFaulty { count: usize, faults: Vec<genesis::Finding> },
    #[error("the genesis document cannot begin a ledger here: {sentence}")]
    GenesisNotOurs { sentence: String },
    #[error("line {line} of the snapshot: {sentence}")]
    SnapshotMalformed { line: usize, sentence: String },
    #[error("the entries' root is {found}, the snapshot says {said}")]
    RootMismatch { found: Hash, said: Hash },
    #[error("the entries add up to {found}, the snapshot says {said}")]
    SupplyMismatch { found: Amount, said: Amount },
}

/// The first line of a snapshot.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    chain_id: ChainId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    height: Option<Height>,
    initial_height: Height,
    parameters: Parameters,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    parameter_changes: Vec<Change>,
    state_root: Hash,
    supply: Amount,
    v: String,
}

impl Ledger {
    /// The state before the first block, as a genesis document says it.
    pub fn genesis(document: &str) -> Result<Ledger, Unusable> {
        let report = genesis::check(document.as_bytes());
        let Some(genesis) = report.genesis else {
            let (count, faults) = (report.faults_count, report.faults);
            return Err(Unusable::GenesisFaulty { count, faults });
        };
        let ours = genesis.ours.map_err(|sentence| Unusable::GenesisNotOurs { sentence })?;
        let accounts = ours.balances.into_iter().map(|(address, balance)| {
            Entry::Account(super::Account { address, balance, nonce: Nonce::FIRST })
        });
        let mut stakes = BTreeMap::<Address, Staked>::new();
        for bond in ours.bonds {
            let stake = &mut stakes.entry(bond.validator).or_default().stake;
            match bond.delegator {
                None => stake.bond = bond.amount,
                Some(delegator) => stake.set_delegation(delegator, bond.amount),
            }
        }
        let constants = Constants {
            chain_id: genesis.chain_id,
            initial_height: genesis.initial_height,
            supply: ours.supply,
        };
        let nothing = Staked::default();
        let staked = stakes
            .iter()
            .flat_map(|(validator, staked)| super::work::differences(*validator, &nothing, staked));
        let entries: Vec<_> = accounts.chain(staked).collect();
        Ok(Ledger::of(constants, Schedule::new(ours.parameters, &[]), None, entries))
    }

    /// A ledger with these entries.
    fn of(
        constants: Constants,
        schedule: Schedule,
        height: Option<Height>,
        entries: Vec<Entry>,
    ) -> Ledger {
        let mut trie = Trie::new();
        trie.update(entries.iter().map(Entry::change));
        let mut stakes = BTreeMap::new();
        let mut burned = Amount::ZERO;
        for entry in &entries {
            if let Entry::Burned(said) = entry {
                burned = said.amount;
            }
            follow::place(&mut stakes, entry);
        }
        let stakes = Arc::new(stakes);
        let schedule = Arc::new(schedule);
        Ledger { burned, constants: Arc::new(constants), height, schedule, stakes, trie }
    }

    /// The whole state as bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        let head = Head {
            chain_id: self.constants.chain_id.clone(),
            height: self.height,
            initial_height: self.constants.initial_height,
            parameters: self.schedule.genesis().clone(),
            parameter_changes: self.schedule.changes().to_vec(),
            state_root: self.root(),
            supply: self.constants.supply,
            v: FORM.to_owned(),
        };
        let mut bytes = serde_json::to_vec(&head).expect("texts and numbers can always be written");
        bytes.push(b'\n');
        for (_, value) in self.trie.iter() {
            bytes.extend_from_slice(value);
            bytes.push(b'\n');
        }
        bytes
    }

    /// The state that a snapshot holds; its root and its supply are computed anew.
    pub fn restore(snapshot: &[u8]) -> Result<Ledger, Unusable> {
        let malformed = |line: usize, sentence: String| Unusable::SnapshotMalformed {
            line: line + 1,
            sentence,
        };
        let body = snapshot
            .strip_suffix(b"\n")
            .ok_or_else(|| malformed(0, "the last line has no end".to_owned()))?;
        let mut lines = body.split(|byte| *byte == b'\n').enumerate();
        let (_, first) = lines.next().unwrap_or_default();
        let head: Head =
            serde_json::from_slice(first).map_err(|fault| malformed(0, fault.to_string()))?;
        if head.v != FORM {
            return Err(malformed(0, format!("its form is {:?}, not {FORM:?}", head.v)));
        }
        let read = |(line, bytes)| {
            serde_json::from_slice(bytes)
                .map_err(|fault: serde_json::Error| malformed(line, fault.to_string()))
        };
        let entries: Vec<Entry> = lines.map(read).collect::<Result<_, _>>()?;
        let constants = Constants {
            chain_id: head.chain_id,
            initial_height: head.initial_height,
            supply: head.supply,
        };
        let schedule = Schedule::new(head.parameters, &head.parameter_changes);
        let ledger = Ledger::of(constants, schedule, head.height, entries);
        if ledger.root() != head.state_root {
            return Err(Unusable::RootMismatch { found: ledger.root(), said: head.state_root });
        }
        let found = ledger.totals().sum().unwrap_or(Amount::new(u128::MAX));
        if found != head.supply {
            return Err(Unusable::SupplyMismatch { found, said: head.supply });
        }
        Ok(ledger)
    }
}
