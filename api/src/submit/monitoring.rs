//! Rules, alerts and objectives: `/api/v1/alert-rules`, `/api/v1/alerts`, `/api/v1/slos`.
//!
//! Does not know what is measured.

use std::sync::LazyLock;

use commands::policy;
use domain::monitoring::{
    alert::{self, Alert},
    rule::{self, AlertRule},
    slo::{self, Slo},
};

use super::{Collection, CommandSpec, specs};

static OF_RULES: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| specs(rule::Command::NAMES, &rule::Command::examples(), None, policy::rule));

static OF_ALERTS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    specs(alert::Command::NAMES, &alert::Command::examples(), None, policy::alert)
});

static OF_SLOS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| specs(slo::Command::NAMES, &slo::Command::examples(), None, policy::slo));

impl Collection for AlertRule {
    const COLLECTION: &'static str = "alert-rules";
    const ID_PARAMETER: &'static str = "rule";

    fn commands() -> &'static [CommandSpec] {
        &OF_RULES
    }
}

impl Collection for Alert {
    const COLLECTION: &'static str = "alerts";
    const ID_PARAMETER: &'static str = "alert";

    fn commands() -> &'static [CommandSpec] {
        &OF_ALERTS
    }
}

impl Collection for Slo {
    const COLLECTION: &'static str = "slos";
    const ID_PARAMETER: &'static str = "slo";

    fn commands() -> &'static [CommandSpec] {
        &OF_SLOS
    }
}
