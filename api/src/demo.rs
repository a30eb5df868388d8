//! The demonstration: a server that fills itself, so that there is something to look at.
//!
//! Does nothing that a client could not do: every step is a command or an import.

pub mod headers;
pub mod network;

use std::{collections::BTreeMap, time::Duration};

use clap::Args;
use commands::{Actor, Role};
use domain::{chain::EPOCH_HEADERS_DEFAULT, light::LightBlock, values::ChainId};
use serde_json::json;
use tracing::info;

use crate::{
    cli::{ACTOR, Failure, import::with_progress, terminal::Terminal},
    config::Config,
    import::{self, ARCHIVE_TRUSTING_PERIOD_S, ImportOptions},
    serve::{self, Server},
    shutdown::Shutdown,
};

/// The name of the chain whose headers are made when no file is given.
const MADE_CHAIN: &str = "made-1";
/// How many headers are made.
const MADE_HEADERS: u32 = 200;

/// What the demonstration shows.
#[derive(Debug, Args)]
pub struct Arguments {
    /// A file of signed headers to import [default: a chain made with real keys and signatures]
    #[arg(long, value_name = "FILE")]
    headers: Option<String>,
    /// Stop after this time, e.g. 30s or 5m [default: stay up until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    stay: Option<Duration>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
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

/// `node0 demo`: serves, starts a chain of its own, imports signed headers, and says where to look.
pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let given = arguments.headers.as_deref().map(import::read_file).transpose()?;
    let mut shutdown = Shutdown::listen().map_err(Failure::unreachable)?;
    let started = tokio::select! {
        started = Server::start(config) => started,
        _ = shutdown.asked() => return Ok(()),
    };
    let mut server = started.map_err(Failure::unreachable)?;
    let shown = tokio::select! {
        shown = show(&server, given, terminal) => shown,
        _ = shutdown.asked() => Err(Failure::refused("stopped before everything was shown")),
    };
    let ended = match shown {
        Ok(()) => stay(&mut server, &mut shutdown, arguments.stay).await,
        Err(failure) => Err(failure),
    };
    server.stop().await.map_err(Failure::unreachable)?;
    ended
}

async fn show(
    server: &Server,
    given: Option<Vec<LightBlock>>,
    terminal: Terminal,
) -> Result<(), Failure> {
    serve::tell(server, terminal)?;
    let actor = Actor::new(ACTOR, Role::SuperAdmin);
    let network = network::start(server.commands(), &actor).await.map_err(Failure::refused)?;
    terminal.say(|_| network.to_string(), &network)?;
    let chain = import_headers(server, given, terminal).await?;
    let address = format!("http://{}", server.address());
    let places = [
        ("headers", format!("{address}/api/v1/chains/{chain}/headers")),
        ("validators", format!("{address}/api/v1/validators")),
        ("activity", format!("{address}/api/v1/activity")),
        ("API documentation", format!("{address}/docs")),
        ("GraphQL", format!("{address}/graphql")),
        ("health", format!("{address}/readyz")),
    ];
    let object = json!({ "look": places.iter().cloned().collect::<BTreeMap<_, _>>() });
    let sentence = |paint: crate::cli::terminal::Paint| {
        let lines: Vec<String> = places
            .iter()
            .map(|(name, url)| format!("  {name:<18} {}", paint.strong(url)))
            .collect();
        format!("Where to look:\n{}", lines.join("\n"))
    };
    terminal.say(sentence, &object)
}

async fn import_headers(
    server: &Server,
    given: Option<Vec<LightBlock>>,
    terminal: Terminal,
) -> Result<ChainId, Failure> {
    let commands = server.commands();
    let blocks = match given {
        Some(blocks) => blocks,
        None => {
            let chain: ChainId = MADE_CHAIN.parse().map_err(Failure::refused)?;
            let newest = commands.newest_stream(&chain).await?;
            if commands.aggregate::<domain::chain::Chain>(&newest).await?.is_some() {
                let object = json!({ "chain": chain, "made": 0 });
                terminal.say(|_| format!("{chain}: imported in an earlier run"), &object)?;
                return Ok(chain);
            }
            headers::make(&chain, MADE_HEADERS).map_err(Failure::refused)?
        }
    };
    let first = blocks.first().ok_or_else(|| Failure::refused("the file holds no headers"))?;
    let options = ImportOptions {
        chain: first.signed_header.chain_id().clone(),
        epoch_headers: EPOCH_HEADERS_DEFAULT,
        trusting_period_s: ARCHIVE_TRUSTING_PERIOD_S,
        trust_hash: None,
    };
    with_progress(commands, &options, blocks, terminal).await?;
    Ok(options.chain)
}

async fn stay(
    server: &mut Server,
    shutdown: &mut Shutdown,
    time: Option<Duration>,
) -> Result<(), Failure> {
    let over = async {
        match time {
            Some(time) => tokio::time::sleep(time).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = over => info!("the time is over"),
        signal = shutdown.asked() => info!(signal, "asked to stop"),
        error = server.failed() => return Err(Failure::unreachable(error)),
    }
    Ok(())
}
