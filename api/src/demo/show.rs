//! A network from its beginning to its summary: the parts, put together.
//!
//! Does not read the command line, nor start the server.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use commands::{Actor, Role};
use domain::ledger::Ledger;
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{
    Arguments, liar,
    network::Network,
    tally::Tally,
    validators::Validators,
    view::{Frame, Seat, Summary, View, seconds},
    watch::{WINDOW, Watch},
    workload::Workload,
};
use crate::{
    cli::{
        ACTOR, Failure,
        terminal::{Paint, Terminal},
    },
    cluster::DATA_DEFAULT,
    config::Config,
    serve::Server,
    server::App,
};

/// The service that sends the workload.
const SENDER: &str = "service-demo";
/// How often a frame is shown, in milliseconds.
const FRAME_MS: u64 = 1_000;
/// How often the validators are looked after, in milliseconds.
const LOOK_MS: u64 = 100;
/// How long the transactions that still wait may take to become final at the end, in seconds.
const SETTLE_S_MAX: u64 = 180;
/// How often a validator is killed when they are to crash, in seconds.
const CRASH_EVERY_S: u64 = 10;
/// How long a killed validator stays down, in seconds.
const CRASH_DOWN_S: u64 = 4;
/// How many requests a second carry the workload, unless it is small.
const REQUESTS_PER_SECOND: u32 = 20;
/// The most transactions of a request.
const BATCH_MAX: u32 = 100;

/// A network that is up.
pub struct Show {
    began: Instant,
    network: Network,
    validators: Validators,
    watch: Watch,
    tally: Tally,
    view: View,
    stop: CancellationToken,
    sending: Option<JoinHandle<()>>,
    lying: Option<JoinHandle<()>>,
    crashes: bool,
    killed: usize,
}

impl Show {
    /// Starts the chain, its validators and the workload, and says where to look.
    pub async fn begin(
        server: &Server,
        config: &Config,
        arguments: &Arguments,
        terminal: Terminal,
    ) -> Result<Show, Failure> {
        let app = server.surface();
        let address = server.url().to_owned();
        let folder = match server.database().cluster() {
            Some(cluster) => cluster.folder().root().to_owned(),
            None => config.data.clone().unwrap_or_else(|| PathBuf::from(DATA_DEFAULT)),
        };
        let folder = folder.join("demo");
        let actor = Actor::new(ACTOR, Role::SuperAdmin);
        let network = Network::start(&app.commands, &actor, &folder, arguments.validators).await?;
        say_where(&network, &address, terminal)?;
        let tally = Tally::default();
        let watch = Watch::start(&app.store, tally.clone());
        let mut tokens = Vec::with_capacity(network.members.len());
        for member in &network.members {
            let principal = format!("validator-{}", member.address).to_lowercase();
            tokens.push(key(app, &principal, Role::Validator).await?);
        }
        let validators = Validators::start(&address, &network.members, &tokens)?;
        let liar = network.members.last().zip(tokens.pop()).filter(|_| arguments.equivocate);
        let lying = liar.map(|(member, token)| {
            let (member, watch) = (member.clone(), watch.clone());
            tokio::spawn(liar::equivocate(address.clone(), token, member, watch))
        });
        let stop = CancellationToken::new();
        let sending = match arguments.rate {
            0 => None,
            rate => {
                let usual = (rate / REQUESTS_PER_SECOND).clamp(1, BATCH_MAX);
                let workload = Workload {
                    server: address,
                    token: key(app, SENDER, Role::Operator).await?,
                    chain: network.chain.clone(),
                    rate,
                    batch: arguments.batch.unwrap_or(usual) as usize,
                };
                let senders = network.senders(&app.commands).await?;
                let (tally, stop) = (tally.clone(), stop.clone());
                Some(tokio::spawn(async move { workload.run(senders, &tally, &stop).await }))
            }
        };
        let (began, view, crashes) = (Instant::now(), View::new(terminal), arguments.crash);
        Ok(Show {
            began,
            network,
            validators,
            watch,
            tally,
            view,
            stop,
            sending,
            lying,
            crashes,
            killed: 0,
        })
    }

    /// Shows it until the time is over.
    ///
    /// # Errors
    /// The chain stands still for ever, or a validator will not go on.
    pub async fn live(&mut self, app: &App, stay: Option<Duration>) -> Result<(), Failure> {
        let mut shown = 0;
        while stay.is_none_or(|stay| self.began.elapsed() < stay) {
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
            self.validators.look_after();
            self.crash().await;
            let frames = self.began.elapsed().as_millis() / u128::from(FRAME_MS);
            if frames > shown {
                shown = frames;
                let frame = self.frame(app).await;
                self.view.show(&frame)?;
            }
            self.still_well()?;
        }
        Ok(())
    }

    fn still_well(&self) -> Result<(), Failure> {
        if let Some(why) = self.watch.seen().halted {
            return Err(Failure::refused(format!("the chain is halted {why}")));
        }
        match self.validators.ended().next() {
            Some((name, status, log)) => Err(Failure::refused(format!(
                "validator {name} will not go on ({status}): {} says why",
                log.display()
            ))),
            None => Ok(()),
        }
    }

    /// Kills the next one, when it is time.
    async fn crash(&mut self) {
        let due = Duration::from_secs(CRASH_EVERY_S * (self.killed as u64 + 1));
        if self.crashes && self.began.elapsed() >= due {
            let down = Duration::from_secs(CRASH_DOWN_S);
            if let Some(name) = self.validators.kill(self.killed, down).await {
                tracing::info!(name, "killed");
            }
            self.killed += 1;
        }
    }

    /// Sends nothing more, and waits until all that was sent is final or sent away.
    pub async fn settle(&mut self, app: &App) {
        self.stop.cancel();
        let deadline = Instant::now() + Duration::from_secs(SETTLE_S_MAX);
        while Instant::now() < deadline && self.still_well().is_ok() {
            let sent = self.sending.as_ref().is_none_or(JoinHandle::is_finished);
            let reflects = app.all_reflect(app.head(), LOOK_MS).await;
            if sent && reflects && self.tally.counts().waiting == 0 {
                return;
            }
            self.validators.look_after();
            tokio::time::sleep(Duration::from_millis(LOOK_MS)).await;
        }
    }

    /// Stops the validators, and says what it came to.
    ///
    /// # Errors
    /// Something is wrong with it.
    pub async fn end(self, app: &App) -> Result<(), Failure> {
        for task in self.sending.iter().chain(&self.lying) {
            task.abort();
        }
        let ledger = app.commands.ledger().await?;
        let ledger = ledger.ok_or_else(|| Failure::refused("the chain has not begun"))?;
        let summary = summary(&self.network, &self.watch, &self.tally, self.began, &ledger);
        self.validators.stop().await;
        let terminal = self.view.end();
        terminal.say(|paint| summary.text(paint), &json!({ "summary": summary }))?;
        summary.fault().map_or(Ok(()), |fault| Err(Failure::refused(fault)))
    }

    async fn frame(&self, app: &App) -> Frame {
        let seen = self.watch.seen();
        let models = app.projections.status().await;
        let seat = |(name, address, process)| Seat {
            name,
            process,
            voted: seen.voted.get(&address).copied(),
            equivocated: seen.equivocations.contains_key(&address),
            tombstoned: seen.tombstoned.contains(&address),
        };
        Frame {
            seconds: seconds(self.began.elapsed()),
            height: seen.height,
            round: seen.round,
            finality: self.tally.finality(WINDOW),
            answers: self.tally.answers(WINDOW),
            transactions_per_second: seen.finals_per_second(self.began),
            mempool: self.tally.counts().waiting,
            lag_events: models.iter().map(|model| model.lag_events).max().unwrap_or(0),
            lag_seconds: models.iter().map(|model| model.lag_seconds).max().unwrap_or(0),
            validators: self.validators.conditions().map(seat).collect(),
        }
    }
}

fn summary(
    network: &Network,
    watch: &Watch,
    tally: &Tally,
    began: Instant,
    ledger: &Ledger,
) -> Summary {
    let (seen, counts, all) = (watch.seen(), tally.counts(), began.elapsed());
    let names = |is: &dyn Fn(&domain::values::Address) -> bool| {
        let found = network.members.iter().filter(|member| is(&member.address));
        found.map(|member| member.name).collect()
    };
    Summary {
        seconds: seconds(all),
        blocks: seen.blocks,
        height: seen.height,
        transactions_per_second: (counts.finals() as f64 / all.as_secs_f64().max(1.0)) as u64,
        transactions: counts,
        finality: tally.finality(all),
        answers: tally.answers(all),
        supply: ledger.supply(),
        counted: ledger.totals(),
        equivocated: names(&|address| seen.equivocations.contains_key(address)),
        tombstoned: names(&|address| seen.tombstoned.contains(address)),
    }
}

fn say_where(network: &Network, address: &str, terminal: Terminal) -> Result<(), Failure> {
    let (chain, count) = (&network.chain, network.members.len());
    let places = [
        ("blocks", format!("{address}/api/v1/blocks")),
        ("transactions", format!("{address}/api/v1/transactions")),
        ("accounts", format!("{address}/api/v1/accounts")),
        ("validators", format!("{address}/api/v1/validators")),
        ("leaderboard", format!("{address}/api/v1/chains/{chain}/leaderboard")),
        ("processes", format!("{address}/api/v1/processes")),
        ("activity", format!("{address}/api/v1/activity")),
        ("API documentation", format!("{address}/docs")),
        ("GraphQL", format!("{address}/graphql")),
        ("CometBFT RPC", format!("{address}/rpc/status")),
        ("health", format!("{address}/readyz")),
    ];
    let object = json!({
        "chain": chain,
        "validators": count,
        "is_new": network.is_new,
        "account": network.account_file,
        "look": places.iter().cloned().collect::<std::collections::BTreeMap<_, _>>(),
    });
    let begun = if network.is_new { "begins" } else { "goes on" };
    let sentence = |paint: Paint| {
        let mut text = format!("{chain} {begun} with {count} validators. Where to look:");
        for (name, url) in &places {
            text += &format!("\n  {name:<18} {}", paint.strong(url));
        }
        let file = network.account_file.display();
        text += &format!("\nAn account with money, for you: its key is in {file}");
        text
    };
    terminal.say(sentence, &object)
}

/// An API key of a service of the demo's.
async fn key(app: &App, service: &str, role: Role) -> Result<String, Failure> {
    let id = service.parse().map_err(Failure::refused)?;
    let issued = app.identities.issue_service_key(&id, role).await;
    issued.map_err(|problem| Failure::unreachable(problem.detail()))
}
