//! Chains: `/api/v1/chains`. A chain's path has its id alone; which of its epochs' streams a
//! command speaks to follows from the command and from what is open.
//!
//! Does not know what a header must fulfil.

use std::sync::LazyLock;

use commands::{CommandError, Outcome, RequestContext, policy};
use domain::{
    chain::{Chain, ChainStream, Command, Refusal},
    light::LightBlock,
    values::ChainId,
};

use super::{Collection, CommandSpec, parse_id, parse_tagged};
use crate::{
    body,
    problem::{Fault, Problem},
    server::App,
};

static COMMANDS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    super::specs(Command::NAMES, &Command::examples(), Some("initialise-genesis"), policy::chain)
});

impl Collection for Chain {
    const COLLECTION: &'static str = "chains";
    const ID_PARAMETER: &'static str = "chain";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }

    /// A genesis document is the body itself, since its hash is that of its exact bytes.
    fn parse(spec: &CommandSpec, body: &[u8]) -> Result<Command, Problem> {
        if !spec.creates {
            return parse_tagged(spec, body);
        }
        body::parse(body)?;
        Ok(Command::InitialiseGenesis { document: body::text(body)?.to_owned() })
    }

    async fn execute(
        app: &App,
        id: Option<&str>,
        command: Command,
        context: RequestContext,
    ) -> Result<Outcome, Problem> {
        if let Command::InitialiseGenesis { document } = command {
            return done(app.commands.initialise_genesis(document, context).await);
        }
        let chain: ChainId = parse_id::<Chain, _>(id)?;
        let stream = match command {
            Command::ObserveHeader { signed_header, validator_set, next_validator_set } => {
                let block = LightBlock { signed_header, validator_set, next_validator_set };
                return done(app.commands.observe_header(&chain, block, context).await);
            }
            Command::StartObservation { anchor, epoch_headers, trusting_period_s } => {
                same_chain(&chain, &anchor)?;
                let begun = app.commands.start_observation(
                    anchor,
                    epoch_headers,
                    trusting_period_s,
                    context,
                );
                return done(begun.await);
            }
            Command::OpenEpoch {} => {
                let newest = app.commands.newest_stream(&chain).await?;
                ChainStream { epoch: newest.epoch.plus(1), ..newest }
            }
            Command::CreateSnapshot { height } => {
                return done(app.commands.create_snapshot(&chain, height, context).await);
            }
            Command::ScheduleParameters {} => {
                return done(app.commands.schedule_parameters(&chain, context).await);
            }
            Command::InitialiseGenesis { .. }
            | Command::CloseEpoch { .. }
            | Command::ReportFork { .. }
            | Command::ResolveFork { .. }
            | Command::ApplyBlock { .. }
            | Command::PruneBefore { .. } => app.commands.newest_stream(&chain).await?,
        };
        done(app.commands.execute::<Chain>(stream, command, context).await)
    }

    fn public_id(stream_id: &str) -> &str {
        stream_id.rsplit_once('-').map_or(stream_id, |(chain, _epoch)| chain)
    }
}

fn done(answer: Result<Outcome, CommandError<Refusal>>) -> Result<Outcome, Problem> {
    answer.map_err(Problem::of_command)
}

/// The anchor names its chain, and so does the path: they must agree.
fn same_chain(chain: &ChainId, anchor: &LightBlock) -> Result<(), Problem> {
    let found = anchor.signed_header.chain_id();
    if found == chain {
        return Ok(());
    }
    let detail = format!("the header is of chain {found}, the path names chain {chain}");
    Err(Problem::invalid_body(vec![Fault::at("/anchor/signed_header", detail)]))
}
