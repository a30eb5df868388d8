//! `node0 validator`: a key of its own, its registration, and the validator at work.
//!
//! Does not know what a validator signs, nor why.

pub(crate) mod keygen;

use std::path::{Path, PathBuf};

use agent::{Key, News, Options, Server, Trust, Wanted};
use clap::{Args, Subcommand};
use domain::values::{
    Amount, Bps, ChainId, Contact, Moniker, Operator, PeerAddress, Reservation, Website,
};
use serde_json::json;
use tokio::sync::mpsc;

use super::{
    ACTOR, Failure, TOKEN_VARIABLE,
    terminal::{Paint, Terminal},
};
use crate::shutdown::Shutdown;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a new Ed25519 key, in a file that only its owner can read
    Keygen {
        /// Where the key goes; an existing file is never overwritten
        #[arg(long, value_name = "FILE", default_value = "priv_validator_key.json")]
        out: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Work as a validator: follow a server, judge and execute every block, propose and vote, until
    /// SIGTERM or Ctrl-C
    Run {
        #[command(flatten)]
        access: Access,
        /// Where it keeps what it signed last; for one process at a time
        #[arg(long, value_name = "FOLDER")]
        state: PathBuf,
        /// Where others reach its node; where it speaks to the server from when it is not said
        #[arg(long, value_name = "HOST:PORT")]
        announce: Option<PeerAddress>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Register a key as a validator
    Register(Box<Registering>),
}

/// A server, and as whom it is asked.
#[derive(Debug, Args)]
pub struct Access {
    /// The server, e.g. http://127.0.0.1:8080 or https://node0.example
    #[arg(long, value_name = "URL")]
    server: String,
    /// The file with the token for it; else the variable NODE0_TOKEN holds it
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Authorities whose certificates are believed instead of those that the system trusts, in PEM
    #[arg(long, value_name = "FILE")]
    server_ca: Option<PathBuf>,
    /// The certificate and its key that are shown to the server, in one PEM file
    #[arg(long, value_name = "FILE")]
    client_certificate: Option<PathBuf>,
    /// The validator's key, as `node0 validator keygen` makes it
    #[arg(long, value_name = "FILE", default_value = "priv_validator_key.json")]
    key: PathBuf,
}

/// What is said of a new validator.
#[derive(Debug, Args)]
pub struct Registering {
    #[command(flatten)]
    access: Access,
    /// The chain it will validate; the server's own when it is not said
    #[arg(long, value_name = "ID")]
    chain: Option<ChainId>,
    /// The name it shows
    #[arg(long, value_name = "NAME")]
    moniker: Moniker,
    /// Its share of what its delegators earn, in basis points
    #[arg(long, value_name = "BPS", value_parser = bps)]
    commission_bps: Bps,
    /// The stake it puts down
    #[arg(long, value_name = "AMOUNT")]
    bond: Amount,
    /// Who runs it
    #[arg(long, value_name = "NAME", default_value = ACTOR)]
    operator: Operator,
    /// How its people can be reached
    #[arg(long, value_name = "TEXT")]
    contact: Option<Contact>,
    /// Where it introduces itself
    #[arg(long, value_name = "URL")]
    website: Option<Website>,
    /// The stake that was set aside for it
    #[arg(long, value_name = "NAME")]
    reservation: Option<Reservation>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn bps(text: &str) -> Result<Bps, String> {
    let number: u16 = text.parse().map_err(|_| "must be 0 to 10000".to_owned())?;
    Bps::try_from(number).map_err(|fault| fault.to_string())
}

impl From<agent::Failure> for Failure {
    fn from(failure: agent::Failure) -> Failure {
        match failure {
            agent::Failure::Refused(sentence) => Failure::refused(sentence),
            agent::Failure::Usage(sentence) => Failure::usage(sentence),
            agent::Failure::Unreachable(sentence) => Failure::unreachable(sentence),
        }
    }
}

pub async fn run(verb: Verb) -> Result<(), Failure> {
    match verb {
        Verb::Keygen { out, json } => keygen::keygen(&out, json),
        Verb::Run { access, state, announce, json } => {
            work(&access, (state, announce), Terminal::new(json)).await
        }
        Verb::Register(registering) => register(*registering).await,
    }
}

impl Access {
    fn open(&self) -> Result<(Server, Key), Failure> {
        let token = super::token(self.token_file.as_deref())?.ok_or_else(|| {
            Failure::usage(format!("A token is needed: --token-file, or {TOKEN_VARIABLE}"))
        })?;
        let trust = Trust {
            authorities: self.server_ca.as_deref().map(read).transpose()?,
            identity: self.client_certificate.as_deref().map(read).transpose()?,
        };
        Ok((Server::new(&self.server, &token, &trust)?, Key::read(&self.key)?))
    }
}

fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let unreadable = |fault| Failure::usage(format!("{} cannot be read: {fault}", path.display()));
    std::fs::read(path).map_err(unreadable)
}

async fn work(
    access: &Access,
    (state, announced): (PathBuf, Option<PeerAddress>),
    terminal: Terminal,
) -> Result<(), Failure> {
    let mut shutdown = Shutdown::listen().map_err(Failure::unreachable)?;
    let (server, key) = access.open()?;
    let options = Options { server, key, state, announced, version: env!("CARGO_PKG_VERSION") };
    let (told, mut news) = mpsc::unbounded_channel();
    let mut working = std::pin::pin!(agent::run(options, told));
    loop {
        tokio::select! {
            biased;
            _ = shutdown.asked() => return Ok(()),
            Some(news) = news.recv() => show(&news, terminal)?,
            failure = &mut working => {
                while let Ok(news) = news.try_recv() {
                    show(&news, terminal)?;
                }
                return Err(failure.into());
            }
        }
    }
}

fn show(news: &News, terminal: Terminal) -> Result<(), Failure> {
    let sentence = |paint: Paint| {
        let text = news.to_string();
        match news {
            News::Final { .. } | News::Back { .. } => paint.good(&text),
            News::Rejected { .. } | News::Withheld { .. } | News::Away { .. } => {
                paint.warning(&text)
            }
            News::Starting { .. } | News::Following { .. } | News::Proposed { .. } => text,
        }
    };
    terminal.say(sentence, news)
}

async fn register(wanted: Registering) -> Result<(), Failure> {
    let (server, key) = wanted.access.open()?;
    let bond = wanted.bond;
    let said = Wanted {
        bond,
        chain_id: wanted.chain,
        commission_bps: wanted.commission_bps,
        contact: wanted.contact,
        moniker: wanted.moniker,
        operator: wanted.operator,
        reservation: wanted.reservation,
        website: wanted.website,
    };
    let done = agent::register(&server, &key, said).await?;
    let object = json!({
        "address": done.address, "chain": done.chain_id, "bond": bond,
        "version": done.version, "position": done.position,
    });
    let (address, chain) = (done.address, done.chain_id);
    let sentence = |paint: Paint| {
        let address = paint.strong(&address.to_string());
        format!("validator {address} is registered on {chain} with a bond of {bond}")
    };
    Terminal::new(wanted.json).say(sentence, &object)
}
