//! Principals: `/api/v1/principals`.
//!
//! Only what others do to a principal can be posted; what it does itself, having proved who it is,
//! is in [`crate::identity`].

use std::sync::LazyLock;

use commands::policy;
use domain::identity::principal::{Command, Principal};

use super::{Collection, CommandSpec};

/// What can be posted. That a key is destroyed is said by whoever destroys it.
const POSTED: [&str; 13] = [
    "grant-role",
    "revoke-role",
    "suspend",
    "reactivate",
    "close",
    "unlock",
    "revoke-session",
    "revoke-all-sessions",
    "remove-mfa",
    "revoke-api-key",
    "lay-legal-hold",
    "lift-legal-hold",
    "erase-personal-data",
];

static COMMANDS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    let all = super::specs(Command::NAMES, &Command::examples(), None, policy::principal);
    all.into_iter().filter(|spec| POSTED.contains(&spec.name)).collect()
});

impl Collection for Principal {
    const COLLECTION: &'static str = "principals";
    const ID_PARAMETER: &'static str = "principal";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }
}
