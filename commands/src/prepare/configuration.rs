//! What settings and flags must know beyond their own history.
//!
//! Does not decide anything.

use domain::{
    configuration::{
        Document, Key,
        flag::{self, Flag},
        setting::{self, Rule, SchemaFault, Setting},
    },
    parameters::{NOTICE_EPOCHS, Overrides, ParameterFault},
};
use event_store::StoreError;
use serde::Deserialize as _;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    policy::{self, Permission},
    request::RequestContext,
    settings::{self, InForce as _},
};

impl Handled for Flag {
    fn permission(command: &flag::Command) -> Permission {
        policy::flag(command)
    }

    async fn prepare(
        _: &Commands,
        key: &Key,
        _: &Flag,
        _: &flag::Command,
        _: &RequestContext,
    ) -> Result<flag::Known, StoreError> {
        Ok(flag::Known { key: key.clone() })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Flag> {
        &rooms.flags
    }
}

impl Handled for Setting {
    fn permission(command: &setting::Command) -> Permission {
        policy::setting(command)
    }

    async fn prepare(
        commands: &Commands,
        key: &Key,
        state: &Setting,
        command: &setting::Command,
        context: &RequestContext,
    ) -> Result<setting::Known, StoreError> {
        let mut rule = settings::find(key).map(|found| Rule {
            faults: about(state, command).map_or_else(Vec::new, |value| found.faults(value)),
            four_eyes: found.four_eyes,
        });
        if let Some(rule) = rule.as_mut().filter(|rule| rule.faults.is_empty())
            && key.as_str() == Overrides::KEY
            && let Some(value) = about(state, command)
        {
            rule.faults = on_our_chain(commands, value).await?;
        }
        Ok(setting::Known { actor: context.actor.principal.clone(), key: key.clone(), rule })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Setting> {
        &rooms.settings
    }
}

/// The value that a command is about: the one proposed, or the one that would come into force.
fn about<'s>(state: &'s Setting, command: &'s setting::Command) -> Option<&'s Document> {
    use setting::Command;
    match command {
        Command::Propose { value, .. } => Some(value),
        Command::Apply { .. } => state.proposal.as_ref().map(|open| &open.value),
        Command::Rollback { version, .. } => state.version(*version).flatten(),
        Command::Approve { .. } | Command::Reject { .. } => None,
    }
}

/// What our own chain has against other parameters from the epoch after the next one on; nothing
/// before it has begun.
async fn on_our_chain(
    commands: &Commands,
    value: &Document,
) -> Result<Vec<SchemaFault>, StoreError> {
    let Some(ledger) = Box::pin(commands.own_ledger()).await? else { return Ok(Vec::new()) };
    let schedule = ledger.schedule();
    let overrides = Overrides::deserialize(value.value()).unwrap_or_default();
    let epoch = ledger.coming_height().epoch(schedule.genesis().epoch_blocks);
    let epoch = epoch.plus(NOTICE_EPOCHS);
    let faults = match schedule.overridden(&overrides) {
        Ok(parameters) => schedule.faults(epoch, &parameters),
        Err(faults) => faults,
    };
    let fault = |fault: ParameterFault| SchemaFault {
        pointer: format!("/{}", fault.parameter),
        sentence: fault.sentence,
    };
    Ok(faults.into_iter().map(fault).collect())
}
