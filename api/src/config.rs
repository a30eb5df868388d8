//! Every setting of the program: from its default, `node0.toml`, the environment and the command
//! line, in this order; the last one counts, and where it came from is remembered.
//!
//! Does not know what a setting is used for. Nothing wrong is ignored: all faults are told at once.

mod layer;
mod setting;

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};

use domain::values::Website;
use figment::{Figment, value::Value};
use serde::Serialize;

use crate::{identity::TokenAlgorithm, retention::Retention, seal::Witness, telemetry::LogForm};
use layer::Layer;
pub use setting::{SETTINGS, Setting};

/// The configuration file that is read when none is named and it exists.
pub const FILE_DEFAULT: &str = "node0.toml";
/// What names another configuration file in the environment.
pub const FILE_VARIABLE: &str = "NODE0_CONFIG";
/// Which log lines a tool writes when nothing is said.
const LOG_OF_TOOLS: &str = "warn";
/// How long a shutdown waits for requests under way, in milliseconds.
pub const DRAIN_MS_MAX: u64 = 30_000;

/// The settings in force, parsed.
#[derive(Clone)]
pub struct Config {
    /// The data folder; None for the default one.
    pub data: Option<PathBuf>,
    /// The database to use; None for a private one in the data folder.
    pub database_url: Option<String>,
    /// A streaming replica of it that queries are asked of; None to ask the database itself.
    pub read_database_url: Option<String>,
    /// Where HTTP is served.
    pub listen: SocketAddr,
    /// The certificate that is shown over TLS, in PEM; None for plain HTTP.
    pub tls_certificate: Option<PathBuf>,
    /// Its key, in PEM.
    pub tls_key: Option<PathBuf>,
    /// Of whose certificates clients must show one, in PEM; None to ask for none.
    pub tls_client_ca: Option<PathBuf>,
    /// Connections at once.
    pub connections_max: u32,
    /// How long a request's head may take, and a connection be idle, in milliseconds.
    pub head_ms_max: u64,
    /// The token of a super_admin's that is set up by the configuration.
    pub setup_token: Option<String>,
    /// The master key under which secrets are sealed; None for one in the data folder.
    pub master_key: Option<String>,
    /// What opens secrets too, while one master key takes the place of another.
    pub other_master_key: Option<String>,
    /// For how long a key signs access tokens, in days.
    pub signing_key_days: u64,
    /// By which algorithm access tokens are signed.
    pub token_algorithm: TokenAlgorithm,
    /// The mail server; None to write letters to the log.
    pub smtp_url: Option<String>,
    /// Whom letters come from.
    pub mail_from: Option<String>,
    /// Where the API is reached from outside; None for where it listens.
    pub public_url: Option<String>,
    /// Who signs people in beside ourselves; None for nobody.
    pub oidc_issuer: Option<Website>,
    /// What that issuer calls us.
    pub oidc_client_id: Option<String>,
    /// What it knows us by.
    pub oidc_client_secret: Option<String>,
    /// The folder of PostgreSQL's programs; None to look for it.
    pub pg_bin: Option<PathBuf>,
    /// Who runs the private PostgreSQL when this program is root.
    pub postgres_user: String,
    /// Which log lines are written, in the form of `RUST_LOG`.
    pub log: String,
    /// How they look.
    pub log_format: LogForm,
    /// How long a shutdown waits for requests under way, in milliseconds.
    pub drain_ms_max: u64,
    /// The largest request body, in bytes.
    pub body_bytes_max: usize,
    /// Requests under way at once.
    pub requests_in_flight_max: u32,
    /// Queries under way at once.
    pub queries_in_flight_max: u32,
    /// Sign-ins under way at once.
    pub sign_ins_in_flight_max: u32,
    /// Queries of one caller in a minute; 0 for any number.
    pub rate_queries_max: u32,
    /// Commands of one caller in a minute; 0 for any number.
    pub rate_commands_max: u32,
    /// Proposals, votes and signs of life of one caller in a minute; 0 for any number.
    pub rate_consensus_max: u32,
    /// Sign-ins, and credentials that are no good, from one address in a minute; 0 for any number.
    pub rate_sign_ins_max: u32,
    /// The proxies that are believed from where a request comes.
    pub trusted_proxies: Vec<IpAddr>,
    /// For how long access records are kept, in days.
    pub access_record_days: u64,
    /// For how long events stay in the database before they may be archived.
    pub retention: Retention,
    /// How long one request may take, in milliseconds.
    pub request_ms_max: u64,
    /// How long a request may wait for a read model, in milliseconds.
    pub wait_ms_max: u64,
    /// Live streams, connections and subscriptions at once.
    pub streams_max: u32,
    /// After how long a silence a live stream says that it lives, in milliseconds.
    pub heartbeat_ms: u64,
    /// For how long a live stream's client may take nothing, in milliseconds.
    pub stalled_ms_max: u64,
    /// Connections for reading.
    pub read_connections_max: u32,
    /// Events in one transaction of the log.
    pub batch_events_max: usize,
    /// How often it is looked whether all is well, in milliseconds; 0 for never.
    pub monitor_ms: u64,
    /// Whether the rules and objectives that everybody wants are defined at the first start.
    pub default_rules: bool,
    /// Whether notices may go to addresses that are not public.
    pub private_webhooks: bool,
    /// How often checkpoints of the log are signed at most, in milliseconds; 0 for never.
    pub seal_interval_ms: u64,
    /// Where the log is published: a folder, or s3://bucket/folder; None for the data folder's.
    pub seal_storage: Option<String>,
    /// The keys that sign checkpoints; None for those in the data folder.
    pub seal_key: Option<String>,
    /// The name of the log, for a key that is made; None for one by where we are reached.
    pub seal_origin: Option<String>,
    /// How many events a second the audit reads again at most; 0 for no audit.
    pub audit_events_per_s: u64,
    /// The least time between two comparisons of an audit, in seconds.
    pub audit_interval_s: u64,
    /// When an audit reads history again from the beginning, in seconds.
    pub audit_anew_s: u64,
    /// Who cosigns checkpoints.
    pub witnesses: Vec<Witness>,
    /// How many of them must have, before a checkpoint is published; None for most of them.
    pub witness_quorum: Option<usize>,
    shown: Vec<Shown>,
}

/// One line of `node0 config show`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Shown {
    /// The setting.
    pub key: &'static str,
    /// Its value; secrets are hidden, None when it is not set.
    pub value: Option<String>,
    /// Where it came from, e.g. `default` or `environment NODE0_LISTEN`.
    pub source: String,
}

/// One thing that is wrong with the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where it is, e.g. `node0.toml` or `environment NODE0_LISTEN`.
    pub place: String,
    /// What is wrong there.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

/// Where settings may come from beside their defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// The file that was asked for.
    pub file: Option<PathBuf>,
    /// The environment, as name and value.
    pub environment: Vec<(String, String)>,
    /// The flags that were given, as key and value.
    pub flags: Vec<(&'static str, String)>,
}

impl Sources {
    /// The flags given, and what this process's environment holds.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<(&'static str, String)>) -> Sources {
        let environment = std::env::vars_os().map(|(name, value)| {
            (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())
        });
        Sources { file, environment: environment.collect(), flags }
    }
}

impl Config {
    /// Reads every setting, or says everything that is wrong.
    pub fn read(sources: &Sources) -> Result<Config, Vec<Fault>> {
        let mut faults = Vec::new();
        let figment = Figment::new()
            .merge(Layer::defaults())
            .merge(Layer::file(sources, &mut faults))
            .merge(Layer::environment(&sources.environment, &mut faults))
            .merge(Layer::flags(&sources.flags));
        let mut config = Config::unset();
        for setting in SETTINGS {
            let source = source_of(&figment, setting, &sources.environment);
            let text = match figment.find_value(setting.key) {
                Err(_) => None,
                Ok(value) => match text_of(&value) {
                    Ok(text) => Some(text),
                    Err(what) => {
                        faults.push(Fault { place: format!("{source}, {}", setting.key), what });
                        continue;
                    }
                },
            };
            if let Some(Err(what)) = text.as_deref().map(|text| (setting.read)(&mut config, text)) {
                let found = text.as_deref().map(|text| setting.show(text)).unwrap_or_default();
                let what = format!("{what}; found {found:?}");
                faults.push(Fault { place: format!("{source}, {}", setting.key), what });
                continue;
            }
            let value = text.map(|text| setting.show(&text));
            config.shown.push(Shown { key: setting.key, value, source });
        }
        faults.extend(config.contradictions());
        if faults.is_empty() { Ok(config) } else { Err(faults) }
    }

    /// Settings that make no sense without each other.
    fn contradictions(&self) -> Vec<Fault> {
        let fault = |key: &str, what: &str| Fault { place: key.to_owned(), what: what.to_owned() };
        let mut faults = Vec::new();
        if self.tls_certificate.is_some() != self.tls_key.is_some() {
            faults.push(fault("tls_certificate, tls_key", "one is of no use without the other"));
        }
        if self.tls_client_ca.is_some() && self.tls_certificate.is_none() {
            faults.push(fault("tls_client_ca", "it is of no use without tls_certificate"));
        }
        if self.smtp_url.is_some() && self.mail_from.is_none() {
            faults.push(fault("mail_from", "it is needed with smtp_url"));
        }
        if self.witness_quorum.is_some_and(|quorum| quorum > self.witnesses.len()) {
            faults.push(fault("witness_quorum", "there are not so many witnesses"));
        }
        if self.oidc_issuer.is_some() != self.oidc_client_id.is_some() {
            let keys = "oidc_issuer, oidc_client_id";
            faults.push(fault(keys, "one is of no use without the other"));
        }
        faults
    }

    /// Every setting with its value and source, as `node0 config show` lists them.
    pub fn shown(&self) -> &[Shown] {
        &self.shown
    }

    /// Which log lines are written: a server tells its story, a tool only what is wrong, unless it
    /// was said otherwise.
    pub fn log_filter(&self, serves: bool) -> &str {
        let by_default = |shown: &Shown| shown.key == "log" && shown.source == layer::DEFAULTS;
        if !serves && self.shown.iter().any(by_default) { LOG_OF_TOOLS } else { &self.log }
    }

    /// Before any source was read; each setting with a default gets it from there.
    fn unset() -> Config {
        Config {
            data: None,
            database_url: None,
            read_database_url: None,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            tls_certificate: None,
            tls_key: None,
            tls_client_ca: None,
            connections_max: 0,
            head_ms_max: 0,
            setup_token: None,
            master_key: None,
            other_master_key: None,
            signing_key_days: 0,
            token_algorithm: TokenAlgorithm::Rs256,
            smtp_url: None,
            oidc_issuer: None,
            oidc_client_id: None,
            oidc_client_secret: None,
            mail_from: None,
            public_url: None,
            pg_bin: None,
            postgres_user: String::new(),
            log: String::new(),
            log_format: LogForm::Text,
            drain_ms_max: 0,
            body_bytes_max: 0,
            requests_in_flight_max: 0,
            queries_in_flight_max: 0,
            sign_ins_in_flight_max: 0,
            rate_queries_max: 0,
            rate_commands_max: 0,
            rate_consensus_max: 0,
            rate_sign_ins_max: 0,
            trusted_proxies: Vec::new(),
            access_record_days: 0,
            retention: Retention::default(),
            request_ms_max: 0,
            wait_ms_max: 0,
            streams_max: 0,
            heartbeat_ms: 0,
            stalled_ms_max: 0,
            read_connections_max: 0,
            batch_events_max: 0,
            monitor_ms: 0,
            default_rules: false,
            private_webhooks: false,
            audit_events_per_s: 0,
            audit_interval_s: 0,
            audit_anew_s: 0,
            seal_interval_ms: 0,
            seal_storage: None,
            seal_key: None,
            seal_origin: None,
            witnesses: Vec::new(),
            witness_quorum: None,
            shown: Vec::new(),
        }
    }
}

fn source_of(figment: &Figment, setting: &Setting, environment: &[(String, String)]) -> String {
    match figment.find_metadata(setting.key).map(|metadata| metadata.name.as_ref()) {
        None => "not set".to_owned(),
        Some(layer::FLAGS) => format!("--{}", setting.flag()),
        Some(layer::ENVIRONMENT) => {
            let own = setting.environment();
            let is_set = environment.iter().any(|(name, _)| *name == own);
            let name = setting.alias.filter(|_| !is_set).map_or(own, str::to_owned);
            format!("{} {name}", layer::ENVIRONMENT)
        }
        Some(name) => name.to_owned(),
    }
}

/// Text, numbers and truth values stand for themselves; anything else is no setting.
fn text_of(value: &Value) -> Result<String, String> {
    if let Some(text) = value.as_str() {
        return Ok(text.to_owned());
    }
    let number = value.to_i128().map(|number| number.to_string());
    let number = number.or_else(|| value.to_u128().map(|number| number.to_string()));
    let truth = value.to_bool().map(|truth| truth.to_string());
    number.or(truth).ok_or_else(|| "one text or whole number is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Vec<(String, String)> {
        variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect()
    }

    fn shown(config: &Config, key: &str) -> Shown {
        config.shown().iter().find(|shown| shown.key == key).unwrap().clone()
    }

    #[test]
    fn the_command_line_counts_more_than_the_environment_and_that_more_than_the_file() {
        let file = std::env::temp_dir().join(format!("node0-config-{}.toml", std::process::id()));
        std::fs::write(&file, "listen = '127.0.0.1:1'\nlog = 'warn'\nwait_ms_max = 7\n").unwrap();
        let sources = Sources {
            file: Some(file.clone()),
            environment: environment(&[("NODE0_LISTEN", "127.0.0.1:2"), ("NODE0_LOG", "error")]),
            flags: vec![("listen", "127.0.0.1:3".to_owned())],
        };
        let config = Config::read(&sources).unwrap();
        std::fs::remove_file(&file).unwrap();
        assert_eq!(config.listen.port(), 3);
        assert_eq!(shown(&config, "listen").source, "--listen");
        assert_eq!(config.log, "error");
        assert_eq!(shown(&config, "log").source, "environment NODE0_LOG");
        assert_eq!(config.wait_ms_max, 7);
        assert_eq!(shown(&config, "wait_ms_max").source, file.display().to_string());
        assert_eq!(config.drain_ms_max, DRAIN_MS_MAX);
        assert_eq!(shown(&config, "drain_ms_max").source, "default");
        assert_eq!(shown(&config, "data").value, None);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once() {
        let file = std::env::temp_dir().join(format!("node0-faults-{}.toml", std::process::id()));
        std::fs::write(&file, "lisen = 'x'\nlog_format = 'xml'\nwait_ms_max = [1]\n").unwrap();
        let sources = Sources {
            file: Some(file.clone()),
            environment: environment(&[
                ("NODE0_LISTEN", "nowhere"),
                ("NODE0_TYPO", "1"),
                ("NODE0_SETUP_TOKEN", "short"),
                ("DATABASE_URL", "mysql://x"),
                ("NODE0_TEST_CLUSTER", "not ours"),
            ]),
            flags: vec![("batch_events_max", "0".to_owned())],
        };
        let Err(faults) = Config::read(&sources) else { panic!("all of this is wrong") };
        std::fs::remove_file(&file).unwrap();
        let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
        let told = told.join("\n");
        for word in ["lisen", "log_format", "wait_ms_max", "NODE0_LISTEN", "NODE0_TYPO"] {
            assert!(told.contains(word), "{word} is not among:\n{told}");
        }
        for word in ["NODE0_SETUP_TOKEN", "DATABASE_URL", "--batch-events-max"] {
            assert!(told.contains(word), "{word} is not among:\n{told}");
        }
        assert_eq!(faults.len(), 8, "{told}");
        assert!(!told.contains("short"), "a secret is shown:\n{told}");
    }

    #[test]
    fn secrets_are_never_shown() {
        let token = "s3cr3t".repeat(8);
        let sources = Sources {
            environment: environment(&[
                ("NODE0_SETUP_TOKEN", &token),
                ("DATABASE_URL", "postgres://someone:s3cr3t@host/base"),
            ]),
            ..Sources::default()
        };
        let config = Config::read(&sources).unwrap();
        assert_eq!(config.setup_token.as_deref(), Some(token.as_str()));
        assert!(!format!("{:?}", config.shown()).contains("s3cr3t"));
        let url = shown(&config, "database_url");
        assert_eq!(url.value.as_deref(), Some("postgres://someone:(hidden)@host/base"));
        assert_eq!(url.source, "environment DATABASE_URL");
    }

    #[test]
    fn the_file_that_was_asked_for_must_exist() {
        let sources = Sources { file: Some("no/such.toml".into()), ..Sources::default() };
        let Err(faults) = Config::read(&sources) else { panic!("there is no such file") };
        assert!(faults[0].to_string().starts_with("no/such.toml: "), "{}", faults[0]);
    }

    #[test]
    fn every_setting_has_a_name_and_a_meaning_of_its_own() {
        for (number, setting) in SETTINGS.iter().enumerate() {
            assert!(!setting.what.is_empty());
            assert!(SETTINGS[..number].iter().all(|other| other.key != setting.key));
        }
    }
}
