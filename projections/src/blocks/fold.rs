//! How blocks become rows.
//!
//! Does not execute: what a block came to is attached to the event that says so.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    aggregate::Aggregate as _,
    block::{Block, BlockProposed, Event as Happened},
    chain::{BlockApplied, Chain, Event as OfChain},
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, signed},
    event::{Chunk, Event, Fact},
    projection::{ApplyError, Projection},
};

use super::{BlockState, NAME, read::Stored};

/// The projection of blocks.
#[derive(Clone, Copy, Debug)]
pub struct Blocks;

impl Projection for Blocks {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Block::CATEGORY, Chain::CATEGORY]
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
            sqlx::query!("truncate blocks_v1.blocks").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

/// What an event does to the row of a block.
enum Change<'a> {
    Happened(&'a Happened),
    Applied(&'a BlockApplied),
}

/// The blocks that a chunk is about, in order.
fn changes<'a>(chunk: &Chunk<'a>) -> Vec<(&'a Event, Vec<u8>, Change<'a>)> {
    let change = |(event, fact): (&'a Event, &'a Fact)| match fact {
        Fact::Block(hash, happened) => {
            Some((event, hash.as_bytes().to_vec(), Change::Happened(happened)))
        }
        Fact::Chain(_, OfChain::BlockApplied(data)) => {
            Some((event, data.hash.as_bytes().to_vec(), Change::Applied(data)))
        }
        Fact::Chain(..)
        | Fact::Validator(..)
        | Fact::ValidatorSet(..)
        | Fact::Account(..)
        | Fact::Height(..)
        | Fact::Configuration(_)
        | Fact::Monitoring(_)
        | Fact::Network(_) => None,
    };
    chunk.facts().filter_map(change).collect()
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let changes = changes(chunk);
    if changes.is_empty() {
        return Ok(());
    }
    let mut rows = load(&changes, tx).await?;
    for (event, hash, change) in &changes {
        if let Change::Happened(Happened::BlockProposed(data)) = change {
            rows.insert(hash.clone(), proposed(event, data)?);
            continue;
        }
        let row = rows.get_mut(hash);
        let row = row.ok_or_else(|| ApplyError::refused(event, "the block is not recorded"))?;
        match change {
            Change::Happened(happened) => happens(row, event, happened)?,
            Change::Applied(data) => applied(row, event, data)?,
        }
    }
    save(&rows.into_values().collect::<Vec<_>>(), tx).await?;
    Ok(())
}

/// The rows that are there already.
async fn load(
    changes: &[(&Event, Vec<u8>, Change<'_>)],
    tx: &mut PgConnection,
) -> Result<BTreeMap<Vec<u8>, Stored>, sqlx::Error> {
    let hashes: BTreeSet<&[u8]> = changes.iter().map(|(_, hash, _)| hash.as_slice()).collect();
    let rows = sqlx::query_as!(
        Stored,
        r#"select hash, chain_id, height, state, "time", proposer, transactions, evidence, body,
                  body_bytes, app_hash, last_block_hash, validators_hash, next_validators_hash,
                  proposed_at, faults, round, signed_power, total_power, finalized_at, state_root,
                  receipts_root, failed, fees::text, applied_at, position
             from blocks_v1.blocks where hash = any ($1)"#,
        &hashes.into_iter().collect::<Vec<_>>() as &[&[u8]],
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.hash.clone(), row)).collect())
}

fn small(event: &Event, number: u32) -> Result<i32, ApplyError> {
    i32::try_from(number).map_err(|_| ApplyError::refused(event, "a count has no column"))
}

fn proposed(event: &Event, data: &BlockProposed) -> Result<Stored, ApplyError> {
    let header = &data.header;
    let last = header.last_block_id().map(|id| id.hash.as_bytes().to_vec());
    Ok(Stored {
        hash: data.block_id.hash.as_bytes().to_vec(),
        chain_id: data.chain_id.to_string(),
        height: signed(data.height.value())?,
        state: BlockState::Proposed.as_str().to_owned(),
        time: data.time.into(),
        proposer: data.proposer.as_bytes().to_vec(),
        transactions: small(event, data.transactions)?,
        evidence: small(event, data.evidence)?,
        body: data.body.as_bytes().to_vec(),
        body_bytes: small(event, data.body_bytes)?,
        app_hash: header.app_hash().as_bytes().to_vec(),
        last_block_hash: last,
        validators_hash: header.validators_hash().as_bytes().to_vec(),
        next_validators_hash: header.next_validators_hash().as_bytes().to_vec(),
        proposed_at: event.at.into(),
        faults: serde_json::Value::Array(Vec::new()),
        round: None,
        signed_power: None,
        total_power: None,
        finalized_at: None,
        state_root: None,
        receipts_root: None,
        failed: None,
        fees: None,
        applied_at: None,
        position: signed(event.position)?,
    })
}

fn happens(row: &mut Stored, event: &Event, happened: &Happened) -> Result<(), ApplyError> {
    let state = match happened {
        Happened::BlockProposed(_) | Happened::BlockValidated(_) => BlockState::Valid,
        Happened::BlockRejected(data) => {
            row.faults = data.faults.iter().map(ToString::to_string).collect();
            BlockState::Rejected
        }
        Happened::BlockFinalized(data) => {
            row.round = Some(small(event, data.round.value())?);
            row.signed_power = Some(signed(data.signed_power.value())?);
            row.total_power = Some(signed(data.total_power.value())?);
            row.finalized_at = Some(event.at.into());
            BlockState::Final
        }
        Happened::BlockAbandoned(_) => BlockState::Abandoned,
    };
    row.state = state.as_str().to_owned();
    Ok(())
}

fn applied(row: &mut Stored, event: &Event, data: &BlockApplied) -> Result<(), ApplyError> {
    let execution = event.attached()?.execution();
    let execution = execution.ok_or_else(|| ApplyError::refused(event, "it came to nothing"))?;
    let failed = execution.receipts.iter().filter(|receipt| receipt.failure.is_some()).count();
    row.state_root = Some(data.state_root.as_bytes().to_vec());
    row.receipts_root = Some(data.receipts_root.as_bytes().to_vec());
    row.failed = Some(small(event, u32::try_from(failed).unwrap_or(u32::MAX))?);
    row.fees = Some(execution.fees.to_string());
    row.applied_at = Some(event.at.into());
    Ok(())
}

async fn save(rows: &[Stored], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"insert into blocks_v1.blocks (
             hash, chain_id, height, state, "time", proposer, transactions, evidence, body,
             body_bytes, app_hash, last_block_hash, validators_hash, next_validators_hash,
             proposed_at, faults, round, signed_power, total_power, finalized_at, state_root,
             receipts_root, failed, fees, applied_at, position)
         select hash, chain_id, height, state, "time", proposer, transactions, evidence, body,
                body_bytes, app_hash, last_block_hash, validators_hash, next_validators_hash,
                proposed_at, faults, round, signed_power, total_power, finalized_at, state_root,
                receipts_root, failed, fees::numeric, applied_at, position
           from unnest(
             $1::bytea[], $2::text[], $3::bigint[], $4::text[], $5::timestamptz[], $6::bytea[],
             $7::integer[], $8::integer[], $9::bytea[], $10::integer[], $11::bytea[], $12::bytea[],
             $13::bytea[], $14::bytea[], $15::timestamptz[], $16::jsonb[], $17::integer[],
             $18::bigint[], $19::bigint[], $20::timestamptz[], $21::bytea[], $22::bytea[],
             $23::integer[], $24::text[], $25::timestamptz[], $26::bigint[]) r (
             hash, chain_id, height, state, "time", proposer, transactions, evidence, body,
             body_bytes, app_hash, last_block_hash, validators_hash, next_validators_hash,
             proposed_at, faults, round, signed_power, total_power, finalized_at, state_root,
             receipts_root, failed, fees, applied_at, position)
         on conflict (hash) do update set
             state = excluded.state, faults = excluded.faults, round = excluded.round,
             signed_power = excluded.signed_power, total_power = excluded.total_power,
             finalized_at = excluded.finalized_at, state_root = excluded.state_root,
             receipts_root = excluded.receipts_root, failed = excluded.failed,
             fees = excluded.fees, applied_at = excluded.applied_at"#,
        &column(rows, |row| row.hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.chain_id.as_str()) as &[&str],
        &column(rows, |row| row.height),
        &column(rows, |row| row.state.as_str()) as &[&str],
        &column(rows, |row| row.time),
        &column(rows, |row| row.proposer.as_slice()) as &[&[u8]],
        &column(rows, |row| row.transactions),
        &column(rows, |row| row.evidence),
        &column(rows, |row| row.body.as_slice()) as &[&[u8]],
        &column(rows, |row| row.body_bytes),
        &column(rows, |row| row.app_hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.last_block_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.validators_hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.next_validators_hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.proposed_at),
        &column(rows, |row| row.faults.clone()),
        &column(rows, |row| row.round) as &[Option<i32>],
        &column(rows, |row| row.signed_power) as &[Option<i64>],
        &column(rows, |row| row.total_power) as &[Option<i64>],
        &column(rows, |row| row.finalized_at) as &[Option<chrono::DateTime<chrono::Utc>>],
        &column(rows, |row| row.state_root.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.receipts_root.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.failed) as &[Option<i32>],
        &column(rows, |row| row.fees.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.applied_at) as &[Option<chrono::DateTime<chrono::Utc>>],
        &column(rows, |row| row.position),
    )
    .execute(tx)
    .await?;
    Ok(())
}
