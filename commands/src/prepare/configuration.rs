//! What settings and flags must know beyond their own history.
//!
//! Does not decide anything.

use domain::configuration::{
    Document, Key,
    flag::{self, Flag},
    setting::{self, Rule, Setting},
};
use event_store::StoreError;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    policy::{self, Permission},
    request::RequestContext,
    settings,
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
        _: &Commands,
        key: &Key,
        state: &Setting,
        command: &setting::Command,
        context: &RequestContext,
    ) -> Result<setting::Known, StoreError> {
        let rule = settings::find(key).map(|found| Rule {
            faults: about(state, command).map_or_else(Vec::new, |value| found.faults(value)),
            four_eyes: found.four_eyes,
        });
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
