//! What a run found: figures by name, medians of three, and the ratios between them.
//!
//! Does not know how anything was measured.

use std::{collections::BTreeMap, path::Path, time::Duration};

use serde::Serialize;

/// One measured figure.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// Units of work a second.
    pub per_second: f64,
    /// Latency of one unit in milliseconds, where it was taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ms: Option<f64>,
    /// See `p50_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p95_ms: Option<f64>,
    /// See `p50_ms`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p99_ms: Option<f64>,
}

impl Figure {
    /// `units` of work done in `elapsed`; latencies of single units, if taken, in any order.
    pub fn new(units: usize, elapsed: Duration, mut latencies: Vec<Duration>) -> Figure {
        latencies.sort_unstable();
        let at = |share: f64| {
            let last = latencies.len().checked_sub(1)?;
            let index = (last as f64 * share).round() as usize;
            latencies.get(index).map(|latency| latency.as_secs_f64() * 1e3)
        };
        Figure {
            per_second: units as f64 / elapsed.as_secs_f64(),
            p50_ms: at(0.50),
            p95_ms: at(0.95),
            p99_ms: at(0.99),
        }
    }
}

/// A ratio of two figures and what it should reach.
#[derive(Debug, Serialize)]
struct Ratio {
    name: String,
    value: f64,
    target: f64,
    reached: bool,
}

/// Everything a run found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// How long the server's memory peak was, in MiB, by phase.
    pub peak_memory_mib: BTreeMap<String, f64>,
    /// Medians by name.
    pub figures: BTreeMap<String, Figure>,
    ratios: Vec<Ratio>,
    limits: Vec<Ratio>,
    /// The machine and the settings that matter.
    pub machine: BTreeMap<String, String>,
    #[serde(skip)]
    runs: BTreeMap<String, Vec<Figure>>,
}

impl Report {
    /// Records one run; the median of all runs of the same name counts.
    pub fn record(&mut self, name: &str, figure: Figure) {
        eprintln!(
            "{name:<44} {:>12.0}/s{}",
            figure.per_second,
            match (figure.p50_ms, figure.p99_ms) {
                (Some(p50), Some(p99)) => format!("   p50 {p50:.2} ms   p99 {p99:.2} ms"),
                _ => String::new(),
            }
        );
        let runs = self.runs.entry(name.to_owned()).or_default();
        runs.push(figure);
        let mut sorted = runs.clone();
        sorted.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
        self.figures.insert(name.to_owned(), sorted[sorted.len() / 2].clone());
    }

    /// States the ratio of two figures, when both were measured.
    pub fn ratio(&mut self, name: &str, of: &str, to: &str, target: f64) {
        if let (Some(of), Some(to)) = (self.figures.get(of), self.figures.get(to)) {
            let value = of.per_second / to.per_second;
            let name = name.to_owned();
            self.ratios.push(Ratio { name, value, target, reached: value >= target });
        }
    }

    /// States a figure that must reach a floor.
    pub fn floor(&mut self, name: &str, value: Option<f64>, target: f64) {
        if let Some(value) = value {
            let name = format!("{name} (at least)");
            self.limits.push(Ratio { name, value, target, reached: value >= target });
        }
    }

    /// States a figure that must stay below a ceiling.
    pub fn ceiling(&mut self, name: &str, value: Option<f64>, target: f64) {
        if let Some(value) = value {
            let name = format!("{name} (below)");
            self.limits.push(Ratio { name, value, target, reached: value < target });
        }
    }

    /// Prints the table.
    pub fn print(&self) {
        println!(
            "\n{:<44} {:>12} {:>9} {:>9}",
            "median of the runs", "per second", "p50 ms", "p99 ms"
        );
        let ms = |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.2}"));
        for (name, figure) in &self.figures {
            println!(
                "{name:<44} {:>12.0} {:>9} {:>9}",
                figure.per_second,
                ms(figure.p50_ms),
                ms(figure.p99_ms)
            );
        }
        println!("\n{:<60} {:>9} {:>9}", "ratio", "measured", "target");
        for ratio in self.ratios.iter().chain(&self.limits) {
            let mark = if ratio.reached { "" } else { "  <- not reached" };
            println!("{:<60} {:>9.2} {:>9.2}{mark}", ratio.name, ratio.value, ratio.target);
        }
    }

    /// Writes the file.
    pub fn write(&self, file: &Path) -> std::io::Result<()> {
        if let Some(folder) = file.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(file, serde_json::to_string_pretty(self).map_err(std::io::Error::other)?)
    }
}
