//! Accounts: `/api/v1/accounts`.
//!
//! Does not know what an account has. Transactions have a way in of their own
//! ([`super::transactions`]).

use std::sync::LazyLock;

use commands::policy;
use domain::transaction::{Account, Command};

use super::{Collection, CommandSpec};

static COMMANDS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| super::specs(Command::NAMES, &Command::examples(), None, policy::account));

impl Collection for Account {
    const COLLECTION: &'static str = "accounts";
    const ID_PARAMETER: &'static str = "address";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }
}
