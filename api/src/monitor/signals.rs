//! What is measured, when it is asked for.
//!
//! Does not know when a measure is bad.

use domain::monitoring::rule::Signal;
use sqlx::PgPool;

use super::Memory;
use crate::{audit, problem::Problem, rest::processes, server::App};

/// The whole in basis points.
const WHOLE_BPS: u64 = 10_000;
/// The fewest commands of which a part is measured: one of two is no rate.
const COMMANDS_MIN: u64 = 20;

/// What was measured.
pub(super) struct Measure {
    /// The number.
    pub value: u64,
    /// What is to be said of it in place of the number, if there is anything.
    pub detail: Option<String>,
}

/// The measure of a signal; none when there is nothing to measure.
pub(super) async fn measure(
    app: &App,
    memory: &mut Memory,
    signal: Signal,
) -> Result<Option<Measure>, Problem> {
    let value = match signal {
        Signal::AuditDivergences => return audit_divergences(app).await,
        Signal::ConnectedPowerBps => connected_power_bps(app).await?,
        Signal::DiskUsedBps => disk_used_bps(app),
        Signal::Equivocations => number(&app.vital, EQUIVOCATIONS).await?,
        Signal::FinalityLagMs => Some(finality_lag_ms(app).await?),
        Signal::ProjectionLagMs => Some(projection_lag_ms(app).await),
        Signal::RefusalRateBps => refusal_rate_bps(app, memory),
        Signal::ReplicationLagMs => number(&app.vital, REPLICATION_LAG).await?,
        Signal::StuckProcesses => Some(stuck_processes(app).await?),
    };
    Ok(value.map(|value| Measure { value, detail: None }))
}

/// Who said two things, is registered, and was not punished for it yet.
const EQUIVOCATIONS: &str = "select count(*)
    from read.equivocations e join read.validators v on v.address = e.validator
   where not exists (
         select from read.slashing_history s
          where s.address = e.validator and s.height = e.height and s.offence = 'equivocation')";

/// How long ago the slowest replica was where the database is now; none without a replica.
const REPLICATION_LAG: &str = "select (extract(epoch from max(coalesce(replay_lag, '0')))
    * 1000)::bigint from pg_stat_replication";

/// The power of the active validators of a chain, and of those whose node is connected.
const POWER: &str = "select sum(v.power)::bigint,
         (sum(v.power) filter (where p.standing = 'connected'))::bigint
    from read.validators v
    left join read.peers p on p.id = lower(encode(v.address, 'hex'))
   where v.chain_id = $1 and v.standing = 'active'";

/// For how long the oldest waiting transaction has waited.
const OLDEST_WAITING: &str = "select
    (extract(epoch from clock_timestamp() - min(accepted_at)) * 1000)::bigint
    from read.waiting";

async fn number(pool: &PgPool, statement: &'static str) -> Result<Option<u64>, Problem> {
    let found: Option<i64> = sqlx::query_scalar(statement).fetch_one(pool).await?;
    Ok(found.map(|number| u64::try_from(number).unwrap_or(0)))
}

/// How many differences there are between what was signed, what is kept and what is answered, and
/// what the first one is; none where nothing is sealed and nothing is audited.
async fn audit_divergences(app: &App) -> Result<Option<Measure>, Problem> {
    let refused = app.published.as_ref().map(|published| published.seal().refused);
    let audited = audit::first_difference(&app.vital).await?;
    if refused.is_none() && audited.is_none() {
        return Ok(None);
    }
    let (refused, (count, first)) = (refused.flatten(), audited.unwrap_or_default());
    let value = u64::from(refused.is_some()) + count;
    Ok(Some(Measure { value, detail: refused.or(first) }))
}

/// None where no chain of our own has registered validators.
async fn connected_power_bps(app: &App) -> Result<Option<u64>, Problem> {
    let Some(own) = app.commands.own_head().await? else { return Ok(None) };
    let (total, connected): (Option<i64>, Option<i64>) =
        sqlx::query_as(POWER).bind(own.genesis.chain_id.as_str()).fetch_one(&app.vital).await?;
    let total = u64::try_from(total.unwrap_or(0)).unwrap_or(0);
    let connected = u64::try_from(connected.unwrap_or(0)).unwrap_or(0);
    Ok(part_bps(connected, total))
}

/// How far finality is behind: for how long the oldest transaction has waited to be final.
pub(super) async fn finality_lag_ms(app: &App) -> Result<u64, Problem> {
    Ok(number(&app.vital, OLDEST_WAITING).await?.unwrap_or(0))
}

/// How far the slowest read model is behind.
pub(super) async fn projection_lag_ms(app: &App) -> u64 {
    let statuses = app.projections.status().await;
    statuses.iter().map(|status| status.lag_seconds.saturating_mul(1_000)).max().unwrap_or(0)
}

/// None where there were too few commands since the last look.
fn refusal_rate_bps(app: &App, memory: &mut Memory) -> Option<u64> {
    let (commands, refused) = app.answered.commands();
    let (commands_before, refused_before) = memory.commands;
    let since = commands.saturating_sub(commands_before);
    if since < COMMANDS_MIN {
        return None;
    }
    memory.commands = (commands, refused);
    part_bps(refused.saturating_sub(refused_before), since)
}

async fn stuck_processes(app: &App) -> Result<u64, Problem> {
    let statuses = processes::statuses(app).await?;
    let stuck = statuses.iter().filter(|status| status.parked.is_some()).count();
    Ok(u64::try_from(stuck).unwrap_or(u64::MAX))
}

/// None where the data are kept by a database of somebody else.
fn disk_used_bps(app: &App) -> Option<u64> {
    let disk = rustix::fs::statvfs(app.data_folder.as_deref()?).ok()?;
    part_bps(disk.f_blocks.saturating_sub(disk.f_bavail), disk.f_blocks)
}

fn part_bps(part: u64, of: u64) -> Option<u64> {
    part.saturating_mul(WHOLE_BPS).checked_div(of)
}
