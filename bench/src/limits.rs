//! What authentication and limits cost, and what they are good for: a session's command beside one
//! that is not counted, and a load that is kept up while far more is asked than is let in.
//!
//! Knows the server only as its users do.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use domain::values::Address;
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::{
    Outcome,
    http::{Process, TOKEN, post_bytes},
    load::exchange,
    report::Figure,
};

/// Every request is counted, and none too many.
pub const COUNTED: [(&str, &str); 2] =
    [("NODE0_RATE_COMMANDS_MAX", "1000000000"), ("NODE0_TOKEN_ALGORITHM", "EdDSA")];
/// 600 queries and 600 commands a second are let in from one caller.
pub const LIMITED: [(&str, &str); 3] = [
    ("NODE0_RATE_QUERIES_MAX", "36000"),
    ("NODE0_RATE_COMMANDS_MAX", "36000"),
    ("NODE0_TOKEN_ALGORITHM", "EdDSA"),
];
/// What is asked: its name, requests a second, and how many measurements' time.
pub const PHASES: [(&str, u32, u32); 3] = [
    ("500/s on 2,000 connections", 500, 100),
    ("6,000/s, five times what is let in", 6_000, 10),
    ("500/s again", 500, 10),
];
/// Connections that are open all the time.
const CONNECTIONS: usize = 2_000;
/// One request in so many is a command.
const COMMAND_EVERY: usize = 5;
/// How often health and a validator's sign of life are asked beside the load, in milliseconds.
const VITAL_EVERY_MS: u64 = 50;
/// The account of the bench.
const EMAIL: &str = "bench@north.example";
const PASSWORD: &str = "correct horse battery staple";

/// What became of a load.
pub struct Came {
    /// What was answered as it should be; how long it took counts from when it was due.
    pub answered: Figure,
    /// Health.
    pub health: Figure,
    /// Signs of life, which are of the class of votes.
    pub agreed: Figure,
    /// The slower of both, 99 of 100, in milliseconds.
    pub vital_p99_ms: Option<f64>,
    /// Answered 429 or 503.
    pub shed: usize,
    /// Anything else.
    pub failed: usize,
}

/// An access token of somebody who may command; kept for the rest of the program.
pub async fn session(process: &Process) -> Outcome<&'static str> {
    let address = process.address();
    let post = async |path: &str, token: &str, body: Value| -> Outcome<Value> {
        let mut stream = TcpStream::connect(address).await?;
        let (request, mut buffer) = (post_bytes(path, token, &body.to_string()), Vec::new());
        let (status, body) = exchange(&mut stream, &request, &mut buffer).await?;
        let body = &buffer[body..];
        match status {
            200..=299 => Ok(serde_json::from_slice(body)?),
            _ => Err(format!("{path}: {status} {}", String::from_utf8_lossy(body)).into()),
        }
    };
    let find = json!({"email": EMAIL, "password": PASSWORD});
    // A database that was measured before knows the account.
    let tokens = match post("/api/v1/auth/login", TOKEN, find.clone()).await {
        Ok(tokens) => tokens,
        Err(_) => {
            let invite = json!({"email": EMAIL, "roles": ["operator"]});
            let invited = post("/api/v1/principals", TOKEN, invite).await?;
            let token = &invited["token"];
            let body = json!({"display_name": "Bench", "password": PASSWORD, "token": token});
            post("/api/v1/auth/register", TOKEN, body).await?;
            post("/api/v1/auth/login", TOKEN, find).await?
        }
    };
    let token = tokens["access_token"].as_str().ok_or("no access token")?.to_owned();
    Ok(token.leak())
}

#[derive(Default)]
struct Seen {
    answered: Vec<Duration>,
    shed: usize,
    failed: usize,
}

impl Seen {
    fn note(&mut self, status: std::io::Result<u16>, took: Duration) {
        match status {
            Ok(200..=299) => self.answered.push(took),
            Ok(429 | 503) => self.shed += 1,
            Ok(_) | Err(_) => self.failed += 1,
        }
    }
}

fn get_bytes(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

/// Asks so many times a second over [`CONNECTIONS`] connections, whether or not it is answered in
/// time; beside it, health and a validator's signs of life.
pub async fn load(
    address: SocketAddr,
    token: &'static str,
    addresses: &[Address],
    rate: u32,
    period: Duration,
) -> Outcome<Came> {
    let seen = Arc::new(Mutex::new(Seen::default()));
    let pace = Duration::from_secs_f64(CONNECTIONS as f64 / f64::from(rate));
    let begin = Instant::now() + Duration::from_secs(2);
    let mut tasks = tokio::task::JoinSet::new();
    for connection in 0..CONNECTIONS {
        let (seen, validator) = (Arc::clone(&seen), addresses[connection % addresses.len()]);
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(address).await?;
            let mut due = begin + pace.mul_f64(connection as f64 / CONNECTIONS as f64);
            let (mut number, mut buffer) = (connection, Vec::new());
            while due < begin + period {
                tokio::time::sleep_until(due.into()).await;
                let request = if number.is_multiple_of(COMMAND_EVERY) {
                    let path = format!("/api/v1/validators/{validator}/bond");
                    post_bytes(&path, token, r#"{"amount":"1"}"#)
                } else {
                    get_bytes(&format!("/api/v1/validators/{validator}"), token)
                };
                let came = exchange(&mut stream, &request, &mut buffer).await;
                let status = came.map(|(status, _)| status);
                if status.is_err() {
                    stream = TcpStream::connect(address).await?;
                }
                seen.lock().expect("no panic").note(status, due.elapsed());
                (due, number) = (due + pace, number + 1);
            }
            std::io::Result::Ok(())
        });
    }
    let beat = r#"{"height":"1","mempool":0,"round":0,"step":"propose","version":"1"}"#;
    let beat = post_bytes(&format!("/api/v1/validators/{}/heartbeat", addresses[0]), TOKEN, beat);
    let (health, agreed) = tokio::join!(
        beside(address, get_bytes("/livez", TOKEN), begin, period),
        beside(address, beat, begin, period),
    );
    while let Some(task) = tasks.join_next().await {
        task??;
    }
    let Seen { answered, shed, failed } = std::mem::take(&mut *seen.lock().expect("no panic"));
    let (health, agreed) = (health?, agreed?);
    let vital_p99_ms = health.p99_ms.zip(agreed.p99_ms).map(|(one, other)| one.max(other));
    let answered = Figure::new(answered.len(), period, answered);
    Ok(Came { answered, health, agreed, vital_p99_ms, shed, failed })
}

/// Asks the same thing now and then; each time it must be answered.
async fn beside(
    address: SocketAddr,
    request: Vec<u8>,
    begin: Instant,
    period: Duration,
) -> Outcome<Figure> {
    let mut stream = TcpStream::connect(address).await?;
    let (mut took, mut buffer) = (Vec::new(), Vec::new());
    tokio::time::sleep_until(begin.into()).await;
    while begin.elapsed() < period {
        let sent = Instant::now();
        let (status, body) = exchange(&mut stream, &request, &mut buffer).await?;
        if !(200..300).contains(&status) {
            let body = String::from_utf8_lossy(&buffer[body..]);
            return Err(format!("what must be answered was not: {status} {body}").into());
        }
        took.push(sent.elapsed());
        tokio::time::sleep(Duration::from_millis(VITAL_EVERY_MS)).await;
    }
    Ok(Figure::new(took.len(), period, took))
}
