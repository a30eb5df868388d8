//! State history: at which events the state of our own chain changed. Of every account, stake and
//! anchor, of every block, and of the chain itself, the positions of those that say what became of
//! it.
//!
//! Does not know what it was: the events at those positions do. By them the past of one thing is
//! folded from a few blocks, however long the chain is.

use domain::{
    aggregate::{Aggregate as _, Event as _},
    chain::{Chain, Event as Happened},
    ledger::Entry,
    values::{Address, ChainId, Hash},
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::{PgConnection, PgPool};

use crate::{
    accounts::StakeKind,
    columns::{column, signed, unsigned},
    event::Chunk,
    projection::{ApplyError, Projection},
    read::ReadError,
};

/// The projection's name.
pub const NAME: &str = "state_history";

/// What has a history in the state of our own chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Thing {
    /// The chain.
    Chain(ChainId),
    /// What an account can spend, and its nonce.
    Account(Address),
    /// The same, and all that it ever had at stake.
    AccountWithStakes(Address),
    /// A notarised document, by its transaction.
    Anchor(Hash),
    /// A block that was executed.
    Block(Hash),
}

impl Thing {
    /// Whether an entry of the state says what it is.
    pub(crate) fn has(&self, entry: &Entry) -> bool {
        let (mine, with_parts) = self.subject();
        part(entry).is_some_and(|(of, part)| of == mine && (with_parts || part.is_empty()))
    }

    /// Whose changes say what it is, and whether those of all its parts do.
    fn subject(&self) -> (Vec<u8>, bool) {
        match self {
            Thing::Chain(chain) => (subject_of(chain), true),
            Thing::Account(address) => (address.as_bytes().to_vec(), false),
            Thing::AccountWithStakes(address) => (address.as_bytes().to_vec(), true),
            Thing::Anchor(hash) | Thing::Block(hash) => (hash.as_bytes().to_vec(), false),
        }
    }
}

/// The projection of the state's history.
#[derive(Clone, Copy, Debug)]
pub struct StateHistory;

impl Projection for StateHistory {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Chain::CATEGORY]
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        apply(chunk, tx).boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            sqlx::query("truncate state_history_v1.changes").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

/// A subject, which part of it, and where it changed.
type Change = (Vec<u8>, Vec<u8>, i64);

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let mut changes: Vec<Change> = Vec::new();
    for (event, stream, happened) in chunk.chains() {
        let position = signed(event.position)?;
        let of_chain = part_of_chain(happened, event.position);
        changes.extend(of_chain.map(|part| (subject_of(&stream.chain), part, position)));
        if let Happened::BlockApplied(data) = happened {
            changes.push((data.hash.as_bytes().to_vec(), Vec::new(), position));
        }
        if event.attachment.is_some() {
            let parts = event.attached()?.entries().iter().filter_map(part);
            changes.extend(parts.map(|(subject, part)| (subject, part, position)));
        }
    }
    if changes.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "insert into state_history_v1.changes (subject, part, position)
         select * from unnest($1::bytea[], $2::bytea[], $3::bigint[])",
    )
    .bind(column(&changes, |(subject, ..)| subject.as_slice()))
    .bind(column(&changes, |(_, part, _)| part.as_slice()))
    .bind(column(&changes, |(.., position)| *position))
    .execute(tx)
    .await?;
    Ok(())
}

fn subject_of(chain: &ChainId) -> Vec<u8> {
    format!("{}-{chain}", Chain::CATEGORY).into_bytes()
}

/// What an event of our own chain says of it: the newest of each type does, and each change of the
/// parameters. Another chain is known from all that was observed.
fn part_of_chain(happened: &Happened, position: u64) -> Option<Vec<u8>> {
    let name = happened.name().as_bytes();
    match happened {
        Happened::GenesisInitialised(_)
        | Happened::BlockApplied(_)
        | Happened::EpochClosed(_)
        | Happened::EpochOpened(_)
        | Happened::ChainHalted(_)
        | Happened::StateSnapshotCreated(_)
        | Happened::StatePruned(_) => Some(name.to_vec()),
        Happened::ParametersScheduled(_) => Some([name, &position.to_be_bytes()].concat()),
        Happened::ObservationStarted(_)
        | Happened::HeaderObserved(_)
        | Happened::HeaderRejected(_)
        | Happened::ForkDetected(_)
        | Happened::ForkResolved(_) => None,
    }
}

/// Whose an entry of the state is, and which of theirs.
fn part(entry: &Entry) -> Option<(Vec<u8>, Vec<u8>)> {
    let (subject, part) = match entry {
        Entry::Account(account) => (account.address, Vec::new()),
        Entry::Validator(stake) => (stake.address, staked(StakeKind::Bond, stake.address, [0, 0])),
        Entry::Delegation(stake) => {
            (stake.delegator, staked(StakeKind::Delegation, stake.validator, [0, 0]))
        }
        Entry::Unbonding(stake) => {
            let epochs = [stake.started.value(), stake.matures.value()];
            let owner = stake.delegator.unwrap_or(stake.validator);
            (owner, staked(StakeKind::Unbonding, stake.validator, epochs))
        }
        Entry::Anchor(anchor) => return Some((anchor.transaction.as_bytes().to_vec(), Vec::new())),
        Entry::Burned(_) => return None,
    };
    Some((subject.as_bytes().to_vec(), part))
}

/// Which of an account's stakes: its kind, the validator, and the epochs of what is leaving.
fn staked(kind: StakeKind, validator: Address, epochs: [u64; 2]) -> Vec<u8> {
    let kind = kind.as_str().as_bytes();
    [kind, validator.as_bytes(), &epochs[0].to_be_bytes(), &epochs[1].to_be_bytes()].concat()
}

/// The events, as far as this position, that say what a thing was then: of each part of it the last
/// one. Goes from part to part by the index: what changed in every block costs no more than others.
pub async fn positions(pool: &PgPool, thing: &Thing, until: u64) -> Result<Vec<u64>, ReadError> {
    let (subject, with_parts) = thing.subject();
    let positions: Vec<i64> = sqlx::query_scalar(
        "with recursive parts (part) as (
             select ''::bytea
             union all
             select next.part from parts p cross join lateral (
                 select c.part from read.state_changes c
                  where $2 and c.subject = $1 and c.part > p.part
                  order by c.part limit 1) next)
         select n.position from parts p cross join lateral (
             select c.position from read.state_changes c
              where c.subject = $1 and c.part = p.part and c.position <= $3
              order by c.position desc limit 1) n",
    )
    .bind(subject)
    .bind(with_parts)
    .bind(signed(until)?)
    .fetch_all(pool)
    .await?;
    Ok(positions.into_iter().map(unsigned).collect())
}
