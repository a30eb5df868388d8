//! Chains: `/api/v1/chains`. A chain's path has its id alone; which of its epochs' streams a command
//! speaks to follows from the command and from what is open.
//!
//! Does not know what a header must fulfil.

use std::sync::LazyLock;

use bytes::Bytes;
use commands::{CommandError, Outcome, RequestContext, policy};
use domain::{
    chain::{Chain, ChainStream, Command, Refusal},
    genesis,
    light::LightBlock,
    values::{ChainId, Epoch},
};

use super::{Collection, CommandSpec, parse_id, parse_tagged};
use crate::{body, problem::Problem, server::App};

static COMMANDS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    super::specs(
        Command::NAMES,
        &Command::examples(),
        Some("initialise-genesis"),
        policy::chain,
    )
});

impl Collection for Chain {
    const COLLECTION: &'static str = "chains";
    const ID_PARAMETER: &'static str = "chain";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }

    /// A genesis document is the body itself, since its hash is that of its exact bytes.
    fn parse(spec: &CommandSpec, body: &Bytes) -> Result<Command, Problem> {
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
        if let Command::InitialiseGenesis { document } = &command {
            let stream = genesis_stream(document).map_err(Problem::of_command)?;
            return done(app.commands.execute::<Chain>(stream, command, context).await);
        }
        let chain: ChainId = parse_id::<Chain, _>(id)?;
        let stream = match command {
            Command::ObserveHeader { signed_header, validator_set, next_validator_set } => {
                let block = LightBlock { signed_header, validator_set, next_validator_set };
                return done(app.commands.observe_header(&chain, block, context).await);
            }
            Command::StartObservation { ref anchor, epoch_headers, .. } => {
                ChainStream::of(chain, anchor.signed_header.height(), epoch_headers)
            }
            Command::OpenEpoch {} => {
                let newest = app.commands.newest_stream(&chain).await?;
                ChainStream { epoch: newest.epoch.plus(1), ..newest }
            }
            Command::InitialiseGenesis { .. }
            | Command::CloseEpoch { .. }
            | Command::ReportFork { .. }
            | Command::ResolveFork { .. } => app.commands.newest_stream(&chain).await?,
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

/// The stream a genesis document begins; all its faults when it is none.
fn genesis_stream(document: &str) -> Result<ChainStream, CommandError<Refusal>> {
    let report = genesis::check(document.as_bytes());
    let Some(genesis) = report.genesis else {
        let (count, faults) = (report.faults_count, report.faults);
        return Err(CommandError::Refused(Refusal::GenesisFaulty { count, faults }));
    };
    let epoch = match &genesis.ours {
        Ok(ours) => genesis.initial_height.epoch(ours.parameters.epoch_blocks),
        // The decision says what is wrong with it, whatever the stream.
        Err(_) => Epoch::FIRST,
    };
    Ok(ChainStream { chain: genesis.chain_id, epoch })
}
