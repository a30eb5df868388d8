//! Validators: `/api/v1/validators`.
//!
//! Does not know what a validator may do when.

use std::sync::LazyLock;

use commands::{Outcome, RequestContext, policy};
use domain::{
    validator::{Command, Validator},
    values::Address,
};

use super::{Collection, CommandSpec, parse_id};
use crate::{problem::Problem, server::App};

static COMMANDS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    super::specs(Command::NAMES, &Command::examples(), Some("register"), policy::validator)
});

impl Collection for Validator {
    const COLLECTION: &'static str = "validators";
    const ID_PARAMETER: &'static str = "address";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }

    async fn execute(
        app: &App,
        id: Option<&str>,
        command: Command,
        context: RequestContext,
    ) -> Result<Outcome, Problem> {
        let address = address(&command, id)?;
        let done = app.commands.execute::<Validator>(address, command, context).await;
        done.map_err(Problem::of_command)
    }
}

/// The validator a command is for: the one in the path, or the one whose key registers.
pub(super) fn address(command: &Command, id: Option<&str>) -> Result<Address, Problem> {
    match command {
        Command::Register(registration) => Ok(registration.public_key.address()),
        Command::RequestRegistration(_)
        | Command::FailRegistration { .. }
        | Command::Deregister {}
        | Command::Activate {}
        | Command::UpdateProfile { .. }
        | Command::SetCommission { .. }
        | Command::Bond { .. }
        | Command::Unbond { .. }
        | Command::Delegate { .. }
        | Command::Undelegate { .. }
        | Command::CompleteUnbonding { .. }
        | Command::RecordPerformance { .. }
        | Command::Jail { .. }
        | Command::Unjail {}
        | Command::Slash { .. }
        | Command::InitiateExit {}
        | Command::CompleteExit {} => parse_id::<Validator, _>(id),
    }
}
