//! How validators' events become rows.
//!
//! Does not compute: events carry the numbers that follow from them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    validator::{
        self, Event as Happened, StandingName, ValidatorJailed, ValidatorRegistered,
        ValidatorSlashed,
    },
    values::{Address, Amount},
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, signed},
    event::{Chunk, Event},
    projection::{ApplyError, Projection},
};

use super::{NAME, read::Stored};

/// The projection of validators.
#[derive(Clone, Copy, Debug)]
pub struct Validators;

impl Projection for Validators {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[validator::Validator::CATEGORY]
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
            sqlx::query!("truncate validators_v1.validators").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let mut rows = load(chunk, tx).await?;
    for (event, address, happened) in chunk.validators() {
        fold(&mut rows, event, address, happened)?;
    }
    save(&rows.into_values().collect::<Vec<_>>(), tx).await?;
    Ok(())
}

/// The rows of all validators in the chunk that have one.
async fn load(
    chunk: &Chunk<'_>,
    tx: &mut PgConnection,
) -> Result<BTreeMap<Address, Stored>, ApplyError> {
    let mut addresses: Vec<Address> = chunk.validators().map(|(_, address, _)| address).collect();
    addresses.sort_unstable();
    addresses.dedup();
    let keys: Vec<Vec<u8>> = addresses.iter().map(|address| address.as_bytes().to_vec()).collect();
    let rows = Stored::load(&keys, tx).await?;
    let rows = rows.into_iter().map(|row| Ok((crate::columns::address(&row.address)?, row)));
    Ok(rows.collect::<Result<_, sqlx::Error>>()?)
}

fn fold(
    rows: &mut BTreeMap<Address, Stored>,
    event: &Event,
    address: Address,
    happened: &Happened,
) -> Result<(), ApplyError> {
    if let Happened::ValidatorRegistered(data) = happened {
        let row = registered(rows.remove(&address), event, data)?;
        rows.insert(address, row);
        return Ok(());
    }
    // What is asked for before there is a validator is no change of one.
    if !rows.contains_key(&address) && is_asked_for(happened) {
        return Ok(());
    }
    let row = rows
        .get_mut(&address)
        .ok_or_else(|| ApplyError::refused(event, "the validator is not registered"))?;
    change(row, event, happened)?;
    row.version = signed(event.version)?;
    row.updated_at = event.at.into();
    row.position = signed(event.position)?;
    Ok(())
}

fn registered(
    earlier: Option<Stored>,
    event: &Event,
    data: &ValidatorRegistered,
) -> Result<Stored, ApplyError> {
    let at: DateTime<Utc> = event.at.into();
    let row = Stored {
        address: data.address.as_bytes().to_vec(),
        chain_id: data.chain_id.to_string(),
        operator: data.operator.to_string(),
        public_key: data.public_key.as_bytes().to_vec(),
        moniker: data.moniker.to_string(),
        website: data.website.as_ref().map(ToString::to_string),
        contact: data.contact.as_ref().map(ToString::to_string),
        commission_bps: data.commission_bps.value().into(),
        standing: StandingName::Registered.as_str().to_owned(),
        bond: data.bond.to_string(),
        delegated: data.stake.less(data.bond).to_string(),
        stake: data.stake.to_string(),
        power: signed(data.power.value())?,
        reputation: data.reputation.into(),
        jail_reason: None,
        jailed_until: None,
        quarantined_until: 0,
        exit_matures: None,
        slashes: 0,
        burned: Amount::ZERO.to_string(),
        last_performance: None,
        proposed: None,
        signed: None,
        missed: None,
        reservation: data.reservation.as_ref().map(ToString::to_string),
        registered_at: at,
        registered_position: signed(event.position)?,
        version: signed(event.version)?,
        updated_at: at,
        position: signed(event.position)?,
    };
    // Penalties and counted duties outlast an exit.
    Ok(match earlier {
        None => row,
        Some(earlier) => Stored {
            quarantined_until: earlier.quarantined_until,
            slashes: earlier.slashes,
            burned: earlier.burned,
            last_performance: earlier.last_performance,
            proposed: earlier.proposed,
            signed: earlier.signed,
            missed: earlier.missed,
            ..row
        },
    })
}

/// Whether it speaks of a registration that was asked for.
fn is_asked_for(happened: &Happened) -> bool {
    matches!(happened, Happened::RegistrationRequested(_) | Happened::RegistrationFailed(_))
}

fn change(row: &mut Stored, event: &Event, happened: &Happened) -> Result<(), ApplyError> {
    match happened {
        Happened::ValidatorRegistered(_)
        | Happened::RegistrationRequested(_)
        | Happened::RegistrationFailed(_) => {}
        Happened::ValidatorDeregistered(data) => {
            row.stand(StandingName::Exited);
            row.bond = Amount::ZERO.to_string();
            row.staked(data.stake, data.power.value())?;
        }
        Happened::ValidatorActivated(data) => {
            row.stand(StandingName::Active);
            row.power = signed(data.power.value())?;
        }
        Happened::ProfileUpdated(data) => {
            row.moniker = data.moniker.to_string();
            row.website = data.website.as_ref().map(ToString::to_string);
            row.contact = data.contact.as_ref().map(ToString::to_string);
        }
        Happened::CommissionSet(data) => row.commission_bps = data.commission_bps.value().into(),
        Happened::StakeBonded(data) => {
            row.bond = data.bond.to_string();
            row.staked(data.stake, data.power.value())?;
        }
        Happened::UnbondingStarted(data) => {
            row.bond = data.bond.to_string();
            row.staked(data.stake, data.power.value())?;
        }
        Happened::DelegationAdded(data) => {
            row.delegations(event, data.stake, data.power.value())?
        }
        Happened::UndelegationStarted(data) => {
            row.delegations(event, data.stake, data.power.value())?;
        }
        Happened::StakeReleased(_) => {}
        Happened::PerformanceRecorded(data) => {
            row.last_performance = Some(signed(data.epoch.value())?);
            row.proposed = Some(data.proposed.into());
            row.signed = Some(data.signed.into());
            row.missed = Some(data.missed.into());
        }
        Happened::ReputationChanged(data) => row.reputation = data.to.into(),
        Happened::ValidatorJailed(data) => row.jailed(data),
        Happened::ValidatorUnjailed(data) => row.stand(data.standing),
        Happened::ValidatorSlashed(data) => row.slashed(data)?,
        Happened::ValidatorTombstoned(_) => row.stand(StandingName::Tombstoned),
        Happened::ExitInitiated(data) => {
            row.stand(StandingName::Exiting);
            row.exit_matures = Some(signed(data.matures.value())?);
        }
        Happened::ValidatorExited(_) => row.stand(StandingName::Exited),
    }
    Ok(())
}

impl Stored {
    /// Takes a standing, and leaves behind what belonged to the one before.
    fn stand(&mut self, standing: StandingName) {
        self.standing = standing.as_str().to_owned();
        self.jail_reason = None;
        self.jailed_until = None;
        self.exit_matures = None;
    }

    fn jailed(&mut self, data: &ValidatorJailed) {
        self.stand(StandingName::Jailed);
        self.jail_reason = Some(data.reason.to_string());
        self.jailed_until = Some(data.until.into());
    }

    fn staked(&mut self, stake: Amount, power: u64) -> Result<(), sqlx::Error> {
        self.stake = stake.to_string();
        self.power = signed(power)?;
        Ok(())
    }

    /// Delegations changed, the own bond did not.
    fn delegations(&mut self, event: &Event, stake: Amount, power: u64) -> Result<(), ApplyError> {
        let bond: Amount = crate::columns::parsed(&self.bond)?;
        let delegated = stake.minus(bond);
        let delegated = delegated.ok_or_else(|| {
            ApplyError::refused(event, format!("stake {stake} is less than own bond {bond}"))
        })?;
        self.delegated = delegated.to_string();
        self.staked(stake, power)?;
        Ok(())
    }

    fn slashed(&mut self, data: &ValidatorSlashed) -> Result<(), sqlx::Error> {
        self.stand(StandingName::Slashed);
        self.bond = data.bond.to_string();
        self.delegated = data.delegated.to_string();
        self.staked(data.stake, data.power.value())?;
        let until = signed(data.quarantined_until.value())?;
        self.quarantined_until = self.quarantined_until.max(until);
        self.slashes += 1;
        let burned: Amount = crate::columns::parsed(&self.burned)?;
        self.burned = burned.and(data.burned).to_string();
        Ok(())
    }
}

async fn save(rows: &[Stored], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into validators_v1.validators (
             address, chain_id, operator, public_key, moniker, website, contact, commission_bps,
             standing, bond, delegated, stake, power, reputation, jail_reason, jailed_until,
             quarantined_until, exit_matures, slashes, burned, last_performance, proposed, signed,
             missed, reservation, registered_at, registered_position, version, updated_at, position)
         select * from unnest(
             $1::bytea[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::text[],
             $8::integer[], $9::text[], $10::text[]::numeric[], $11::text[]::numeric[],
             $12::text[]::numeric[], $13::bigint[], $14::bigint[], $15::text[], $16::timestamptz[],
             $17::bigint[], $18::bigint[], $19::bigint[], $20::text[]::numeric[], $21::bigint[],
             $22::bigint[], $23::bigint[], $24::bigint[], $25::text[], $26::timestamptz[],
             $27::bigint[], $28::bigint[], $29::timestamptz[], $30::bigint[])
         on conflict on constraint validators_address do update set
             chain_id = excluded.chain_id, operator = excluded.operator,
             public_key = excluded.public_key, moniker = excluded.moniker,
             website = excluded.website, contact = excluded.contact,
             commission_bps = excluded.commission_bps, standing = excluded.standing,
             bond = excluded.bond, delegated = excluded.delegated, stake = excluded.stake,
             power = excluded.power, reputation = excluded.reputation,
             jail_reason = excluded.jail_reason, jailed_until = excluded.jailed_until,
             quarantined_until = excluded.quarantined_until, exit_matures = excluded.exit_matures,
             slashes = excluded.slashes, burned = excluded.burned,
             last_performance = excluded.last_performance, proposed = excluded.proposed,
             signed = excluded.signed, missed = excluded.missed, reservation = excluded.reservation,
             registered_at = excluded.registered_at,
             registered_position = excluded.registered_position, version = excluded.version,
             updated_at = excluded.updated_at, position = excluded.position",
        &column(rows, |row| row.address.as_slice()) as &[&[u8]],
        &column(rows, |row| row.chain_id.as_str()) as &[&str],
        &column(rows, |row| row.operator.as_str()) as &[&str],
        &column(rows, |row| row.public_key.as_slice()) as &[&[u8]],
        &column(rows, |row| row.moniker.as_str()) as &[&str],
        &column(rows, |row| row.website.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.contact.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.commission_bps),
        &column(rows, |row| row.standing.as_str()) as &[&str],
        &column(rows, |row| row.bond.as_str()) as &[&str],
        &column(rows, |row| row.delegated.as_str()) as &[&str],
        &column(rows, |row| row.stake.as_str()) as &[&str],
        &column(rows, |row| row.power),
        &column(rows, |row| row.reputation),
        &column(rows, |row| row.jail_reason.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.jailed_until) as &[Option<DateTime<Utc>>],
        &column(rows, |row| row.quarantined_until),
        &column(rows, |row| row.exit_matures) as &[Option<i64>],
        &column(rows, |row| row.slashes),
        &column(rows, |row| row.burned.as_str()) as &[&str],
        &column(rows, |row| row.last_performance) as &[Option<i64>],
        &column(rows, |row| row.proposed) as &[Option<i64>],
        &column(rows, |row| row.signed) as &[Option<i64>],
        &column(rows, |row| row.missed) as &[Option<i64>],
        &column(rows, |row| row.reservation.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.registered_at),
        &column(rows, |row| row.registered_position),
        &column(rows, |row| row.version),
        &column(rows, |row| row.updated_at),
        &column(rows, |row| row.position),
    )
    .execute(tx)
    .await?;
    Ok(())
}
