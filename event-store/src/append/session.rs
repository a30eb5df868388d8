//! Session: the appender's connections, and the statements it runs on them.
//!
//! Knows no request and no stream name's meaning. All connections of a session live and die
//! together: numbers of new streams are committed without waiting for the disk (the events that use
//! them wait, and the WAL is written in order), so a crash of the server may forget a number. Every
//! crash ends every connection, and with the session goes all that was remembered. This needs
//! connections that are sessions of the server: a pooler in transaction mode would hide a crash,
//! and is not supported.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::AbortHandle;
use tokio::time::timeout;
use tokio_postgres::config::SslMode;
use tokio_postgres::{Client, Config, NoTls, Statement};
use uuid::Uuid;

use crate::error::StoreError;
use crate::read::from_bigint;
use crate::store::StoreOptions;

/// A transaction that has gone quiet gives the head row back after this time, whatever became of
/// us.
const IDLE_IN_TRANSACTION_MS: u64 = 5_000;
/// How long the head row's lock is waited for by who locks first.
const LOCK_MS_MAX: u64 = 10_000;

/// Moves the head and inserts from where it was, in one statement. Arrays of equal length, one a
/// column.
const AT_HEAD: &str = "
with turn as (
    update head set position = position + $1
     where one and incarnation = $2 and fence = $3
    returning position - $1 as before
)
insert into events (position, stream_no, version, command, digest, record)
select turn.before + e.nth, e.stream_no, e.version, e.command, e.digest, e.record
  from turn, unnest($4::bigint[], $5::bigint[], $6::uuid[], $7::uuid[], $8::bytea[])
       with ordinality as e (stream_no, version, command, digest, record, nth)
returning position";

/// The same for one event: a lone caller feels the difference.
const ONE_AT_HEAD: &str = "
with turn as (
    update head set position = position + 1
     where one and incarnation = $1 and fence = $2
    returning position
)
insert into events (position, stream_no, version, command, digest, record)
select turn.position, $3, $4, $5, $6, $7 from turn
returning position";

/// What either of them asks of each row beside, when the log has an archive (migration 0065).
const NOT_ARCHIVED: &str = ", refuse_archived(stream_no, version, command)";

const COPY: &str = "copy events (position, stream_no, version, command, digest, record) \
                    from stdin (format binary)";

const REFUSE_ARCHIVED: &str = "select refuse_archived($1::bigint[], $2::bigint[], $3::uuid[])";

const CHECKED: &str = "select outcomes, first_position, actual from append_checked(\
                       $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";

const NEW_STREAMS: &str = "
insert into streams (stream) select n.stream from unnest($1::text[]) as n (stream) order by n.stream
on conflict (stream) do nothing
returning stream, no";

const FIND_STREAMS: &str = "
select s.stream, s.no,
       coalesce((select e.version from events e where e.stream_no = s.no
                  order by e.version desc limit 1),
                (select a.last_version from archived_streams a where a.stream_no = s.no
                  order by a.last_version desc limit 1), 0) as version
  from streams s where s.stream = any ($1)";

const FIND_COMMANDS: &str = "
select e.command, e.digest from events e
 where e.command = any ($1) and e.command is not null
 union all
select r.command, r.digest from archived_requests r where r.command = any ($1)";

/// The head row, and whether anything was ever archived: the fence goes up when that changes, so
/// that whoever names the present one knows.
const HEAD: &str = "select position, incarnation, fence, exists (select from archives) from head";

/// A connection that ends with its owner, whatever the server may be doing with it.
pub(super) struct Link {
    pub client: Client,
    task: AbortHandle,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A connection on which batches are written.
pub(super) struct Lane {
    pub link: Link,
    pub at_head: Statement,
    pub one_at_head: Statement,
    pub at_head_with_archive: Statement,
    pub one_at_head_with_archive: Statement,
    pub copy: Statement,
    pub advance: Statement,
    pub refuse_archived: Statement,
    pub checked: Statement,
}

/// The connection on which questions are asked meanwhile.
pub(super) struct Desk {
    pub link: Link,
    pub new_streams: Statement,
    pub find_streams: Statement,
    pub find_commands: Statement,
    head: Statement,
}

/// Where the head row was when last seen.
#[derive(Clone, Copy, Debug)]
pub(super) struct Seen {
    pub position: u64,
    pub fence: i64,
    /// Whether events were moved away whose versions and commands the table alone does not refuse
    /// any more.
    pub has_archive: bool,
}

pub(super) struct Session {
    pub lanes: [Arc<Lane>; 2],
    pub desk: Arc<Desk>,
}

/// How the appender reaches the database.
#[derive(Clone)]
pub(super) struct Address {
    config: Config,
    connect_ms_max: u64,
    statement_ms_max: u64,
}

impl Address {
    pub(super) fn of(options: &StoreOptions) -> Result<Address, StoreError> {
        // The driver's own words could repeat the URL, and with it a password.
        let mut config: Config = options.database_url.parse().map_err(|_| {
            StoreError::Settings("the database URL cannot be read by the appender".to_owned())
        })?;
        if config.get_user().is_none() {
            config.user(std::env::var("PGUSER").unwrap_or_else(|_| "postgres".to_owned()));
        }
        if config.get_password().is_none()
            && let Ok(password) = std::env::var("PGPASSWORD")
        {
            config.password(password);
        }
        config
            .application_name("node0 append")
            .ssl_mode(SslMode::Disable)
            .connect_timeout(Duration::from_millis(options.connect_ms_max))
            .keepalives_idle(Duration::from_secs(5))
            .keepalives_interval(Duration::from_secs(2))
            .keepalives_retries(3)
            .tcp_user_timeout(Duration::from_millis(options.commit_ms_max));
        Ok(Address {
            config,
            connect_ms_max: options.connect_ms_max,
            statement_ms_max: options.commit_ms_max,
        })
    }

    /// A connection with the settings that every statement of the appender relies on.
    pub(super) async fn connect(&self) -> Result<Link, StoreError> {
        let waited_ms = self.connect_ms_max;
        let making = async {
            let (client, connection) = self.config.connect(NoTls).await?;
            let running = tokio::spawn(async move {
                // Whoever waits for an answer gets this error too, and does something about it.
                if let Err(error) = connection.await {
                    tracing::debug!(%error, "a connection of the appender ended");
                }
            });
            let link = Link { client, task: running.abort_handle() };
            link.client.batch_execute(&settings(self.statement_ms_max)).await?;
            Ok::<_, StoreError>(link)
        };
        timeout(Duration::from_millis(waited_ms), making)
            .await
            .unwrap_or(Err(StoreError::Timeout { waited_ms }))
    }

    pub(super) async fn open(&self) -> Result<Session, StoreError> {
        let (first, second, desk) =
            futures::future::try_join3(self.lane(), self.lane(), self.desk()).await?;
        Ok(Session { lanes: [Arc::new(first), Arc::new(second)], desk: Arc::new(desk) })
    }

    async fn lane(&self) -> Result<Lane, StoreError> {
        let link = self.connect().await?;
        let client = &link.client;
        let with_archive = [AT_HEAD, ONE_AT_HEAD].map(|one| format!("{one}{NOT_ARCHIVED}"));
        let statements = [
            AT_HEAD,
            ONE_AT_HEAD,
            &with_archive[0],
            &with_archive[1],
            COPY,
            "select advance_head($1, $2, $3, $4)",
            REFUSE_ARCHIVED,
            CHECKED,
        ];
        // All are sent before the first is answered.
        let prepared = statements.map(|statement| client.prepare(statement));
        let mut prepared = futures::future::try_join_all(prepared).await?.into_iter();
        let mut next = || prepared.next().expect("one for each statement");
        Ok(Lane {
            at_head: next(),
            one_at_head: next(),
            at_head_with_archive: next(),
            one_at_head_with_archive: next(),
            copy: next(),
            advance: next(),
            refuse_archived: next(),
            checked: next(),
            link,
        })
    }

    async fn desk(&self) -> Result<Desk, StoreError> {
        let link = self.connect().await?;
        let client = &link.client;
        client.batch_execute("set synchronous_commit = off").await?;
        let (new_streams, find_streams, find_commands, head) = futures::future::try_join4(
            client.prepare(NEW_STREAMS),
            client.prepare(FIND_STREAMS),
            client.prepare(FIND_COMMANDS),
            client.prepare(HEAD),
        )
        .await?;
        Ok(Desk { link, new_streams, find_streams, find_commands, head })
    }
}

/// Nothing acknowledged is lost: `synchronous_commit` is on, or stronger where the operator wants
/// it. Every statement is a handful of look-ups by index: plans are made once and never scan or
/// compile.
fn settings(statement_ms_max: u64) -> String {
    format!(
        "select set_config('synchronous_commit',
             case current_setting('synchronous_commit')
                 when 'remote_apply' then 'remote_apply' else 'on' end, false);
         set default_transaction_isolation = 'read committed';
         set statement_timeout = {statement_ms_max};
         set lock_timeout = {LOCK_MS_MAX};
         set idle_in_transaction_session_timeout = {IDLE_IN_TRANSACTION_MS};
         set tcp_keepalives_idle = 5; set tcp_keepalives_interval = 2; set tcp_keepalives_count = 3;
         set enable_seqscan = off; set enable_hashjoin = off; set enable_mergejoin = off;
         set plan_cache_mode = force_generic_plan; set jit = off; set client_min_messages = warning"
    )
}

impl Session {
    /// Where the head row is; an error when it belongs to another incarnation.
    pub(super) async fn look(&self, incarnation: Uuid) -> Result<Seen, StoreError> {
        self.desk.look(incarnation).await
    }

    /// Raises the fence: waits for whoever holds the head row, and from then on no transaction that
    /// began before can advance it.
    pub(super) async fn raise_fence(&self, incarnation: Uuid) -> Result<Seen, StoreError> {
        self.look(incarnation).await?;
        let raise = "update head set fence = fence + 1 where one \
                     returning position, incarnation, fence, exists (select from archives)";
        let row = self.lanes[0].link.client.query_one(raise, &[]).await?;
        seen(&row, incarnation)
    }
}

impl Desk {
    /// See [`Session::look`].
    pub(super) async fn look(&self, incarnation: Uuid) -> Result<Seen, StoreError> {
        let row = self.link.client.query_one(&self.head, &[]).await?;
        seen(&row, incarnation)
    }
}

fn seen(row: &tokio_postgres::Row, expected: Uuid) -> Result<Seen, StoreError> {
    let actual: Uuid = row.try_get(1)?;
    if actual != expected {
        return Err(StoreError::Incarnation { expected, actual });
    }
    Ok(Seen {
        position: from_bigint(row.try_get(0)?),
        fence: row.try_get(2)?,
        has_archive: row.try_get(3)?,
    })
}
