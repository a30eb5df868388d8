//! The list of all settings: what each is called, what it means and how it is read.
//!
//! Does not know where a value comes from.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use super::{Config, DRAIN_MS_MAX};
use crate::{
    audit, connections,
    identity::{API_KEY_PREFIX, SETUP_TOKEN_CHARS_MIN, TokenAlgorithm, vault},
    live,
    mail::is_smtp_url,
    retention::{self, RETENTION_DAYS, RETENTION_DAYS_MAX},
    seal::{self, Witness},
    server,
    telemetry::LogForm,
};

/// The most requests in a minute that can be a limit.
const RATE_MAX: u32 = 1_000_000_000;

/// One setting: a line of `node0.toml`, an environment variable and a flag, all of one name.
#[derive(Debug)]
pub struct Setting {
    /// Its name, e.g. `drain_ms_max`: `NODE0_DRAIN_MS_MAX` and `--drain-ms-max`.
    pub key: &'static str,
    /// Another name in the environment, as everybody knows it.
    pub alias: Option<&'static str>,
    /// What it means, in a sentence.
    pub what: &'static str,
    /// Its value when nothing sets it.
    pub default: Option<fn() -> String>,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Reads it, or says which form is expected.
    pub read: fn(&mut Config, &str) -> Result<(), String>,
}

impl Setting {
    /// The setting of this name.
    pub fn named(key: &str) -> Option<&'static Setting> {
        SETTINGS.iter().find(|setting| setting.key == key)
    }

    /// Its name on the command line, without the dashes.
    pub fn flag(&self) -> String {
        self.key.replace('_', "-")
    }

    /// Its name in the environment.
    pub fn environment(&self) -> String {
        format!("NODE0_{}", self.key.to_ascii_uppercase())
    }

    /// A value as it may be shown.
    pub(super) fn show(&self, text: &str) -> String {
        if self.secret { "(hidden)".to_owned() } else { without_password(text) }
    }
}

/// Every setting there is.
pub const SETTINGS: &[Setting] = &[
    Setting {
        key: "data",
        alias: None,
        what: "The data folder; ./.node0, or /var/lib/node0 where PostgreSQL cannot reach that",
        default: None,
        secret: false,
        read: |config, text| path(text).map(|path| config.data = Some(path)),
    },
    Setting {
        key: "database_url",
        alias: Some("DATABASE_URL"),
        what: "The PostgreSQL to use; a private one in the data folder when it is not set",
        default: None,
        secret: false,
        read: |config, text| database_url(text).map(|url| config.database_url = Some(url)),
    },
    Setting {
        key: "read_database_url",
        alias: None,
        what: "A streaming replica of that PostgreSQL, which queries are asked of; the database \
               itself when it is not set",
        default: None,
        secret: false,
        read: |config, text| database_url(text).map(|url| config.read_database_url = Some(url)),
    },
    Setting {
        key: "listen",
        alias: None,
        what: "Where HTTP is served",
        default: Some(|| "127.0.0.1:8080".to_owned()),
        secret: false,
        read: |config, text| {
            let form = "an address and a port such as 127.0.0.1:8080 is expected";
            parse::<SocketAddr>(text, form).map(|address| config.listen = address)
        },
    },
    Setting {
        key: "tls_certificate",
        alias: None,
        what: "The file with the certificate that is shown over TLS, in PEM; plain HTTP without it",
        default: None,
        secret: false,
        read: |config, text| path(text).map(|path| config.tls_certificate = Some(path)),
    },
    Setting {
        key: "tls_key",
        alias: None,
        what: "The file with that certificate's key, in PEM",
        default: None,
        secret: false,
        read: |config, text| path(text).map(|path| config.tls_key = Some(path)),
    },
    Setting {
        key: "tls_client_ca",
        alias: None,
        what: "The file with the authorities of which clients must show a certificate, in PEM",
        default: None,
        secret: false,
        read: |config, text| path(text).map(|path| config.tls_client_ca = Some(path)),
    },
    Setting {
        key: "connections_max",
        alias: None,
        what: "Connections at once; more wait until one is closed",
        default: Some(|| connections::CONNECTIONS_MAX.to_string()),
        secret: false,
        read: |config, text| between(text, 1, 1_000_000).map(|most| config.connections_max = most),
    },
    Setting {
        key: "head_ms_max",
        alias: None,
        what: "How long a request's head may take, and a connection be idle, in milliseconds",
        default: Some(|| connections::HEAD_MS_MAX.to_string()),
        secret: false,
        read: |config, text| between(text, 100, 600_000).map(|ms| config.head_ms_max = ms),
    },
    Setting {
        key: "setup_token",
        alias: None,
        what: "A super_admin's token, for a start without a set-up link",
        default: None,
        secret: true,
        read: |config, text| token(text).map(|token| config.setup_token = Some(token)),
    },
    Setting {
        key: "master_key",
        alias: None,
        what: "What secrets are sealed under, 32 bytes in base64; made in the private PostgreSQL's \
               data folder when it is not set",
        default: None,
        secret: true,
        read: |config, text| master_key(text).map(|key| config.master_key = Some(key)),
    },
    Setting {
        key: "other_master_key",
        alias: None,
        what: "What opens secrets too, while one master key takes the place of another",
        default: None,
        secret: true,
        read: |config, text| master_key(text).map(|key| config.other_master_key = Some(key)),
    },
    Setting {
        key: "signing_key_days",
        alias: None,
        what: "For how long a key signs access tokens before another takes its place, in days",
        default: Some(|| 30.to_string()),
        secret: false,
        read: |config, text| between(text, 1, 3_650).map(|days| config.signing_key_days = days),
    },
    Setting {
        key: "token_algorithm",
        alias: None,
        what: "By which algorithm access tokens are signed: RS256 or EdDSA",
        default: Some(|| TokenAlgorithm::Rs256.as_str().to_owned()),
        secret: false,
        read: |config, text| {
            let algorithm = TokenAlgorithm::named(text).ok_or("RS256 or EdDSA is expected")?;
            config.token_algorithm = algorithm;
            Ok(())
        },
    },
    Setting {
        key: "smtp_url",
        alias: None,
        what: "The mail server, e.g. smtps://user:password@mail.example; letters go to the log when \
               it is not set",
        default: None,
        secret: true,
        read: |config, text| smtp_url(text).map(|url| config.smtp_url = Some(url)),
    },
    Setting {
        key: "mail_from",
        alias: None,
        what: "Whom letters come from, e.g. Node-0 <node0@mail.example>",
        default: None,
        secret: false,
        read: |config, text| mailbox(text).map(|from| config.mail_from = Some(from)),
    },
    Setting {
        key: "public_url",
        alias: None,
        what: "Where the API is reached from outside, e.g. https://node0.example; where it listens \
               when it is not set",
        default: None,
        secret: false,
        read: |config, text| public_url(text).map(|url| config.public_url = Some(url)),
    },
    Setting {
        key: "oidc_issuer",
        alias: None,
        what: "The OpenID Connect issuer that signs people in as well, exactly as it names itself",
        default: None,
        secret: false,
        read: |config, text| {
            let form = "an address such as https://accounts.example is expected";
            parse(text, form).map(|issuer| config.oidc_issuer = Some(issuer))
        },
    },
    Setting {
        key: "oidc_client_id",
        alias: None,
        what: "What that issuer calls this server",
        default: None,
        secret: false,
        read: |config, text| not_empty(text).map(|id| config.oidc_client_id = Some(id)),
    },
    Setting {
        key: "oidc_client_secret",
        alias: None,
        what: "What that issuer knows this server by",
        default: None,
        secret: true,
        read: |config, text| not_empty(text).map(|text| config.oidc_client_secret = Some(text)),
    },
    Setting {
        key: "pg_bin",
        alias: Some("PG_BIN"),
        what: "The folder of PostgreSQL's programs; looked for when it is not set",
        default: None,
        secret: false,
        read: |config, text| path(text).map(|path| config.pg_bin = Some(path)),
    },
    Setting {
        key: "postgres_user",
        alias: None,
        what: "Who runs the private PostgreSQL when this program is root",
        default: Some(|| crate::cluster::OS_USER_DEFAULT.to_owned()),
        secret: false,
        read: |config, text| not_empty(text).map(|user| config.postgres_user = user),
    },
    Setting {
        key: "log",
        alias: None,
        what: "Which log lines are written, e.g. info or warn,api=debug",
        default: Some(|| "info,sqlx=warn".to_owned()),
        secret: false,
        read: |config, text| log_filter(text).map(|filter| config.log = filter),
    },
    Setting {
        key: "log_format",
        alias: None,
        what: "How log lines look: text or json",
        default: Some(|| "text".to_owned()),
        secret: false,
        read: |config, text| {
            config.log_format = match text {
                "text" => LogForm::Text,
                "json" => LogForm::Json,
                _ => return Err("text or json is expected".to_owned()),
            };
            Ok(())
        },
    },
    Setting {
        key: "drain_ms_max",
        alias: None,
        what: "How long a shutdown waits for requests under way, in milliseconds",
        default: Some(|| DRAIN_MS_MAX.to_string()),
        secret: false,
        read: |config, text| between(text, 0, 3_600_000).map(|ms| config.drain_ms_max = ms),
    },
    Setting {
        key: "body_bytes_max",
        alias: None,
        what: "The largest request body, in bytes",
        default: Some(|| (4 * 1024 * 1024).to_string()),
        secret: false,
        read: |config, text| {
            between(text, 1_024, 1 << 30).map(|bytes| config.body_bytes_max = bytes)
        },
    },
    Setting {
        key: "requests_in_flight_max",
        alias: None,
        what: "Requests under way at once; more are answered 503",
        default: Some(|| 4_096.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 1, 1_000_000).map(|count| config.requests_in_flight_max = count)
        },
    },
    Setting {
        key: "queries_in_flight_max",
        alias: None,
        what: "Queries under way at once; more are answered 503",
        default: Some(|| server::QUERIES_IN_FLIGHT_MAX.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 1, 1_000_000).map(|count| config.queries_in_flight_max = count)
        },
    },
    Setting {
        key: "sign_ins_in_flight_max",
        alias: None,
        what: "Sign-ins under way at once; more are answered 503",
        default: Some(|| server::SIGN_INS_IN_FLIGHT_MAX.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 1, 1_000_000).map(|count| config.sign_ins_in_flight_max = count)
        },
    },
    Setting {
        key: "rate_queries_max",
        alias: None,
        what: "Queries of one caller in a minute; more are answered 429; 0 for any number",
        default: Some(|| 120_000.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 0, RATE_MAX).map(|count| config.rate_queries_max = count)
        },
    },
    Setting {
        key: "rate_commands_max",
        alias: None,
        what: "Commands of one caller in a minute; more are answered 429; 0 for any number",
        default: Some(|| 300_000.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 0, RATE_MAX).map(|count| config.rate_commands_max = count)
        },
    },
    Setting {
        key: "rate_consensus_max",
        alias: None,
        what: "Proposals, votes and signs of life of one caller in a minute; 0 for any number",
        default: Some(|| 300_000.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 0, RATE_MAX).map(|count| config.rate_consensus_max = count)
        },
    },
    Setting {
        key: "rate_sign_ins_max",
        alias: None,
        what: "Sign-ins and wrong credentials from one address in a minute; 0 for any number",
        default: Some(|| 60.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 0, RATE_MAX).map(|count| config.rate_sign_ins_max = count)
        },
    },
    Setting {
        key: "access_record_days",
        alias: None,
        what: "For how long it is kept who came in and who was refused, in days",
        default: Some(|| 90.to_string()),
        secret: false,
        read: |config, text| between(text, 1, 3_650).map(|days| config.access_record_days = days),
    },
    Setting {
        key: "retention_days",
        alias: None,
        what: "For how long events stay in the database before `node0 archive` moves them, in days",
        default: Some(|| RETENTION_DAYS.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 0, RETENTION_DAYS_MAX).map(|days| config.retention.days = days)
        },
    },
    Setting {
        key: "retention_classes",
        alias: None,
        what: "For how long those of some categories of streams do, where it is another time: \
               <category>=<days>, separated by commas, such as peer=30,principal=3650",
        default: None,
        secret: false,
        read: |config, text| {
            retention::classes(text).map(|classes| config.retention.classes = classes)
        },
    },
    Setting {
        key: "trusted_proxies",
        alias: None,
        what: "The addresses of proxies whose X-Forwarded-For is believed, with commas between them",
        default: None,
        secret: false,
        read: |config, text| addresses(text).map(|found| config.trusted_proxies = found),
    },
    Setting {
        key: "request_ms_max",
        alias: None,
        what: "How long one request may take, in milliseconds",
        default: Some(|| 30_000.to_string()),
        secret: false,
        read: |config, text| between(text, 1, 3_600_000).map(|ms| config.request_ms_max = ms),
    },
    Setting {
        key: "monitor_ms",
        alias: None,
        what: "How often it is looked whether all is well, in milliseconds; 0 for never",
        default: Some(|| "5000".to_owned()),
        secret: false,
        read: |config, text| between(text, 0, 600_000).map(|ms| config.monitor_ms = ms),
    },
    Setting {
        key: "default_rules",
        alias: None,
        what: "Whether the alert rules and objectives that everybody wants are defined at first",
        default: Some(|| "true".to_owned()),
        secret: false,
        read: |config, text| {
            parse(text, "true or false is expected").map(|is| config.default_rules = is)
        },
    },
    Setting {
        key: "private_webhooks",
        alias: None,
        what: "Whether notices of alerts may go to addresses that are not public",
        default: Some(|| "false".to_owned()),
        secret: false,
        read: |config, text| {
            parse(text, "true or false is expected").map(|is| config.private_webhooks = is)
        },
    },
    Setting {
        key: "audit_events_per_s",
        alias: None,
        what: "How many events a second the audit reads again at most; 0 for no audit",
        default: Some(|| audit::AUDIT_EVENTS_PER_S.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 0, 10_000_000).map(|events| config.audit_events_per_s = events)
        },
    },
    Setting {
        key: "audit_interval_s",
        alias: None,
        what: "The least time between two comparisons of an audit, in seconds",
        default: Some(|| audit::AUDIT_INTERVAL_S.to_string()),
        secret: false,
        read: |config, text| between(text, 1, 86_400).map(|s| config.audit_interval_s = s),
    },
    Setting {
        key: "audit_anew_s",
        alias: None,
        what: "When an audit reads history again from the beginning, in seconds",
        default: Some(|| audit::AUDIT_ANEW_S.to_string()),
        secret: false,
        read: |config, text| between(text, 1, 366 * 86_400).map(|s| config.audit_anew_s = s),
    },
    Setting {
        key: "seal_interval_ms",
        alias: None,
        what: "How often checkpoints of the log are signed at most, in milliseconds; 0 for never",
        default: Some(|| seal::SEAL_INTERVAL_MS.to_string()),
        secret: false,
        read: |config, text| between(text, 0, 600_000).map(|ms| config.seal_interval_ms = ms),
    },
    Setting {
        key: "seal_storage",
        alias: None,
        what: "Where the log is published: a folder, or s3://bucket/folder with the usual AWS_ \
               variables; the folder log in the data folder when it is not set",
        default: None,
        secret: false,
        read: |config, text| not_empty(text).map(|place| config.seal_storage = Some(place)),
    },
    Setting {
        key: "seal_key",
        alias: None,
        what: "The keys that sign checkpoints, the one in force first (PRIVATE+KEY+...); those in \
               the file seal.key of the data folder when it is not set",
        default: None,
        secret: true,
        read: |config, text| match seal::keys::parse(text, "this setting") {
            Ok(_) => {
                config.seal_key = Some(text.to_owned());
                Ok(())
            }
            Err(fault) => Err(fault.to_string()),
        },
    },
    Setting {
        key: "seal_origin",
        alias: None,
        what: "The name of the log, such as node0.example/log, for a key that is made at the first \
               start; by public_url, or made up, when it is not set",
        default: None,
        secret: false,
        read: |config, text| {
            let form =
                "a name without spaces and plus signs is expected, such as node0.example/log";
            let is_name =
                !text.is_empty() && !text.contains(|c: char| c.is_whitespace() || c == '+');
            if !is_name {
                return Err(form.to_owned());
            }
            config.seal_origin = Some(text.to_owned());
            Ok(())
        },
    },
    Setting {
        key: "witnesses",
        alias: None,
        what: "Who cosigns checkpoints: <key>@<address>, separated by commas",
        default: None,
        secret: false,
        read: |config, text| {
            let each = text.split(',').map(str::trim).filter(|one| !one.is_empty());
            let all: Result<Vec<Witness>, String> = each.map(str::parse).collect();
            config.witnesses = all?;
            Ok(())
        },
    },
    Setting {
        key: "witness_quorum",
        alias: None,
        what: "How many witnesses must have cosigned a checkpoint before it is published; most of \
               them when it is not set",
        default: None,
        secret: false,
        read: |config, text| between(text, 0, 100).map(|most| config.witness_quorum = Some(most)),
    },
    Setting {
        key: "wait_ms_max",
        alias: None,
        what: "How long a request may wait for a read model, in milliseconds",
        default: Some(|| 10_000.to_string()),
        secret: false,
        read: |config, text| between(text, 0, 600_000).map(|ms| config.wait_ms_max = ms),
    },
    Setting {
        key: "streams_max",
        alias: None,
        what: "Live streams, connections and subscriptions at once; more are answered 503",
        default: Some(|| live::STREAMS_MAX.to_string()),
        secret: false,
        read: |config, text| between(text, 0, 1_000_000).map(|count| config.streams_max = count),
    },
    Setting {
        key: "heartbeat_ms",
        alias: None,
        what: "After how long a silence a live stream says that it lives, in milliseconds",
        default: Some(|| live::HEARTBEAT_MS.to_string()),
        secret: false,
        read: |config, text| between(text, 100, 3_600_000).map(|ms| config.heartbeat_ms = ms),
    },
    Setting {
        key: "stalled_ms_max",
        alias: None,
        what: "For how long a live stream's client may take nothing, in milliseconds",
        default: Some(|| live::STALLED_MS_MAX.to_string()),
        secret: false,
        read: |config, text| between(text, 100, 3_600_000).map(|ms| config.stalled_ms_max = ms),
    },
    Setting {
        key: "read_connections_max",
        alias: None,
        what: "Database connections for reading",
        default: Some(|| 8.to_string()),
        secret: false,
        read: |config, text| {
            between(text, 1, 1_000).map(|count| config.read_connections_max = count)
        },
    },
    Setting {
        key: "batch_events_max",
        alias: None,
        what: "Events in one transaction of the log",
        default: Some(|| 1_024.to_string()),
        secret: false,
        read: |config, text| between(text, 1, 8_192).map(|count| config.batch_events_max = count),
    },
];

fn parse<T: FromStr>(text: &str, form: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| form.to_owned())
}

fn between<T>(text: &str, least: T, most: T) -> Result<T, String>
where
    T: FromStr + PartialOrd + std::fmt::Display + Copy,
{
    let form = format!("a whole number from {least} to {most} is expected");
    match parse::<T>(text, &form) {
        Ok(number) if number >= least && number <= most => Ok(number),
        _ => Err(form),
    }
}

fn not_empty(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(text.to_owned()) }
}

fn path(text: &str) -> Result<PathBuf, String> {
    if text.is_empty() { Err("it is empty".to_owned()) } else { Ok(PathBuf::from(text)) }
}

fn database_url(text: &str) -> Result<String, String> {
    let form = "an address such as postgres://user:password@host:5432/database is expected";
    let right = text.starts_with("postgres://") || text.starts_with("postgresql://");
    if right && sqlx::postgres::PgConnectOptions::from_str(text).is_ok() {
        Ok(text.to_owned())
    } else {
        Err(form.to_owned())
    }
}

fn token(text: &str) -> Result<String, String> {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    let own = text.starts_with(API_KEY_PREFIX);
    if text.len() >= SETUP_TOKEN_CHARS_MIN && visible && !own {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "at least {SETUP_TOKEN_CHARS_MIN} visible ASCII characters are expected, not beginning \
             with {API_KEY_PREFIX}"
        ))
    }
}

fn master_key(text: &str) -> Result<String, String> {
    match vault::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err("32 bytes in padded base64 are expected".to_owned()),
    }
}

fn addresses(text: &str) -> Result<Vec<IpAddr>, String> {
    let form = "addresses such as 10.0.0.1 with commas between them are expected";
    text.split(',').map(|one| parse(one, form)).collect()
}

fn smtp_url(text: &str) -> Result<String, String> {
    if is_smtp_url(text) {
        return Ok(text.to_owned());
    }
    Err("an address such as smtps://user:password@mail.example is expected".to_owned())
}

fn mailbox(text: &str) -> Result<String, String> {
    match text.parse::<lettre::message::Mailbox>() {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err("a sender such as Node-0 <node0@mail.example> is expected".to_owned()),
    }
}

/// Without the slash at its end.
fn public_url(text: &str) -> Result<String, String> {
    let url = reqwest::Url::parse(text).ok();
    let whole = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = whole.ok_or("an address such as https://node0.example is expected")?;
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

fn log_filter(text: &str) -> Result<String, String> {
    match tracing_subscriber::EnvFilter::try_new(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(error) => Err(format!("a filter such as info or warn,api=debug is expected: {error}")),
    }
}

/// An address with its password hidden.
fn without_password(text: &str) -> String {
    let hidden = || {
        let (scheme, rest) = text.split_once("://")?;
        let (login, host) = rest.rsplit_once('@')?;
        let (user, _) = login.split_once(':')?;
        Some(format!("{scheme}://{user}:(hidden)@{host}"))
    };
    hidden().unwrap_or_else(|| text.to_owned())
}
