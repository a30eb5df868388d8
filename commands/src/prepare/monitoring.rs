//! What rules, alerts and objectives must know beyond their own history.
//!
//! Does not decide anything, and measures nothing.

use domain::monitoring::{
    AlertId, RuleId, SloId,
    alert::{self, Alert, Source},
    rule::{self, AlertRule, Standing},
    slo::{self, Slo},
};
use event_store::StoreError;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    policy::{self, Permission},
    request::RequestContext,
};

impl Handled for AlertRule {
    fn permission(command: &rule::Command) -> Permission {
        policy::rule(command)
    }

    async fn prepare(
        _: &Commands,
        id: &RuleId,
        _: &AlertRule,
        _: &rule::Command,
        _: &RequestContext,
    ) -> Result<rule::Known, StoreError> {
        Ok(rule::Known { id: id.clone() })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<AlertRule> {
        &rooms.alert_rules
    }
}

impl Handled for Alert {
    fn permission(command: &alert::Command) -> Permission {
        policy::alert(command)
    }

    async fn prepare(
        commands: &Commands,
        id: &AlertId,
        _: &Alert,
        command: &alert::Command,
        context: &RequestContext,
    ) -> Result<alert::Known, StoreError> {
        use alert::Command;
        let rule_enabled = match command {
            Command::Fire { source: Source::Rule { rule }, .. } => {
                let folded = commands.state::<AlertRule>(rule).await?;
                folded.state.standing == Standing::Enabled
            }
            Command::Fire { source: Source::Alertmanager {} | Source::Program {}, .. }
            | Command::Acknowledge { .. }
            | Command::Silence { .. }
            | Command::Resolve { .. } => false,
        };
        Ok(alert::Known {
            actor: context.actor.principal.clone(),
            id: id.clone(),
            now: context.at,
            rule_enabled,
        })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Alert> {
        &rooms.alerts
    }
}

impl Handled for Slo {
    fn permission(command: &slo::Command) -> Permission {
        policy::slo(command)
    }

    async fn prepare(
        _: &Commands,
        id: &SloId,
        _: &Slo,
        _: &slo::Command,
        _: &RequestContext,
    ) -> Result<slo::Known, StoreError> {
        Ok(slo::Known { id: id.clone() })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Slo> {
        &rooms.slos
    }
}
