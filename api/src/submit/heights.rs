//! Heights: `/api/v1/heights`. One is named `<chain>-<height>`, as its stream is.
//!
//! Does not know what anybody must sign.

use std::sync::LazyLock;

use commands::policy;
use domain::consensus::{Command, ConsensusHeight};

use super::{Collection, CommandSpec};

static COMMANDS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| super::specs(Command::NAMES, &Command::examples(), None, policy::consensus));

impl Collection for ConsensusHeight {
    const COLLECTION: &'static str = "heights";
    const ID_PARAMETER: &'static str = "chain_height";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }
}
