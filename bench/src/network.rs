//! A whole network under load: the demonstration at a fixed rate, with the server, PostgreSQL, the
//! validators and who sends all on this machine.
//!
//! Knows the program only by what it prints.

use std::{
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
    time::Duration,
};

use serde::Deserialize;

use crate::{Outcome, report::Figure};

/// What a network came to.
pub struct Came {
    /// Final transactions a second, with how long each took from being sent to being final.
    pub finality: Figure,
    /// Requests, with how long each took to be answered.
    pub submission: Figure,
    /// The furthest that a read model was behind at the end of a second, in seconds.
    pub lag_seconds_max: f64,
    /// The most memory the server has held, with who sends, in MiB.
    pub peak_memory_mib: Option<f64>,
}

#[derive(Deserialize)]
struct Line {
    now: Option<Now>,
    summary: Option<Summary>,
}

#[derive(Deserialize)]
struct Now {
    lag_seconds: u64,
}

#[derive(Deserialize)]
struct Summary {
    transactions_per_second: u64,
    finality: Percentiles,
    answers: Percentiles,
}

#[derive(Deserialize)]
struct Percentiles {
    p50_ms: u32,
    p95_ms: u32,
    p99_ms: u32,
}

impl Percentiles {
    fn figure(&self, per_second: f64) -> Figure {
        let ms = |percentile: u32| Some(f64::from(percentile));
        let (p50_ms, p95_ms, p99_ms) = (ms(self.p50_ms), ms(self.p95_ms), ms(self.p99_ms));
        Figure { per_second, p50_ms, p95_ms, p99_ms }
    }
}

/// So many transactions a second, so many in a request, for so long, on an empty database.
pub fn run(program: &str, url: &str, rate: u32, batch: u32, period: Duration) -> Outcome<Came> {
    let folder = std::env::temp_dir().join(format!("node0-bench-demo-{}", std::process::id()));
    let mut child = Command::new(program)
        .args(["demo", "--json", "--rate", &rate.to_string(), "--batch", &batch.to_string()])
        .args(["--for", &format!("{}s", period.as_secs())])
        .env("DATABASE_URL", url)
        .env("NODE0_DATA", &folder)
        .env("NODE0_MASTER_KEY", crate::http::MASTER_KEY)
        .env("NODE0_LISTEN", "127.0.0.1:0")
        .env("NODE0_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()?;
    let out = child.stdout.take().ok_or("no standard output")?;
    let (mut lag, mut peak, mut summary) = (0, None, None);
    for line in BufReader::new(out).lines() {
        let line: Line = serde_json::from_str(&line?)?;
        if let Some(now) = line.now {
            lag = lag.max(now.lag_seconds);
            peak = crate::http::peak_memory_mib(child.id()).or(peak);
        }
        summary = line.summary.or(summary);
    }
    let status = child.wait()?;
    std::fs::remove_dir_all(&folder)?;
    let summary = summary.ok_or_else(|| format!("no summary: {status}"))?;
    if !status.success() {
        return Err(format!("the network did not end well: {status}").into());
    }
    let per_second = summary.transactions_per_second as f64;
    let requests = f64::from(rate) / f64::from(batch);
    Ok(Came {
        finality: summary.finality.figure(per_second),
        submission: summary.answers.figure(requests),
        lag_seconds_max: lag as f64,
        peak_memory_mib: peak,
    })
}
