//! How rotations become rows.
//!
//! Does not choose members, nor check their order: the event's is the set's.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    validator_set::{self, Event as Happened, ValidatorSetRotated},
    values::ChainId,
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, signed},
    event::{Chunk, Event},
    projection::{ApplyError, Projection},
};

use super::NAME;

/// The projection of validator sets.
#[derive(Clone, Copy, Debug)]
pub struct ValidatorSets;

impl Projection for ValidatorSets {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[validator_set::ValidatorSet::CATEGORY]
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
            sqlx::query!("truncate validator_sets_v1.validator_sets").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

type Rotated<'a> = (&'a Event, &'a ChainId, &'a ValidatorSetRotated);

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let mut sets: BTreeMap<_, Rotated<'_>> = BTreeMap::new();
    for (event, chain, happened) in chunk.validator_sets() {
        match happened {
            Happened::ValidatorSetRotated(data) => {
                sets.insert((chain, data.epoch), (event, chain, data));
            }
        }
    }
    let sets: Vec<Rotated<'_>> = sets.into_values().collect();
    Ok(save(&sets, tx).await?)
}

/// PostgreSQL has no arrays of arrays of different lengths: members travel flat, each with the
/// index of its set, and are gathered there.
async fn save(sets: &[Rotated<'_>], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let mut members = Members::default();
    let mut joined = Addresses::default();
    let mut left = Addresses::default();
    for (index, (_, _, data)) in (1_i32..).zip(sets) {
        for member in &data.members {
            members.sets.push(index);
            members.addresses.push(member.address.as_bytes());
            members.powers.push(signed(member.power.value())?);
            members.public_keys.push(member.public_key.as_bytes());
        }
        joined.sets.extend(data.joined.iter().map(|_| index));
        joined.addresses.extend(data.joined.iter().map(|address| address.as_bytes().as_slice()));
        left.sets.extend(data.left.iter().map(|_| index));
        left.addresses.extend(data.left.iter().map(|address| address.as_bytes().as_slice()));
    }
    let numbers = |of: fn(&Rotated<'_>) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        sets.iter().map(|set| signed(of(set))).collect()
    };
    sqlx::query!(
        r#"with members as (
               select m.set_no, array_agg(m.address order by m.nth) as addresses,
                      array_agg(m.power order by m.nth) as powers,
                      array_agg(m.public_key order by m.nth) as public_keys
                 from unnest($1::integer[], $2::bytea[], $3::bigint[], $4::bytea[])
                          with ordinality m (set_no, address, power, public_key, nth)
                group by m.set_no),
             joined as (
               select j.set_no, array_agg(j.address order by j.nth) as addresses
                 from unnest($5::integer[], $6::bytea[]) with ordinality j (set_no, address, nth)
                group by j.set_no),
             parted as (
               select l.set_no, array_agg(l.address order by l.nth) as addresses
                 from unnest($7::integer[], $8::bytea[]) with ordinality l (set_no, address, nth)
                group by l.set_no)
           insert into validator_sets_v1.validator_sets (
               chain_id, epoch, set_hash, total_power, addresses, powers, public_keys, joined,
               "left", rotated_at, version, position)
           select s.chain_id, s.epoch, s.set_hash, s.total_power, coalesce(m.addresses, '{}'),
                  coalesce(m.powers, '{}'), coalesce(m.public_keys, '{}'),
                  coalesce(j.addresses, '{}'), coalesce(p.addresses, '{}'), s.at, s.version,
                  s.position
             from unnest($9::text[], $10::bigint[], $11::bytea[], $12::bigint[],
                         $13::timestamptz[], $14::bigint[], $15::bigint[]) with ordinality
                      s (chain_id, epoch, set_hash, total_power, at, version, position, set_no)
             left join members m on m.set_no = s.set_no
             left join joined j on j.set_no = s.set_no
             left join parted p on p.set_no = s.set_no"#,
        &members.sets,
        &members.addresses as &[&[u8]],
        &members.powers,
        &members.public_keys as &[&[u8]],
        &joined.sets,
        &joined.addresses as &[&[u8]],
        &left.sets,
        &left.addresses as &[&[u8]],
        &column(sets, |(_, chain, _)| chain.as_str()) as &[&str],
        &numbers(|(_, _, data)| data.epoch.value())?,
        &column(sets, |(_, _, data)| data.set_hash.as_bytes().as_slice()) as &[&[u8]],
        &numbers(|(_, _, data)| data.total_power.value())?,
        &column(sets, |(event, _, _)| DateTime::<Utc>::from(event.at)),
        &numbers(|(event, _, _)| event.version)?,
        &numbers(|(event, _, _)| event.position)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

#[derive(Default)]
struct Members<'a> {
    sets: Vec<i32>,
    addresses: Vec<&'a [u8]>,
    powers: Vec<i64>,
    public_keys: Vec<&'a [u8]>,
}

#[derive(Default)]
struct Addresses<'a> {
    sets: Vec<i32>,
    addresses: Vec<&'a [u8]>,
}
