//! The demonstration: a whole network on one machine. A server, validators as processes with keys
//! of their own, and a workload of signed transactions over HTTP, shown as it happens.
//!
//! Does nothing that its users could not do: every step is a command, a request or an import.

mod liar;
pub mod network;
mod show;
pub mod tally;
mod validators;
mod view;
pub mod watch;
pub mod workload;

use std::time::Duration;

use clap::Args;
use domain::{chain::EPOCH_HEADERS_DEFAULT, light::LightBlock};
use tracing::info;

use crate::{
    cli::{Failure, import::with_progress, terminal::Terminal},
    config::Config,
    import::{self, ARCHIVE_TRUSTING_PERIOD_S, ImportOptions},
    serve::{self, Server},
    shutdown::Shutdown,
};
use network::VALIDATORS_MAX;
use show::Show;

/// What the demonstration shows.
#[derive(Debug, Args)]
pub struct Arguments {
    /// How many validators a new network has
    #[arg(long, value_name = "COUNT", default_value_t = 4, value_parser = count)]
    validators: usize,
    /// How many transactions are submitted per second; 0 submits none
    #[arg(long, value_name = "PER_SECOND", default_value_t = 200)]
    rate: u32,
    /// How many of them a request carries [default: as many as make 20 requests a second]
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u32).range(1..=1_000))]
    batch: Option<u32>,
    /// Stop after this time, e.g. 30s or 5m [default: stay up until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    stay: Option<Duration>,
    /// Kill a validator now and then; it comes back after a few seconds
    #[arg(long)]
    crash: bool,
    /// Have the last validator sign two different votes
    #[arg(long)]
    equivocate: bool,
    /// A file of signed headers of a foreign chain to import at the beginning
    #[arg(long, value_name = "FILE")]
    headers: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Reads a number of validators.
fn count(text: &str) -> Result<usize, String> {
    let wrong = || format!("{text:?} is not a number from 1 to {VALIDATORS_MAX}");
    text.parse().ok().filter(|count| (1..=VALIDATORS_MAX).contains(count)).ok_or_else(wrong)
}

/// Reads `30s`, `5m` or `1h`.
fn time(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time: write e.g. 30s, 5m or 1h");
    let unit = text.chars().last().ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        _ => return Err(wrong()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    count.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

/// `node0 demo`: until its time is over or it is asked to stop; then the summary. What it finds
/// wrong in the summary ends it with exit code 1.
pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let given = arguments.headers.as_deref().map(import::read_file).transpose()?;
    let mut shutdown = Shutdown::listen().map_err(Failure::unreachable)?;
    let started = tokio::select! {
        started = Server::start(config) => started,
        _ = shutdown.asked() => return Ok(()),
    };
    let mut server = started.map_err(Failure::unreachable)?;
    let shown = show(&mut server, config, arguments, given, terminal, &mut shutdown).await;
    server.stop().await.map_err(Failure::unreachable)?;
    shown
}

async fn show(
    server: &mut Server,
    config: &Config,
    arguments: &Arguments,
    given: Option<Vec<LightBlock>>,
    terminal: Terminal,
    shutdown: &mut Shutdown,
) -> Result<(), Failure> {
    serve::tell(server, terminal)?;
    let begun = tokio::select! {
        begun = async {
            if let Some(blocks) = given {
                import_headers(server, blocks, terminal).await?;
            }
            Show::begin(server, config, arguments, terminal).await
        } => begun,
        _ = shutdown.asked() => Err(Failure::refused("stopped before the network was up")),
    };
    let mut show = begun?;
    let app = server.surface().clone();
    let lived = tokio::select! {
        lived = show.live(&app, arguments.stay) => lived,
        error = server.failed() => Err(Failure::unreachable(error)),
        signal = shutdown.asked() => {
            info!(signal, "asked to stop");
            Ok(())
        }
    };
    let settled = tokio::select! {
        () = show.settle(&app) => Ok(()),
        _ = shutdown.asked() => Err(Failure::refused("stopped while transactions were waiting")),
    };
    let ended = show.end(&app).await;
    lived.and(settled).and(ended)
}

async fn import_headers(
    server: &Server,
    blocks: Vec<LightBlock>,
    terminal: Terminal,
) -> Result<(), Failure> {
    let first = blocks.first().ok_or_else(|| Failure::refused("the file holds no headers"))?;
    let options = ImportOptions {
        chain: first.signed_header.chain_id().clone(),
        epoch_headers: EPOCH_HEADERS_DEFAULT,
        trusting_period_s: ARCHIVE_TRUSTING_PERIOD_S,
        trust_hash: None,
    };
    with_progress(&server.surface().commands, &options, blocks, terminal).await.map(drop)
}
