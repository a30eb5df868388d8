//! How accounts and stakes become rows: of each the newest entry stands.
//!
//! Does not compute: an entry holds what is there now.

use std::collections::BTreeMap;

use domain::{
    aggregate::Aggregate as _,
    chain::{Chain, Event as Happened},
    ledger::Entry,
    values::{Address, Amount},
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, signed},
    event::Chunk,
    projection::{ApplyError, Projection},
};

use super::{NAME, StakeKind};

/// The projection of accounts.
#[derive(Clone, Copy, Debug)]
pub struct Accounts;

impl Projection for Accounts {
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
            sqlx::query!("truncate accounts_v1.accounts, accounts_v1.stakes").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

/// Owner, validator, kind, and the epochs in which it began and is back.
type StakeKey = (Address, Address, StakeKind, u64, u64);

/// What a chunk makes of accounts.
#[derive(Default)]
struct Fold {
    accounts: BTreeMap<Address, (Amount, u64, u64)>,
    stakes: BTreeMap<StakeKey, Amount>,
}

impl Fold {
    fn take(&mut self, entry: &Entry, height: u64) {
        match entry {
            Entry::Account(account) => {
                let row = (account.balance, account.nonce.value(), height);
                self.accounts.insert(account.address, row);
            }
            Entry::Validator(stake) => {
                let key = (stake.address, stake.address, StakeKind::Bond, 0, 0);
                self.stakes.insert(key, stake.bond);
            }
            Entry::Delegation(delegation) => {
                let (owner, validator) = (delegation.delegator, delegation.validator);
                let key = (owner, validator, StakeKind::Delegation, 0, 0);
                self.stakes.insert(key, delegation.amount);
            }
            Entry::Unbonding(leaving) => {
                let owner = leaving.delegator.unwrap_or(leaving.validator);
                let epochs = (leaving.started.value(), leaving.matures.value());
                let key = (owner, leaving.validator, StakeKind::Unbonding, epochs.0, epochs.1);
                self.stakes.insert(key, leaving.amount);
            }
            Entry::Anchor(_) | Entry::Burned(_) => {}
        }
    }
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let mut fold = Fold::default();
    for (event, _, happened) in chunk.chains() {
        let height = match happened {
            Happened::GenesisInitialised(_) => 0,
            Happened::BlockApplied(data) => data.height.value(),
            Happened::ObservationStarted(_)
            | Happened::HeaderObserved(_)
            | Happened::HeaderRejected(_)
            | Happened::ForkDetected(_)
            | Happened::ForkResolved(_)
            | Happened::EpochClosed(_)
            | Happened::EpochOpened(_)
            | Happened::ChainHalted(_)
            | Happened::StateSnapshotCreated(_)
            | Happened::StatePruned(_)
            | Happened::ParametersScheduled(_) => continue,
        };
        event.attached()?.entries().iter().for_each(|entry| fold.take(entry, height));
    }
    if !fold.accounts.is_empty() {
        save_accounts(&fold.accounts.into_iter().collect::<Vec<_>>(), tx).await?;
    }
    if !fold.stakes.is_empty() {
        save_stakes(&fold.stakes.into_iter().collect::<Vec<_>>(), tx).await?;
    }
    Ok(())
}

async fn save_accounts(
    rows: &[(Address, (Amount, u64, u64))],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let nonces = rows.iter().map(|(_, (_, nonce, _))| signed(*nonce));
    let heights = rows.iter().map(|(_, (.., height))| signed(*height));
    sqlx::query!(
        "insert into accounts_v1.accounts (address, balance, nonce, height)
         select address, balance::numeric, nonce, height
           from unnest($1::bytea[], $2::text[], $3::bigint[], $4::bigint[])
                r (address, balance, nonce, height)
         on conflict (address) do update set
             balance = excluded.balance, nonce = excluded.nonce, height = excluded.height",
        &column(rows, |(address, _)| address.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |(_, (balance, ..))| balance.to_string()),
        &nonces.collect::<Result<Vec<_>, _>>()?,
        &heights.collect::<Result<Vec<_>, _>>()?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// A stake of nothing is none.
async fn save_stakes(
    rows: &[(StakeKey, Amount)],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let started = rows.iter().map(|((.., started, _), _)| signed(*started));
    let matures = rows.iter().map(|((.., matures), _)| signed(*matures));
    sqlx::query!(
        "with newest as (
             select owner, validator, kind, started, matures, amount::numeric as amount
               from unnest(
                 $1::bytea[], $2::bytea[], $3::text[], $4::bigint[], $5::bigint[], $6::text[])
                 r (owner, validator, kind, started, matures, amount)),
         gone as (
             delete from accounts_v1.stakes s using newest n
              where n.amount = 0 and s.owner = n.owner and s.validator = n.validator
                and s.kind = n.kind and s.started = n.started and s.matures = n.matures)
         insert into accounts_v1.stakes (owner, validator, kind, started, matures, amount)
         select owner, validator, kind, started, matures, amount from newest where amount > 0
         on conflict (owner, validator, kind, started, matures) do update set
             amount = excluded.amount",
        &column(rows, |((owner, ..), _)| owner.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |((_, validator, ..), _)| validator.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |((_, _, kind, ..), _)| kind.as_str()) as &[&str],
        &started.collect::<Result<Vec<_>, _>>()?,
        &matures.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(_, amount)| amount.to_string()),
    )
    .execute(tx)
    .await?;
    Ok(())
}
