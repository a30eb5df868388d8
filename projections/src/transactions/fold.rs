//! How transactions become rows: where many come at once, rows are added and never changed.
//!
//! Does not know balances. What waits is kept in step with what blocks executed of each sender.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    chain::{BlockApplied, Chain, Event as OfChain},
    ledger::{Entry, Receipt},
    transaction::{Account, Event as Happened, Payload, TransactionAccepted, TransactionEvicted},
    values::Address,
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, name, signed},
    event::{Chunk, Event, Fact},
    projection::{ApplyError, Projection},
};

use super::NAME;

/// The projection of transactions.
#[derive(Clone, Copy, Debug)]
pub struct Transactions;

impl Projection for Transactions {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Account::CATEGORY, Chain::CATEGORY]
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        async {
            let mut fold = Fold::default();
            for (event, fact) in chunk.facts() {
                fold.take(event, fact)?;
            }
            fold.save(tx).await
        }
        .boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            sqlx::query!(
                "truncate transactions_v1.accepted, transactions_v1.included,
                          transactions_v1.evicted, transactions_v1.waiting,
                          transactions_v1.senders"
            )
            .execute(tx)
            .await?;
            Ok(())
        }
        .boxed()
    }
}

/// A sender and a nonce.
type Place = (Address, u64);

/// What a chunk makes of transactions.
#[derive(Default)]
struct Fold<'a> {
    accepted: BTreeMap<[u8; 32], (&'a Event, &'a TransactionAccepted)>,
    included: Vec<(&'a Event, &'a BlockApplied, usize, &'a Receipt)>,
    evicted: BTreeMap<[u8; 32], (&'a Event, &'a TransactionEvicted)>,
    /// What waits now that did not before.
    waiting: BTreeMap<Place, (&'a Event, &'a TransactionAccepted)>,
    /// What was taken out of what waited before.
    gone: Vec<(Place, [u8; 32])>,
    /// The next nonce of those who sent something that was executed.
    senders: BTreeMap<Address, u64>,
}

impl<'a> Fold<'a> {
    fn take(&mut self, event: &'a Event, fact: &'a Fact) -> Result<(), ApplyError> {
        match fact {
            Fact::Account(sender, Happened::TransactionAccepted(data)) => {
                self.accepted.insert(*data.hash.as_bytes(), (event, data));
                let place = (*sender, data.transaction.envelope().nonce.value());
                self.waiting.insert(place, (event, data));
            }
            Fact::Account(sender, Happened::TransactionEvicted(data)) => {
                let (hash, place) = (*data.hash.as_bytes(), (*sender, data.nonce.value()));
                self.evicted.insert(hash, (event, data));
                self.waiting.retain(|at, (_, held)| *at != place || held.hash != data.hash);
                self.gone.push((place, hash));
            }
            Fact::Chain(_, OfChain::BlockApplied(data)) => self.apply(event, data)?,
            Fact::Account(_, Happened::ReservationMade(_) | Happened::ReservationReleased(_))
            | Fact::Chain(..)
            | Fact::Validator(..)
            | Fact::ValidatorSet(..)
            | Fact::Block(..)
            | Fact::Height(..)
            | Fact::Configuration(_)
            | Fact::Monitoring(_)
            | Fact::Network(_) => {}
        }
        Ok(())
    }

    fn apply(&mut self, event: &'a Event, data: &'a BlockApplied) -> Result<(), ApplyError> {
        let Some(execution) = event.attached()?.execution() else { return Ok(()) };
        let receipts = execution.receipts.iter().enumerate();
        self.included.extend(receipts.map(|(place, receipt)| (event, data, place, receipt)));
        for entry in &execution.changed {
            if let Entry::Account(account) = entry {
                let (sender, next) = (account.address, account.nonce.value());
                self.senders.insert(sender, next);
                let executed: Vec<Place> =
                    self.waiting.range((sender, 0)..(sender, next)).map(|(at, _)| *at).collect();
                for at in executed {
                    self.waiting.remove(&at);
                }
            }
        }
        Ok(())
    }

    async fn save(self, tx: &mut PgConnection) -> Result<(), ApplyError> {
        if !self.accepted.is_empty() {
            save_accepted(&self.accepted.into_values().collect::<Vec<_>>(), tx).await?;
        }
        if !self.included.is_empty() {
            save_included(&self.included, tx).await?;
        }
        if !self.evicted.is_empty() {
            save_evicted(&self.evicted.into_values().collect::<Vec<_>>(), tx).await?;
        }
        if !self.gone.is_empty() {
            take_out(&self.gone, tx).await?;
        }
        if !self.senders.is_empty() {
            save_senders(&self.senders.into_iter().collect::<Vec<_>>(), tx).await?;
        }
        if !self.waiting.is_empty() {
            save_waiting(&self.waiting.into_iter().collect::<Vec<_>>(), tx).await?;
        }
        Ok(())
    }
}

/// Whom a transaction concerns besides its sender.
fn recipient(payload: &Payload) -> Option<Vec<u8>> {
    match payload {
        Payload::Transfer { to, .. } => Some(to.as_bytes().to_vec()),
        Payload::Delegate { validator, .. } | Payload::Undelegate { validator, .. } => {
            Some(validator.as_bytes().to_vec())
        }
        Payload::Bond { .. }
        | Payload::Unbond { .. }
        | Payload::Anchor { .. }
        | Payload::RevokeAnchor { .. } => None,
    }
}

fn length(event: &Event, data: &TransactionAccepted) -> Result<i32, ApplyError> {
    let bytes = i32::try_from(data.transaction.bytes().len());
    bytes.map_err(|_| ApplyError::refused(event, "its length has no column"))
}

/// One that was taken out may be accepted again: then the newer acceptance stands.
async fn save_accepted(
    rows: &[(&Event, &TransactionAccepted)],
    tx: &mut PgConnection,
) -> Result<(), ApplyError> {
    let envelopes = column(rows, |(_, data)| data.transaction.envelope());
    let nonces = envelopes.iter().map(|envelope| signed(envelope.nonce.value()));
    let lengths = rows.iter().map(|(event, data)| length(event, data));
    let positions = rows.iter().map(|(event, _)| signed(event.position));
    let amount = |e: &&domain::transaction::Envelope| e.payload.amount().map(|a| a.to_string());
    sqlx::query!(
        "insert into transactions_v1.accepted (
             hash, sender, nonce, recipient, kind, amount, fee, bytes, replaces, accepted_at,
             position)
         select hash, sender, nonce, recipient, kind, amount::numeric, fee::numeric, bytes,
                replaces, accepted_at, position
           from unnest(
             $1::bytea[], $2::bytea[], $3::bigint[], $4::bytea[], $5::text[], $6::text[],
             $7::text[], $8::integer[], $9::bytea[], $10::timestamptz[], $11::bigint[]) r (
             hash, sender, nonce, recipient, kind, amount, fee, bytes, replaces, accepted_at,
             position)
         on conflict (hash) do update set
             replaces = excluded.replaces, accepted_at = excluded.accepted_at,
             position = excluded.position",
        &column(rows, |(_, data)| data.hash.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |(_, data)| data.transaction.sender().as_bytes().to_vec()),
        &nonces.collect::<Result<Vec<_>, _>>()?,
        &column(&envelopes, |envelope| recipient(&envelope.payload)) as &[Option<Vec<u8>>],
        &column(&envelopes, |envelope| envelope.payload.type_name()) as &[&str],
        &column(&envelopes, amount) as &[Option<String>],
        &column(&envelopes, |envelope| envelope.fee.to_string()),
        &lengths.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(_, data)| data.replaces.map(|hash| hash.as_bytes().to_vec()))
            as &[Option<Vec<u8>>],
        &column(rows, |(event, _)| DateTime::<Utc>::from(event.at)),
        &positions.collect::<Result<Vec<_>, _>>()?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_included(
    rows: &[(&Event, &BlockApplied, usize, &Receipt)],
    tx: &mut PgConnection,
) -> Result<(), ApplyError> {
    let heights = rows.iter().map(|(_, data, ..)| signed(data.height.value()));
    let number = |event: &Event, number: Option<i32>| {
        number.ok_or_else(|| ApplyError::refused(event, "a number has no column"))
    };
    let places = rows.iter().map(|(event, _, place, _)| number(event, (*place).try_into().ok()));
    let codes = rows.iter().map(|(event, .., of)| number(event, of.code().try_into().ok()));
    let failure = |receipt: &Receipt| receipt.failure.as_ref().map(ToString::to_string);
    sqlx::query!(
        "insert into transactions_v1.included (
             height, place, hash, block_hash, code, failure, final_at)
         select * from unnest(
             $1::bigint[], $2::integer[], $3::bytea[], $4::bytea[], $5::integer[], $6::text[],
             $7::timestamptz[])",
        &heights.collect::<Result<Vec<_>, _>>()?,
        &places.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(.., receipt)| receipt.hash.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |(_, data, ..)| data.hash.as_bytes().as_slice()) as &[&[u8]],
        &codes.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(.., receipt)| failure(receipt)) as &[Option<String>],
        &column(rows, |(event, ..)| DateTime::<Utc>::from(event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_evicted(
    rows: &[(&Event, &TransactionEvicted)],
    tx: &mut PgConnection,
) -> Result<(), ApplyError> {
    let reasons = rows.iter().map(|(_, data)| name(&data.reason));
    let positions = rows.iter().map(|(event, _)| signed(event.position));
    sqlx::query!(
        "insert into transactions_v1.evicted (hash, reason, evicted_at, position)
         select * from unnest($1::bytea[], $2::text[], $3::timestamptz[], $4::bigint[])
         on conflict (hash) do update set
             reason = excluded.reason, evicted_at = excluded.evicted_at,
             position = excluded.position",
        &column(rows, |(_, data)| data.hash.as_bytes().as_slice()) as &[&[u8]],
        &reasons.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(event, _)| DateTime::<Utc>::from(event.at)),
        &positions.collect::<Result<Vec<_>, _>>()?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn take_out(rows: &[(Place, [u8; 32])], tx: &mut PgConnection) -> Result<(), ApplyError> {
    let nonces = rows.iter().map(|((_, nonce), _)| signed(*nonce));
    sqlx::query!(
        "delete from transactions_v1.waiting w
          using unnest($1::bytea[], $2::bigint[], $3::bytea[]) g (sender, nonce, hash)
          where w.sender = g.sender and w.nonce = g.nonce and w.hash = g.hash",
        &column(rows, |((sender, _), _)| sender.as_bytes().as_slice()) as &[&[u8]],
        &nonces.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(_, hash)| hash.as_slice()) as &[&[u8]],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What was executed waits no longer, nor does what had its nonce.
async fn save_senders(rows: &[(Address, u64)], tx: &mut PgConnection) -> Result<(), ApplyError> {
    let nonces = rows.iter().map(|(_, nonce)| signed(*nonce));
    sqlx::query!(
        "with executed as (
             select * from unnest($1::bytea[], $2::bigint[]) s (sender, nonce)),
         known as (
             insert into transactions_v1.senders (sender, nonce)
             select sender, nonce from executed
             on conflict (sender) do update set nonce = excluded.nonce)
         delete from transactions_v1.waiting w using executed e
          where w.sender = e.sender and w.nonce < e.nonce",
        &column(rows, |(sender, _)| sender.as_bytes().as_slice()) as &[&[u8]],
        &nonces.collect::<Result<Vec<_>, _>>()?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What a sender's parked key missed may have been executed meanwhile.
async fn save_waiting(
    rows: &[(Place, (&Event, &TransactionAccepted))],
    tx: &mut PgConnection,
) -> Result<(), ApplyError> {
    let nonces = rows.iter().map(|((_, nonce), _)| signed(*nonce));
    let lengths = rows.iter().map(|(_, (event, data))| length(event, data));
    sqlx::query!(
        "insert into transactions_v1.waiting (sender, nonce, hash, fee, bytes, rate, accepted_at)
         select r.sender, r.nonce, r.hash, r.fee::numeric, r.bytes, r.fee::numeric / r.bytes,
                r.accepted_at
           from unnest(
             $1::bytea[], $2::bigint[], $3::bytea[], $4::text[], $5::integer[],
             $6::timestamptz[]) r (sender, nonce, hash, fee, bytes, accepted_at)
           left join transactions_v1.senders s on s.sender = r.sender
          where r.nonce >= coalesce(s.nonce, 0)
         on conflict (sender, nonce) do update set
             hash = excluded.hash, fee = excluded.fee, bytes = excluded.bytes,
             rate = excluded.rate, accepted_at = excluded.accepted_at",
        &column(rows, |((sender, _), _)| sender.as_bytes().as_slice()) as &[&[u8]],
        &nonces.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(_, (_, data))| data.hash.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |(_, (_, data))| data.transaction.envelope().fee.to_string()),
        &lengths.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(_, (event, _))| DateTime::<Utc>::from(event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}
