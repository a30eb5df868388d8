//! What a demonstration shows: a few lines that stay in place on a terminal, a line a second
//! otherwise, and the summary at its end.
//!
//! Does not find anything out: it is handed what is so.

use std::time::Duration;

use domain::{
    ledger::Totals,
    values::{Amount, Height, Round},
};
use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use serde::Serialize;

use super::{
    tally::{Counts, Percentiles},
    validators::Condition,
};
use crate::cli::{
    Failure,
    terminal::{Paint, Terminal},
};

/// How it is at one moment.
#[derive(Debug, Serialize)]
pub struct Frame {
    /// Since the network is up, in seconds.
    pub seconds: u64,
    /// The last height that is final.
    pub height: Option<Height>,
    /// The round that began last.
    pub round: Option<Round>,
    /// From sending a transaction to the block that holds it.
    pub finality: Percentiles,
    /// From sending a request to its answer.
    pub answers: Percentiles,
    /// Final transactions per second.
    pub transactions_per_second: u64,
    /// Sent, and neither final nor refused.
    pub mempool: u64,
    /// How many events the read models are behind.
    pub lag_events: u64,
    /// How long they are behind, in seconds.
    pub lag_seconds: u64,
    /// Each validator.
    pub validators: Vec<Seat>,
}

/// A validator at one moment.
#[derive(Debug, Serialize)]
pub struct Seat {
    /// Its name.
    pub name: &'static str,
    /// How its process is.
    pub process: Condition,
    /// The last height it voted at.
    pub voted: Option<Height>,
    /// Whether it signed two things.
    pub equivocated: bool,
    /// Whether it is out for ever.
    pub tombstoned: bool,
}

impl Seat {
    fn word(&self) -> String {
        let voted = self.voted.map_or_else(|| "-".to_owned(), |height| height.to_string());
        match (self.tombstoned, self.equivocated) {
            (true, _) => format!("{} tombstoned", self.name),
            (false, true) => format!("{} equivocated", self.name),
            (false, false) => format!("{} {} {voted}", self.name, self.process.as_str()),
        }
    }

    fn line(&self, paint: Paint) -> String {
        let state = match (self.tombstoned, self.equivocated, self.process) {
            (true, _, _) => paint.bad("tombstoned"),
            (false, true, _) => paint.bad("equivocated"),
            (false, false, Condition::Up) => paint.good("up"),
            (false, false, Condition::Killed) => paint.warning("killed, comes back"),
            (false, false, Condition::Restarting) => paint.warning("restarting"),
            (false, false, Condition::Ended) => paint.bad("ended"),
        };
        let voted = self.voted.map_or_else(String::new, |height| format!("voted at {height}"));
        format!("  {:<10} {state:<12} {}", self.name, paint.faint(&voted))
    }
}

impl Frame {
    fn sentence(&self) -> String {
        let height = self.height.map_or(0, Height::value);
        let round = self.round.map_or(0, Round::value);
        let seats: Vec<String> = self.validators.iter().map(Seat::word).collect();
        format!(
            "{:>4} s  height {height} round {round}  {} tx/s  finality {}  waiting {}  \
             read models {} events behind  {}",
            self.seconds,
            self.transactions_per_second,
            self.finality,
            self.mempool,
            self.lag_events,
            seats.join(", "),
        )
    }

    fn lines(&self, paint: Paint) -> Vec<String> {
        let height = self.height.map_or(0, Height::value).to_string();
        let round = self.round.map_or(0, Round::value);
        let mut lines = vec![
            format!("height        {}  round {round}", paint.strong(&height)),
            format!("transactions  {} per second final", self.transactions_per_second),
            format!("finality      {}  p50/p95/p99", self.finality),
            format!("submission    {}  p50/p95/p99", self.answers),
            format!("mempool       {} waiting", self.mempool),
            format!("read models   {} events, {} s behind", self.lag_events, self.lag_seconds),
        ];
        lines.extend(self.validators.iter().map(|seat| seat.line(paint)));
        lines
    }
}

/// How frames are shown.
pub struct View {
    terminal: Terminal,
    in_place: Option<(MultiProgress, Vec<ProgressBar>)>,
}

impl View {
    /// Lines that stay in place when a person is looking.
    pub fn new(terminal: Terminal) -> View {
        let in_place = terminal.is_watched().then(|| (MultiProgress::new(), Vec::new()));
        View { terminal, in_place }
    }

    /// Shows one.
    ///
    /// # Errors
    /// Nobody reads any more, or it cannot be written.
    pub fn show(&mut self, frame: &Frame) -> Result<(), Failure> {
        let Some((screen, bars)) = &mut self.in_place else {
            return self.terminal.say(|_| frame.sentence(), &serde_json::json!({ "now": frame }));
        };
        let lines = frame.lines(self.terminal.paint());
        while bars.len() < lines.len() {
            let style = ProgressStyle::with_template("{msg}").map_err(Failure::refused)?;
            bars.push(screen.add(ProgressBar::new_spinner().with_style(style)));
        }
        for (bar, line) in bars.iter().zip(lines) {
            bar.set_message(line);
            bar.tick();
        }
        Ok(())
    }

    /// Leaves the lines where they are.
    pub fn end(self) -> Terminal {
        for bar in self.in_place.iter().flat_map(|(_, bars)| bars) {
            bar.abandon();
        }
        self.terminal
    }
}

/// What a demonstration came to.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// How long it ran, in seconds.
    pub seconds: u64,
    /// How many blocks became final.
    pub blocks: u64,
    /// The last height.
    pub height: Option<Height>,
    /// What became of the transactions.
    pub transactions: Counts,
    /// Final transactions per second, over all.
    pub transactions_per_second: u64,
    /// From sending a transaction to the block that holds it.
    pub finality: Percentiles,
    /// From sending a request to its answer.
    pub answers: Percentiles,
    /// All there was at the chain's beginning.
    pub supply: Amount,
    /// Where it is now, counted entry by entry.
    #[serde(serialize_with = "sum")]
    pub counted: Totals,
    /// Who signed two things.
    pub equivocated: Vec<&'static str>,
    /// Who is out for ever.
    pub tombstoned: Vec<&'static str>,
}

fn sum<S: serde::Serializer>(totals: &Totals, serializer: S) -> Result<S::Ok, S::Error> {
    let parts = [
        ("balances", totals.balances),
        ("bonds", totals.bonds),
        ("burned", totals.burned),
        ("delegations", totals.delegations),
        ("unbonding", totals.unbonding),
    ];
    serializer.collect_map(parts)
}

impl Summary {
    /// What is wrong with it, in a sentence; none when all is well.
    pub fn fault(&self) -> Option<String> {
        if self.blocks == 0 {
            return Some("no block became final".to_owned());
        }
        if self.counted.sum() != Some(self.supply) {
            return Some(format!("the supply was {}, and is not all there", self.supply));
        }
        let waiting = self.transactions.waiting;
        (waiting > 0).then(|| format!("{waiting} transactions are neither final nor refused"))
    }

    /// For people.
    pub fn text(&self, paint: Paint) -> String {
        let counts = &self.transactions;
        let height = self.height.map_or(0, Height::value);
        let mut lines = vec![
            paint.strong(&format!("{} s, {} blocks, height {height}", self.seconds, self.blocks)),
            format!(
                "  transactions  {} sent: {} final ({} per second), {} refused, {} evicted, {} waiting",
                counts.submitted,
                counts.finals(),
                self.transactions_per_second,
                counts.refused.values().sum::<u64>(),
                counts.evicted.values().sum::<u64>(),
                counts.waiting,
            ),
        ];
        for (what, reasons) in
            [("failed", &counts.failed), ("refused", &counts.refused), ("evicted", &counts.evicted)]
        {
            lines.extend(reasons.iter().map(|(why, count)| format!("    {what} {count}: {why}")));
        }
        lines.push(format!("  finality      {}  p50/p95/p99", self.finality));
        lines.push(format!("  submission    {}  p50/p95/p99", self.answers));
        let conserved = match self.counted.sum() == Some(self.supply) {
            true => paint.good("conserved"),
            false => paint.bad("NOT conserved"),
        };
        lines.push(format!("  supply        {}: {conserved}", self.supply));
        if !self.equivocated.is_empty() {
            lines.push(format!("  equivocated   {}", self.equivocated.join(", ")));
        }
        if !self.tombstoned.is_empty() {
            lines.push(format!("  tombstoned    {}", self.tombstoned.join(", ")));
        }
        lines.join("\n")
    }
}

/// Seconds, rounded.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs_f64().round() as u64
}
