//! The conditions of a command, from its headers: key, expected version, dry run, wait.
//!
//! Does not know the command.

use std::sync::Arc;

use axum::http::{HeaderMap, HeaderName, header};
use commands::request::IDEMPOTENCY_KEY_BYTES_MAX;

use crate::problem::{Fault, Problem};

/// `Idempotency-Key`: makes a command repeatable.
pub const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// `Dry-Run: true`: decide, append nothing.
pub const DRY_RUN: HeaderName = HeaderName::from_static("dry-run");
/// `Prefer: wait=<ms>`: reply when the read models show it; `wait=sealed`: with a receipt.
pub const PREFER: HeaderName = HeaderName::from_static("prefer");
/// `Preference-Applied`: says that they do.
pub const PREFERENCE_APPLIED: HeaderName = HeaderName::from_static("preference-applied");
/// `Position`: what a reply reflects.
pub const POSITION: HeaderName = HeaderName::from_static("position");
/// `Min-Position`: what a query must reflect at least.
pub const MIN_POSITION: HeaderName = HeaderName::from_static("min-position");

/// The conditions of one command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    /// The key under which the command is done once.
    pub idempotency_key: Option<Arc<str>>,
    /// The version the stream must have.
    pub expected_version: Option<u64>,
    /// Whether nothing is to be appended.
    pub dry_run: bool,
    /// How long to wait for the read models.
    pub wait_ms: Option<u64>,
    /// Whether to wait for the receipt.
    pub wait_sealed: bool,
}

impl Conditions {
    /// Reads them; all that break their rule are named at once.
    pub fn of(headers: &HeaderMap) -> Result<Conditions, Problem> {
        let mut faults = Vec::new();
        let mut keep = |name: &str, fault: String| faults.push(Fault::of(name, fault));
        let mut conditions = Conditions::default();
        if let Some(value) = headers.get(IDEMPOTENCY_KEY) {
            match value.to_str() {
                Ok(key) if is_key(key) => conditions.idempotency_key = Some(Arc::from(key)),
                Ok(_) | Err(_) => keep(
                    "Idempotency-Key",
                    format!("must be 1 to {IDEMPOTENCY_KEY_BYTES_MAX} visible ASCII characters"),
                ),
            }
        }
        if let Some(value) = headers.get(header::IF_MATCH) {
            match value.to_str().ok().and_then(version) {
                Some(version) => conditions.expected_version = Some(version),
                None => {
                    let rule = "must be one strong version tag such as \"3\", \"0\" for none yet";
                    keep("If-Match", rule.to_owned());
                }
            }
        }
        if let Some(value) = headers.get(DRY_RUN) {
            match value.as_bytes() {
                b"true" => conditions.dry_run = true,
                b"false" => {}
                _ => keep("Dry-Run", "must be true or false".to_owned()),
            }
        }
        for value in headers.get_all(PREFER) {
            let preferred = value.to_str().map_err(drop);
            if preferred.and_then(|value| conditions.prefer(value)).is_err() {
                keep("Prefer", "wait must be a number of milliseconds, or sealed".to_owned());
            }
        }
        if faults.is_empty() { Ok(conditions) } else { Err(Problem::invalid_parameters(faults)) }
    }

    /// Preferences not known here are passed over, as RFC 7240 asks.
    fn prefer(&mut self, preferences: &str) -> Result<(), ()> {
        for preference in preferences.split(',') {
            let (name, value) = preference.split_once('=').unwrap_or((preference, ""));
            if !name.trim().eq_ignore_ascii_case("wait") {
                continue;
            }
            match value.trim().trim_matches('"') {
                "sealed" => self.wait_sealed = true,
                ms => self.wait_ms = Some(ms.parse().map_err(drop)?),
            }
        }
        Ok(())
    }
}

/// Whether a text can be an idempotency key.
pub fn is_key(text: &str) -> bool {
    (1..=IDEMPOTENCY_KEY_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The version in a strong entity tag.
fn version(tag: &str) -> Option<u64> {
    let digits = tag.trim().strip_prefix('"')?.strip_suffix('"')?;
    let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
    (plain && (digits.len() == 1 || !digits.starts_with('0'))).then(|| digits.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&'static str, &str)]) -> Result<Conditions, Vec<String>> {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        Conditions::of(&headers).map_err(|problem| {
            let members = problem.members("r");
            let errors = members["errors"].as_array().unwrap();
            errors.iter().map(|e| e["parameter"].as_str().unwrap().to_owned()).collect()
        })
    }

    #[test]
    fn conditions_are_read_from_their_headers() {
        let given = read(&[
            ("idempotency-key", "order/7"),
            ("if-match", "\"12\""),
            ("dry-run", "true"),
            ("prefer", "respond-async, wait=250, wait=sealed"),
        ]);
        let expected = Conditions {
            idempotency_key: Some("order/7".into()),
            expected_version: Some(12),
            dry_run: true,
            wait_ms: Some(250),
            wait_sealed: true,
        };
        assert_eq!(given, Ok(expected));
        assert_eq!(read(&[("dry-run", "false")]), Ok(Conditions::default()));
    }

    #[test]
    fn all_bad_headers_are_named() {
        let long = "k".repeat(129);
        for key in ["", "a b", long.as_str()] {
            for tag in ["3", "W/\"3\"", "*", "\"03\"", "\"x\"", "\"\"", "\"1\", \"2\""] {
                let bad = read(&[
                    ("idempotency-key", key),
                    ("if-match", tag),
                    ("dry-run", "yes"),
                    ("prefer", "wait=soon"),
                ]);
                let all = ["Idempotency-Key", "If-Match", "Dry-Run", "Prefer"];
                assert_eq!(bad, Err(all.map(str::to_owned).to_vec()), "{key:?} {tag:?}");
            }
        }
    }
}
