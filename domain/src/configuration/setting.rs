//! One setting: what was proposed, who approved it, what is in force and what was before.
//!
//! Does not know its schema, its default, nor what reads it: what must be known is handed in.
//!
//! The story. Somebody proposes a value. It is judged against the key's schema, and shown as a
//! difference to what is in force. Somebody approves it, somebody else than its proposer where the
//! key says so; then it is applied and is the next version. One proposal is open at a time; it may
//! be rejected, or taken back by its proposer. Rolling back puts an earlier version's value in
//! force, as a new version. Version 0 is the default, which is not written here. Secrets are no
//! settings.

mod command;
mod decide;
mod event;
mod refusal;
mod state;

pub use command::Command;
pub use event::{
    Event, SettingApplied, SettingApproved, SettingProposed, SettingRejected, SettingRolledBack,
};
pub use refusal::Refusal;
pub use state::{Proposal, Setting};

use serde::Serialize;

use super::Key;
use crate::{aggregate::Aggregate, values::PrincipalId};

/// How many earlier versions can be rolled back to.
pub const VERSIONS_KEPT: usize = 50;

/// What a decision must know beyond the setting's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who asks; none for the program itself.
    pub actor: Option<PrincipalId>,
    /// The key the stream is named by.
    pub key: Key,
    /// What the key says; none when there is no such key.
    pub rule: Option<Rule>,
}

/// What a key says.
#[derive(Clone, Debug, Default)]
pub struct Rule {
    /// What the key's schema has against the value that the command is about: the one proposed, or
    /// the one that would come into force.
    pub faults: Vec<SchemaFault>,
    /// Whether somebody else than its proposer must approve.
    pub four_eyes: bool,
}

/// Something a schema has against a value.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SchemaFault {
    /// Where, as a JSON pointer; empty for the whole.
    pub pointer: String,
    /// What is wrong there.
    pub sentence: String,
}

impl Aggregate for Setting {
    const CATEGORY: &'static str = "setting";
    type Id = Key;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, known)
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        state::evolve(self, event);
    }
}
