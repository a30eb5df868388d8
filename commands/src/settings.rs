//! The keys of settings: what each means, its JSON Schema, and who must approve.
//!
//! Does not know what is in force in this process, nor how it got there. A key without a value has
//! its default: what each process was configured with.

use std::sync::LazyLock;

use domain::{
    configuration::{
        Document, Key,
        setting::{SchemaFault, Setting},
    },
    monitoring::Severity,
    parameters::{self, Overrides},
    values::PrincipalId,
};
use event_store::StoreError;
use jsonschema::Validator;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::execute::Commands;

/// The most requests a minute that a limit may be set to.
const REQUESTS_A_MINUTE_MAX: u32 = 10_000_000;
/// The shortest time a request may be given, in milliseconds.
const REQUEST_MS_MIN: u64 = 1_000;
/// The longest, in milliseconds.
const REQUEST_MS_LIMIT: u64 = 300_000;
/// The longest time a read model may be waited for, in milliseconds.
const WAIT_MS_LIMIT: u64 = 60_000;
/// The smallest limit of a request's body, in bytes: what every command fits into.
const BODY_BYTES_MIN: usize = 65_536;
/// The greatest, in bytes.
const BODY_BYTES_LIMIT: usize = 67_108_864;
/// The most origins that may ask from browsers.
const ORIGINS_MAX: usize = 50;
/// The most places that are told of alerts.
const WEBHOOKS_MAX: usize = 20;
/// How many people may be told of alerts by mail.
const MAILS_MAX: usize = 20;
/// The shortest silence after which a node is stale, in milliseconds.
const STALE_MS_MIN: u64 = 1_000;
/// The longest, in milliseconds: as long as signs of life are kept.
const STALE_MS_LIMIT: u64 = 900_000;
/// The longest that a change is watched, in seconds: one day.
const WATCH_S_LIMIT: u32 = 86_400;

/// A value that processes read, under its key.
pub trait InForce: Default + DeserializeOwned {
    /// Its key.
    const KEY: &'static str;
}

/// How many requests a minute one caller may make, by their class; 0 for as many as they like. What
/// is absent is as the process was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimits {
    /// Queries.
    pub queries: Option<u32>,
    /// Commands.
    pub commands: Option<u32>,
    /// What validators agree by.
    pub consensus: Option<u32>,
    /// Sign-ins, and credentials that are no good.
    pub sign_ins: Option<u32>,
}

/// The limits of one request. What is absent is as the process was configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Bytes of its body.
    pub body_bytes_max: Option<usize>,
    /// How long it may take, in milliseconds.
    pub request_ms_max: Option<u64>,
    /// How long it may wait for a read model, in milliseconds.
    pub wait_ms_max: Option<u64>,
}

/// Who may ask from a browser on another site (CORS). Nobody by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CrossOrigin {
    /// Their origins: scheme, host, and a port that is not the scheme's own.
    pub origins: Vec<String>,
}

/// When a node counts as gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PeerWatch {
    /// After how many milliseconds of silence.
    pub peer_stale_ms: u64,
}

impl Default for PeerWatch {
    fn default() -> PeerWatch {
        PeerWatch { peer_stale_ms: 15_000 }
    }
}

/// How a change of a setting is watched: when an objective becomes urgent (`page`) within this
/// time, what was changed is rolled back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rollout {
    /// For how many seconds; 0 for not at all.
    pub watch_s: u32,
}

impl Default for Rollout {
    fn default() -> Rollout {
        Rollout { watch_s: 600 }
    }
}

/// Who is told of alerts. Nobody by default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Notifications {
    /// Who is written to.
    pub mails: Vec<Mailed>,
    /// Where requests are sent to.
    pub webhooks: Vec<Webhook>,
}

/// A person who is told of alerts by mail, to the address they were invited by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mailed {
    /// Who: an address would be personal, and stay in the log.
    pub principal: PrincipalId,
    /// Only of those that are this bad or worse.
    pub severity: Severity,
}

/// A place that is told of alerts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Only of those that are this bad or worse.
    pub severity: Severity,
    /// Where.
    pub url: String,
}

impl InForce for RateLimits {
    const KEY: &'static str = "server.rate_limits";
}

impl InForce for RequestLimits {
    const KEY: &'static str = "server.request_limits";
}

impl InForce for CrossOrigin {
    const KEY: &'static str = "server.cross_origin";
}

impl InForce for PeerWatch {
    const KEY: &'static str = "network.peer_watch";
}

impl InForce for Rollout {
    const KEY: &'static str = "configuration.rollout";
}

impl InForce for Notifications {
    const KEY: &'static str = "monitoring.notifications";
}

impl InForce for Overrides {
    const KEY: &'static str = "protocol.parameters";
}

/// A key, and what it says.
pub struct SettingKey {
    /// Its name.
    pub key: Key,
    /// What it sets, as a sentence.
    pub title: &'static str,
    /// Whether somebody else than its proposer must approve a value.
    pub four_eyes: bool,
    /// What a value must be: JSON Schema, draft 2020-12.
    pub schema: Value,
    validator: Validator,
}

impl SettingKey {
    fn new<T: InForce>(title: &'static str, four_eyes: bool, properties: Value) -> SettingKey {
        let schema = json!({
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": title,
            "type": "object",
            "additionalProperties": false,
            "properties": properties,
        });
        let validator = jsonschema::draft202012::new(&schema);
        SettingKey {
            key: T::KEY.parse().expect("a test reads every key"),
            title,
            four_eyes,
            validator: validator.expect("a test compiles every schema"),
            schema,
        }
    }

    /// What the schema has against a value.
    pub fn faults(&self, value: &Document) -> Vec<SchemaFault> {
        let fault = |error: jsonschema::ValidationError<'_>| SchemaFault {
            pointer: error.instance_path().to_string(),
            sentence: error.to_string(),
        };
        self.validator.iter_errors(value.value()).map(fault).collect()
    }
}

/// A whole number within bounds.
fn whole(description: &str, minimum: u64, maximum: u64) -> Value {
    json!({"description": description, "type": "integer", "minimum": minimum, "maximum": maximum})
}

/// What each parameter that can be changed may be, by the bounds of the genesis document.
fn protocol_parameters() -> Value {
    let amount = |what: &str| {
        let pattern = "^[1-9][0-9]{0,38}$";
        json!({"description": what, "type": "string", "pattern": pattern})
    };
    let mut properties = json!({
        "bond_min": amount("The smallest bond a validator may have of its own"),
        "churn_per_epoch_max": {
            "description": "Joins plus leaves at one rotation",
            "type": "object",
            "additionalProperties": false,
            "required": ["floor", "one_in"],
            "properties": {},
        },
        "downtime_missed_max_bps":
            whole("A validator that missed a greater part of its duties was down", 0, 10_000),
        "fee_min": amount("The smallest fee of a transaction"),
    });
    for (place, least, most) in parameters::BOUNDS {
        let bounds = json!({"type": "integer", "minimum": least, "maximum": most});
        match place.split_once('/') {
            Some((name, member)) => properties[name]["properties"][member] = bounds,
            None if parameters::FIXED.contains(place) => {}
            None => properties[*place] = bounds,
        }
    }
    properties
}

static ALL: LazyLock<Vec<SettingKey>> = LazyLock::new(|| {
    let a_minute = |what: &str| {
        let words = format!("{what} a minute of one caller; 0 for as many as they like");
        whole(&words, 0, REQUESTS_A_MINUTE_MAX.into())
    };
    let severity = json!({
        "description": "Only of alerts that are this bad or worse",
        "enum": ["info", "warning", "critical"],
    });
    let bytes = |number: usize| u64::try_from(number).unwrap_or(u64::MAX);
    vec![
        SettingKey::new::<Rollout>(
            "For how long a change is watched, and rolled back when an objective becomes urgent",
            true,
            json!({"watch_s": whole("In seconds; 0 for not at all", 0, WATCH_S_LIMIT.into())}),
        ),
        SettingKey::new::<Notifications>(
            "Who is told of alerts",
            true,
            json!({"mails": {
                "description": "Who is written to, at the address they were invited by",
                "type": "array",
                "maxItems": MAILS_MAX,
                "uniqueItems": true,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["principal", "severity"],
                    "properties": {
                        "principal": {"type": "string", "pattern": "^[a-z0-9-]{1,64}$"},
                        "severity": severity,
                    },
                },
            }, "webhooks": {
                "description": "Where requests are sent to, signed by the rules of Standard Webhooks",
                "type": "array",
                "maxItems": WEBHOOKS_MAX,
                "uniqueItems": true,
                "items": {
                    "type": "object",
                    "additionalProperties": false,
                    "required": ["severity", "url"],
                    "properties": {
                        "severity": severity,
                        "url": {
                            "type": "string",
                            "maxLength": 500,
                            "pattern": "^https?://[^\\s/@]+(/[^\\s]*)?$",
                        },
                    },
                },
            }}),
        ),
        SettingKey::new::<PeerWatch>(
            "When a node counts as gone",
            false,
            json!({"peer_stale_ms": whole(
                "After how many milliseconds of silence", STALE_MS_MIN, STALE_MS_LIMIT,
            )}),
        ),
        SettingKey::new::<Overrides>(
            "The protocol parameters that differ from the genesis document, two epochs from now on",
            true,
            protocol_parameters(),
        ),
        SettingKey::new::<CrossOrigin>(
            "Who may ask from a browser on another site (CORS)",
            true,
            json!({"origins": {
                "type": "array",
                "maxItems": ORIGINS_MAX,
                "uniqueItems": true,
                "items": {
                    "type": "string",
                    "maxLength": 200,
                    "pattern": "^https?://[a-z0-9.-]+(:[0-9]{1,5})?$",
                },
            }}),
        ),
        SettingKey::new::<RateLimits>(
            "How many requests a minute one caller may make",
            true,
            json!({
                "commands": a_minute("Commands"),
                "consensus": a_minute("What validators agree by,"),
                "queries": a_minute("Queries"),
                "sign_ins": a_minute("Sign-ins, and credentials that are no good,"),
            }),
        ),
        SettingKey::new::<RequestLimits>(
            "The limits of one request",
            true,
            json!({
                "body_bytes_max":
                    whole("Bytes of its body", bytes(BODY_BYTES_MIN), bytes(BODY_BYTES_LIMIT)),
                "request_ms_max":
                    whole("How long it may take, in milliseconds", REQUEST_MS_MIN, REQUEST_MS_LIMIT),
                "wait_ms_max": whole(
                    "How long it may wait for a read model, in milliseconds", 0, WAIT_MS_LIMIT,
                ),
            }),
        ),
    ]
});

/// Every key, in order.
pub fn all() -> &'static [SettingKey] {
    &ALL
}

/// The key of a name; none when there is no such key.
pub fn find(key: &Key) -> Option<&'static SettingKey> {
    ALL.iter().find(|found| found.key == *key)
}

impl Commands {
    /// The value in force, up to the newest event of the log; the default when nothing was set.
    pub async fn in_force<T: InForce>(&self) -> Result<T, StoreError> {
        let key: Key = T::KEY.parse().expect("a test reads every key");
        let folded = self.state::<Setting>(&key).await?;
        let value = folded.state.value().map(|value| T::deserialize(value.value()));
        // What a schema let in, its type reads: a test holds them together.
        Ok(value.and_then(Result::ok).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(value: Value) -> Document {
        Document::try_from(value).unwrap()
    }

    /// What of the value its key and its type have something against.
    fn judged<T: InForce>(value: Value) -> (usize, bool) {
        let key = find(&T::KEY.parse().unwrap()).unwrap();
        let faults = key.faults(&document(value.clone()));
        (faults.len(), serde_json::from_value::<T>(value).is_ok())
    }

    #[test]
    fn keys_stand_in_order_and_are_found() {
        let keys: Vec<&str> = all().iter().map(|key| key.key.as_str()).collect();
        assert!(keys.is_sorted() && keys.len() == 7, "{keys:?}");
        assert!(find(&"server.nothing".parse().unwrap()).is_none());
    }

    #[test]
    fn what_a_schema_lets_in_its_type_reads() {
        let good = (0, true);
        assert_eq!(judged::<RateLimits>(json!({"queries": 0, "sign_ins": 10})), good);
        assert_eq!(judged::<RequestLimits>(json!({"body_bytes_max": 65_536})), good);
        assert_eq!(judged::<CrossOrigin>(json!({"origins": ["https://a.example:8443"]})), good);
        assert_eq!(judged::<PeerWatch>(json!({"peer_stale_ms": 1_000})), good);
        assert_eq!(judged::<Rollout>(json!({"watch_s": 0})), good);
        let webhook = json!({"severity": "warning", "url": "https://hooks.example/a?b=c"});
        assert_eq!(judged::<Notifications>(json!({"webhooks": [webhook]})), good);
        let mailed = json!({"principal": "user-ada", "severity": "critical"});
        assert_eq!(judged::<Notifications>(json!({"mails": [mailed]})), good);
        assert_eq!(judged::<Notifications>(json!({})), good);
        let churn = json!({"floor": 3, "one_in": 10});
        let changed = json!({"fee_min": "5", "jail_s": 60, "churn_per_epoch_max": churn});
        assert_eq!(judged::<Overrides>(changed), good);
        assert_eq!(judged::<Overrides>(json!({"epoch_blocks": 8})).0, 1);
    }

    #[test]
    fn what_is_wrong_is_said_with_its_place() {
        let key = find(&RateLimits::KEY.parse().unwrap()).unwrap();
        let faults = key.faults(&document(json!({"queries": -1, "commands": "many", "else": 1})));
        let mut pointers: Vec<&str> = faults.iter().map(|fault| fault.pointer.as_str()).collect();
        pointers.sort_unstable();
        assert_eq!(pointers, ["", "/commands", "/queries"]);
        assert!(faults.iter().any(|fault| fault.sentence.contains("minimum")), "{faults:?}");
        assert_eq!(judged::<CrossOrigin>(json!({"origins": ["https://a.example/"]})).0, 1);
        assert_eq!(judged::<Rollout>(json!([])), (1, true));
    }
}
