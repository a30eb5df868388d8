//! What records mean, decided again: signatures of transactions; of our own chain every height's
//! set and turn, every vote, every commit, every block as a validator judges and executes it; of
//! other chains every commit by its set.
//!
//! Does not believe a verdict, a quorum or a root that is recorded. What events name by its hash
//! must be at hand: a backup has it, and a server serves it.

use std::collections::HashMap;

use agent::chain::Chain;
use domain::{
    block::{self, Body},
    chain::{self, BlockApplied, GenesisInitialised, HeaderObserved},
    light::{SignedHeader, ValidatorSet, verify_commit},
    transaction::{self, Transaction, verify_all},
    validator_set,
    values::{Amount, ChainId, Hash},
};
use event_store::{StoredEvent, history::Line};
use evidence::{Judge, Source};
use projections::event::{Event, Fact};
use serde::Serialize;

use super::records::{self, Records};

/// Sets of another chain that are remembered: the header that one signs comes soon.
const SETS_MAX: usize = 64;

/// What was decided again.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Decided {
    /// Transactions that their senders signed.
    pub transactions: u64,
    /// What was said at heights of our own chain: proposals, votes, commits and what follows.
    pub said: u64,
    /// Blocks of our own chain that were judged, executed, and came to the recorded roots.
    pub blocks: u64,
    /// Headers of other chains whose commit is by their set.
    pub headers: u64,
    /// Headers of other chains whose set is not in the log: they stay undecided.
    pub headers_undecided: u64,
    /// The supply of our own chain, counted anew entry by entry; none without one.
    pub supply: Option<Amount>,
}

/// Decides again what records mean, and whether they are records.
pub struct Semantics {
    records: Records,
    contents: Contents,
    own: Chain,
    others: HashMap<ChainId, Vec<ValidatorSet>>,
    decided: Decided,
}

/// What was made of an entry by itself.
type Read = Result<(Line, Option<Fact>), String>;

impl Semantics {
    /// Decides by what is at hand where the log is.
    pub fn of(source: Source) -> Semantics {
        Semantics {
            records: Records::default(),
            contents: Contents(source),
            own: Chain::default(),
            others: HashMap::new(),
            decided: Decided::default(),
        }
    }

    /// What the records are, and what was decided of them; the sentence says what is wrong with all
    /// of them together.
    pub fn finished(mut self) -> Result<(Records, Decided), String> {
        if let Some(own) = self.own.own() {
            let (counted, supply) = (own.ledger.totals().sum(), own.ledger.supply());
            if counted != Some(supply) {
                return Err(format!("the supply is {counted:?}, and began with {supply}"));
            }
            self.decided.supply = counted;
        }
        Ok((self.records, self.decided))
    }

    fn means(&mut self, fact: Fact) -> Result<(), String> {
        match fact {
            Fact::Account(_, event) => {
                let accepted = matches!(event, transaction::Event::TransactionAccepted(_));
                self.decided.transactions += u64::from(accepted);
                self.own.account(&event);
                Ok(())
            }
            Fact::Block(hash, block::Event::BlockProposed(block)) => {
                if block.block_id.hash != hash || block.header.hash() != hash {
                    return Err(format!("the header of block {hash} is another one"));
                }
                self.own.recorded(*block);
                Ok(())
            }
            Fact::Height(stream, event) if self.own.is(&stream.chain) => {
                self.decided.said += 1;
                self.own.said(&stream, &event, true).map_err(|told| told.to_string())
            }
            Fact::ValidatorSet(chain, validator_set::Event::ValidatorSetRotated(rotated))
                if self.own.is(&chain) =>
            {
                self.own.rotated(&rotated).map_err(|told| told.to_string())
            }
            Fact::Chain(stream, event) => self.chain(&stream.chain, event),
            // Nothing of them was signed by anybody else, or hangs on anything but themselves.
            Fact::Block(..)
            | Fact::Height(..)
            | Fact::ValidatorSet(..)
            | Fact::Validator(..)
            | Fact::Configuration(_)
            | Fact::Monitoring(_)
            | Fact::Network(_) => Ok(()),
        }
    }

    fn chain(&mut self, of: &ChainId, event: chain::Event) -> Result<(), String> {
        match event {
            chain::Event::GenesisInitialised(genesis) if self.own.own().is_none() => {
                self.begins(*genesis)
            }
            chain::Event::ParametersScheduled(change) if self.own.is(of) => {
                self.own.governed(*change);
                Ok(())
            }
            chain::Event::BlockApplied(applied) if self.own.is(of) => self.applied(*applied),
            chain::Event::ObservationStarted(started) => {
                self.remembers(of, started.validator_set);
                Ok(())
            }
            chain::Event::HeaderObserved(header) => self.header(of, *header),
            chain::Event::GenesisInitialised(_)
            | chain::Event::ParametersScheduled(_)
            | chain::Event::BlockApplied(_)
            | chain::Event::HeaderRejected(_)
            | chain::Event::ForkDetected(_)
            | chain::Event::ForkResolved(_)
            | chain::Event::EpochClosed(_)
            | chain::Event::EpochOpened(_)
            | chain::Event::ChainHalted(_)
            | chain::Event::StateSnapshotCreated(_)
            | chain::Event::StatePruned(_) => Ok(()),
        }
    }

    fn begins(&mut self, genesis: GenesisInitialised) -> Result<(), String> {
        let document = self.contents.get(genesis.genesis_hash)?;
        self.own.begin(genesis, &document).map_err(|told| told.to_string())
    }

    fn applied(&mut self, applied: BlockApplied) -> Result<(), String> {
        if let Some(hash) = self.own.missing_body(applied.hash) {
            let body = Body::from_protobuf(&self.contents.get(hash)?);
            let body = body.map_err(|fault| format!("body {hash} cannot be read: {fault}"))?;
            self.own.body(applied.hash, body);
        }
        self.own.applied(applied).map_err(|told| told.to_string())?;
        self.decided.blocks += 1;
        Ok(())
    }

    fn remembers(&mut self, of: &ChainId, set: ValidatorSet) {
        let known = self.others.entry(of.clone()).or_default();
        if known.len() == SETS_MAX {
            known.remove(0);
        }
        known.push(set);
    }

    fn header(&mut self, of: &ChainId, header: HeaderObserved) -> Result<(), String> {
        let signed: SignedHeader =
            header.signed_header.parse().map_err(|fault| format!("the header: {fault}"))?;
        let (hash, height) = (signed.hash(), signed.height());
        if signed.chain_id() != of || hash != header.hash || height != header.height {
            return Err(format!("the header of height {} is another one", header.height));
        }
        let by = signed.validators_hash();
        let known = self.others.get(of).and_then(|sets| sets.iter().find(|set| set.hash() == by));
        match known {
            None => self.decided.headers_undecided += 1,
            Some(set) => {
                let tally = verify_commit(&signed, set);
                let tally = tally.map_err(|fault| format!("the commit of {height}: {fault}"))?;
                if tally.signed != header.signed_power.value() {
                    let signed = tally.signed;
                    return Err(format!("the power that signed height {height} is {signed}"));
                }
                self.decided.headers += 1;
            }
        }
        if let Some(next) = header.next_validator_set {
            self.remembers(of, next);
        }
        Ok(())
    }
}

impl Judge for Semantics {
    type Read = Vec<Read>;

    fn read(entries: &[&[u8]]) -> Self::Read {
        let mut read: Vec<Read> = entries.iter().map(|entry| meaning(entry)).collect();
        let accepted = |(nth, read): (usize, &Read)| match read {
            Ok((_, Some(Fact::Account(_, transaction::Event::TransactionAccepted(accepted))))) => {
                Some((nth, accepted.transaction.clone()))
            }
            Ok(_) | Err(_) => None,
        };
        let (of, transactions): (Vec<usize>, Vec<Transaction>) =
            read.iter().enumerate().filter_map(accepted).unzip();
        for (nth, is_signed) in of.into_iter().zip(verify_all(&transactions)) {
            if !is_signed {
                read[nth] = Err("the transaction is not signed by its sender".to_owned());
            }
        }
        read
    }

    fn judge(&mut self, first: u64, read: Self::Read) -> Result<(), (u64, String)> {
        for (index, read) in (first..).zip(read) {
            let wrong = |because| (index, because);
            let (line, fact) = read.map_err(wrong)?;
            self.records.take(line).map_err(wrong)?;
            fact.map_or(Ok(()), |fact| self.means(fact)).map_err(wrong)?;
        }
        Ok(())
    }
}

fn meaning(entry: &[u8]) -> Read {
    let line = records::read(entry)?;
    let stream = line.stream.parse().map_err(|fault| format!("its stream: {fault}"))?;
    let (version, record) = (line.version, entry.to_vec().into());
    // Where it stands is of no interest here.
    let event = Event::decode(&StoredEvent { position: 0, stream, version, record });
    // What contexts of persons mean is told by their records alone.
    Ok((line, event.fact.ok()))
}

/// What events name by its hash.
struct Contents(Source);

impl Contents {
    /// Waits for it: whoever decides has nothing else to do.
    fn get(&self, hash: Hash) -> Result<Vec<u8>, String> {
        let path = match &self.0 {
            Source::Storage(_) => crate::backup::content_path(hash.as_bytes()),
            Source::Address(..) => format!("../api/v1/blobs/{hash}"),
        };
        let runtime = tokio::runtime::Handle::current();
        let found = tokio::task::block_in_place(|| runtime.block_on(self.0.get(&path)));
        let found = found.map_err(|error| error.to_string())?;
        let found = found.ok_or_else(|| {
            format!(
                "content {hash}, which it names, is not at hand: verify a backup, or an address \
                 with a token that may read blocks"
            )
        })?;
        match Hash::of(&found) == hash {
            true => Ok(found.into()),
            false => Err(format!("content {hash}, which it names, was changed")),
        }
    }
}
