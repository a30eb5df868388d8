//! Accounts: `/api/v1/accounts`.
//!
//! Does not know what an account has. Transactions have a way in of their own
//! ([`super::transactions`]).

use std::sync::LazyLock;

use commands::{Outcome, RequestContext, policy};
use domain::{
    transaction::{Account, Command},
    values::Address,
};

use super::{Collection, CommandSpec, parse_id};
use crate::{problem::Problem, server::App};

static COMMANDS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| super::specs(Command::NAMES, &Command::examples(), None, policy::account));

impl Collection for Account {
    const COLLECTION: &'static str = "accounts";
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
        let address: Address = parse_id::<Account, _>(id)?;
        let done = app.commands.execute::<Account>(address, command, context).await;
        done.map_err(Problem::of_command)
    }
}
