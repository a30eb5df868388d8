//! Single commands over HTTP beside a bare server that only echoes: both in processes of their own,
//! with the same load generator, requests and cores.
//!
//! Knows the server only as its users do.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::{Router, body::Bytes, routing::post};
use domain::values::Address;
use tokio::net::TcpListener;

use crate::{Outcome, load, report::Figure};

/// The first super_admin's token of the measured server.
pub const TOKEN: &str = "bench-0123456789abcdef0123456789abcdef";

/// What its secrets are sealed under: 32 bytes of 1.
pub const MASTER_KEY: &str = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";

/// A server in a process of its own; killed when dropped.
pub struct Process {
    child: Child,
    address: SocketAddr,
}

impl Process {
    /// `node0 serve` on a database, with any number of requests from whoever asks.
    pub fn node0(program: &str, url: &str) -> Outcome<Process> {
        let unlimited = ["QUERIES", "COMMANDS", "CONSENSUS", "SIGN_INS"];
        let names = unlimited.map(|class| format!("NODE0_RATE_{class}_MAX"));
        Process::node0_with(program, url, &names.each_ref().map(|name| (name.as_str(), "0")))
    }

    /// `node0 serve` on a database, with more settings.
    pub fn node0_with(program: &str, url: &str, settings: &[(&str, &str)]) -> Outcome<Process> {
        let mut command = Command::new(program);
        command
            .args(["serve", "--json"])
            .env("DATABASE_URL", url)
            .env("NODE0_LISTEN", "127.0.0.1:0")
            .env("NODE0_SETUP_TOKEN", TOKEN)
            .env("NODE0_MASTER_KEY", MASTER_KEY)
            .env("NODE0_LOG", "warn")
            .envs(settings.to_vec());
        Process::start(command)
    }

    /// This program as the bare server.
    pub fn echo() -> Outcome<Process> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("echo");
        Process::start(command)
    }

    fn start(mut command: Command) -> Outcome<Process> {
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let out = child.stdout.take().ok_or("no standard output")?;
        for line in BufReader::new(out).lines() {
            let object: serde_json::Value = serde_json::from_str(&line?)?;
            if let Some(address) = object["address"].as_str() {
                let address = address.trim_start_matches("http://").parse()?;
                return Ok(Process { child, address });
            }
        }
        Err("the server ended before it said where it is".into())
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The most memory it has held so far, in MiB.
    pub fn peak_memory_mib(&self) -> Option<f64> {
        peak_memory_mib(self.child.id())
    }
}

/// The most memory that a process has held so far, in MiB.
pub fn peak_memory_mib(process: u32) -> Option<f64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kib: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kib / 1024.0)
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that ended by itself has nothing to be killed.
        self.child.kill().unwrap_or_default();
        self.child.wait().map(|_| ()).unwrap_or_default();
    }
}

/// Serves `POST` to any path by answering with the body, until killed.
pub async fn serve_echo() -> Outcome<()> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("{{\"address\":\"http://{}\"}}", listener.local_addr()?);
    let router = Router::new().fallback(post(|body: Bytes| async move { body }));
    Ok(axum::serve(listener, router).await?)
}

/// One command a request: each connection sends to validators of its own, one after the other.
pub async fn single(
    process: &Process,
    token: &'static str,
    addresses: &[Address],
    connections: usize,
    period: Duration,
) -> Outcome<Figure> {
    let each = addresses.len() / connections;
    let addresses = addresses.to_vec();
    let request = move |connection: usize, n: usize| {
        let address = addresses[connection * each + n % each];
        post_bytes(&format!("/api/v1/validators/{address}/bond"), token, r#"{"amount":"1"}"#)
    };
    Ok(load::http(process.address, connections, period, 1, request).await?)
}

/// A hundred commands a request.
pub async fn hundred(
    process: &Process,
    addresses: &[Address],
    connections: usize,
    period: Duration,
) -> Outcome<Figure> {
    let each = addresses.len() / connections;
    let addresses = addresses.to_vec();
    let request = move |connection: usize, n: usize| {
        let items: Vec<String> = (0..100)
            .map(|item| {
                let address = addresses[connection * each + (n * 100 + item) % each];
                format!(
                    r#"{{"collection":"validators","id":"{address}","command":"bond","body":{{"amount":"1"}}}}"#
                )
            })
            .collect();
        post_bytes("/api/v1/batches", TOKEN, &format!(r#"{{"items":[{}]}}"#, items.join(",")))
    };
    Ok(load::http(process.address, connections, period, 100, request).await?)
}

pub fn get_bytes(path: &str, token: &str) -> Vec<u8> {
    format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\r\n")
        .into_bytes()
}

pub fn post_bytes(path: &str, token: &str, body: &str) -> Vec<u8> {
    format!(
        "POST {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}
