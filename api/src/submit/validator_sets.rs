//! Validator sets: `/api/v1/validator-sets`.
//!
//! Does not know how a set is chosen.

use std::sync::LazyLock;

use commands::{Outcome, RequestContext, policy};
use domain::{
    validator_set::{Command, ValidatorSet},
    values::ChainId,
};

use super::{Collection, CommandSpec, parse_id};
use crate::{problem::Problem, server::App};

static COMMANDS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    super::specs(Command::NAMES, &Command::examples(), None, policy::validator_set)
});

impl Collection for ValidatorSet {
    const COLLECTION: &'static str = "validator-sets";
    const ID_PARAMETER: &'static str = "chain";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }

    async fn execute(
        app: &App,
        id: Option<&str>,
        command: Command,
        context: RequestContext,
    ) -> Result<Outcome, Problem> {
        let chain: ChainId = parse_id::<ValidatorSet, _>(id)?;
        let done = app.commands.execute::<ValidatorSet>(chain, command, context).await;
        done.map_err(Problem::of_command)
    }
}
