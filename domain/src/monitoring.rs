//! Is it well: rules, the alerts they raise, and objectives with their error budgets.
//!
//! Does not measure anything: samples are handed in and are never events.

pub mod alert;
mod count;
mod name;
pub mod rule;
pub mod slo;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use count::Count;
pub use name::{AlertId, RuleId, SloId};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Severity {
    /// Good to know.
    Info,
    /// To be looked at by day.
    Warning,
    /// To be looked at now.
    Critical,
}

impl Severity {
    /// Every severity, from the least.
    pub const ALL: [Severity; 3] = [Severity::Info, Severity::Warning, Severity::Critical];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Warning => "warning",
            Severity::Critical => "critical",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
