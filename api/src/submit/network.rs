//! Nodes, and networks torn apart: `/api/v1/peers`, `/api/v1/partitions`.
//!
//! Does not know who is connected.

use std::sync::LazyLock;

use commands::policy;
use domain::network::{
    partition::{self, Partitions},
    peer::{self, Peer},
};

use super::{Collection, CommandSpec, specs};

static OF_PEERS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| specs(peer::Command::NAMES, &peer::Command::examples(), None, policy::peer));

static OF_PARTITIONS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    specs(partition::Command::NAMES, &partition::Command::examples(), None, policy::partition)
});

impl Collection for Peer {
    const COLLECTION: &'static str = "peers";
    const ID_PARAMETER: &'static str = "peer";

    fn commands() -> &'static [CommandSpec] {
        &OF_PEERS
    }
}

impl Collection for Partitions {
    const COLLECTION: &'static str = "partitions";
    const ID_PARAMETER: &'static str = "chain";

    fn commands() -> &'static [CommandSpec] {
        &OF_PARTITIONS
    }
}
