//! What the process says of itself: log lines and Prometheus metrics.
//!
//! Does not know what is being counted for whom: names are fixed here, values come from elsewhere.

use std::{
    io,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use axum::http::StatusCode;
use metrics::{
    Counter, Gauge, Histogram, counter, describe_counter, describe_gauge, describe_histogram,
    gauge, histogram, with_local_recorder,
};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle, PrometheusRecorder};
use tracing_subscriber::{EnvFilter, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::operations::{Entry, TABLE};

/// Upper bounds of the duration histograms, in seconds.
const DURATION_BUCKETS_S: &[f64] = &[
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5,
    5.0, 10.0, 30.0,
];
/// After how many requests the samples kept since are folded into the histograms.
const UPKEEP_REQUESTS: u64 = 16_384;
/// The statuses that have a counter of their own; all others are counted as their class's first.
const STATUSES: &[u16] = &[
    101, 200, 201, 202, 303, 304, 400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 422, 429, 500,
    503,
];

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogForm {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `filter` is in the form of `RUST_LOG`, e.g.
/// `info,node0=debug`; `node0::request=debug` shows every request. May be called once in a process.
pub fn start_logging(form: LogForm, filter: &str, colours: bool) -> Result<(), String> {
    let filter = EnvFilter::try_new(filter).map_err(|error| format!("log filter: {error}"))?;
    let registry = tracing_subscriber::registry().with(filter);
    match form {
        LogForm::Text => {
            registry.with(fmt::layer().with_ansi(colours).with_writer(io::stderr)).try_init()
        }
        LogForm::Json => registry.with(fmt::layer().json().with_writer(io::stderr)).try_init(),
    }
    .map_err(|error| error.to_string())
}

/// The metrics of one surface. Cheap to clone.
#[derive(Clone)]
pub struct Telemetry {
    inner: Arc<Inner>,
}

struct Inner {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
    requests: AtomicU64,
    /// By operation; the last is for requests that met none.
    routes: Vec<Route>,
    in_flight: Gauge,
    streams: Gauge,
}

struct Route {
    labels: [(&'static str, &'static str); 3],
    duration: Histogram,
    by_status: [OnceLock<Counter>; STATUSES.len()],
}

/// A measurement taken when metrics are asked for.
#[derive(Clone, Debug)]
pub struct Measured {
    /// Requests under way.
    pub in_flight: u32,
    /// Places for live streams that are taken.
    pub streams: u32,
    /// The newest position of the log this process has learned of.
    pub log_position: u64,
    /// Connections of the query pool: open, and idle among them.
    pub pool: (u32, u32),
    /// Each read model with the position it reflects.
    pub projections: Vec<(String, u64)>,
}

impl Default for Telemetry {
    fn default() -> Telemetry {
        Telemetry::new()
    }
}

impl Telemetry {
    /// Metrics of its own, described.
    pub fn new() -> Telemetry {
        let recorder = PrometheusBuilder::new()
            .set_buckets(DURATION_BUCKETS_S)
            .expect("the list of buckets is not empty")
            .build_recorder();
        let handle = recorder.handle();
        let (routes, in_flight, streams) = with_local_recorder(&recorder, || {
            describe();
            gauge!("node0_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
            let mut routes: Vec<Route> = TABLE.iter().map(Route::of).collect();
            routes.push(Route::new([("operation", "none"), ("method", "any"), ("route", "none")]));
            let streams = gauge!("node0_live_streams");
            (routes, gauge!("node0_http_requests_in_flight"), streams)
        });
        let requests = AtomicU64::new(0);
        let inner = Inner { recorder, handle, requests, routes, in_flight, streams };
        Telemetry { inner: Arc::new(inner) }
    }

    /// Counts one answered request.
    pub fn count_request(&self, entry: Option<&Entry>, status: StatusCode, took: Duration) {
        let place = entry.map_or(TABLE.len(), |entry| entry.operation as usize);
        let Some(route) = self.inner.routes.get(place) else { return };
        route.duration.record(took.as_secs_f64());
        route.counter(&self.inner.recorder, status.as_u16()).increment(1);
        let count = self.inner.requests.fetch_add(1, Ordering::Relaxed);
        if count % UPKEEP_REQUESTS == UPKEEP_REQUESTS - 1 {
            self.inner.handle.run_upkeep();
        }
    }

    /// All metrics in the Prometheus text format.
    pub fn render(&self, measured: &Measured) -> String {
        self.inner.in_flight.set(f64::from(measured.in_flight));
        self.inner.streams.set(f64::from(measured.streams));
        with_local_recorder(&self.inner.recorder, || {
            gauge!("node0_log_position").set(measured.log_position as f64);
            let (open, idle) = measured.pool;
            gauge!("node0_database_connections", "state" => "idle").set(f64::from(idle));
            let used = f64::from(open.saturating_sub(idle));
            gauge!("node0_database_connections", "state" => "used").set(used);
            for (name, position) in &measured.projections {
                let lag = measured.log_position.saturating_sub(*position) as f64;
                let name = name.clone();
                gauge!("node0_projection_position", "projection" => name.clone())
                    .set(*position as f64);
                gauge!("node0_projection_lag_events", "projection" => name).set(lag);
            }
        });
        self.inner.handle.render()
    }
}

impl Route {
    fn of(entry: &Entry) -> Route {
        let method = entry.method.as_str();
        Route::new([("operation", entry.id), ("method", method), ("route", entry.path)])
    }

    fn new(labels: [(&'static str, &'static str); 3]) -> Route {
        let duration = histogram!("node0_http_request_duration_seconds", &labels[..1]);
        Route { labels, duration, by_status: [const { OnceLock::new() }; STATUSES.len()] }
    }

    fn counter(&self, recorder: &PrometheusRecorder, status: u16) -> &Counter {
        let place = STATUSES.iter().position(|known| *known == status).unwrap_or_else(|| {
            let class = status / 100;
            STATUSES.iter().position(|known| known / 100 == class).unwrap_or(STATUSES.len() - 1)
        });
        self.by_status[place].get_or_init(|| {
            with_local_recorder(recorder, || {
                let status = STATUSES[place].to_string();
                let [operation, method, route] = self.labels;
                counter!(
                    "node0_http_requests_total",
                    operation.0 => operation.1,
                    method.0 => method.1,
                    route.0 => route.1,
                    "status" => status
                )
            })
        })
    }
}

fn describe() {
    describe_gauge!("node0_build_info", "Always 1; the label says which version runs.");
    describe_counter!("node0_http_requests_total", "Requests answered.");
    describe_histogram!(
        "node0_http_request_duration_seconds",
        "Seconds from the first byte of a request to its answer."
    );
    describe_gauge!("node0_http_requests_in_flight", "Requests under way.");
    describe_gauge!(
        "node0_live_streams",
        "Live streams, WebSockets and subscriptions that are open."
    );
    describe_gauge!("node0_log_position", "The newest position of the event log.");
    describe_gauge!("node0_database_connections", "Connections of the query pool.");
    describe_gauge!("node0_projection_position", "The position a read model reflects.");
    describe_gauge!("node0_projection_lag_events", "Events a read model is behind the log.");
}
