//! Blocks: `/api/v1/blocks`. A new block is posted to the collection itself: its hash names it.
//!
//! Does not know what a block must fulfil.

use std::sync::LazyLock;

use commands::{Outcome, RequestContext, policy};
use domain::{
    block::{Block, Command},
    values::Hash,
};

use super::{Collection, CommandSpec, parse_id};
use crate::{problem::Problem, server::App};

static COMMANDS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    super::specs(Command::NAMES, &Command::examples(), Some("propose"), policy::block)
});

impl Collection for Block {
    const COLLECTION: &'static str = "blocks";
    const ID_PARAMETER: &'static str = "hash";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }

    async fn execute(
        app: &App,
        id: Option<&str>,
        command: Command,
        context: RequestContext,
    ) -> Result<Outcome, Problem> {
        let done = match command {
            // The body is kept before the event that names it.
            Command::Propose(contents) => app.commands.propose_block(*contents, context).await,
            Command::Validate {} | Command::Finalize { .. } | Command::Abandon { .. } => {
                let hash: Hash = parse_id::<Block, _>(id)?;
                app.commands.execute::<Block>(hash, command, context).await
            }
        };
        done.map_err(Problem::of_command)
    }
}
