//! Validator sets: `/api/v1/validator-sets`.
//!
//! Does not know how a set is chosen.

use std::sync::LazyLock;

use commands::policy;
use domain::validator_set::{Command, ValidatorSet};

use super::{Collection, CommandSpec};

static COMMANDS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    super::specs(Command::NAMES, &Command::examples(), None, policy::validator_set)
});

impl Collection for ValidatorSet {
    const COLLECTION: &'static str = "validator-sets";
    const ID_PARAMETER: &'static str = "chain";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }
}
