//! A workload of signed transactions, sent over HTTP at a steady rate: transfers, and now and then
//! an anchor.
//!
//! Does nothing that another client could not do. Does not know what becomes of a transaction once
//! it was taken.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    transaction::{Envelope, Payload, Transaction},
    values::{Address, Amount, ChainId, Digest, Hash, Nonce, PublicKey, ValueError},
};
use ed25519_dalek::SigningKey;
use serde::Deserialize;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::tally::Tally;

/// How many requests are under way at once at most.
const WORKERS_MAX: usize = 64;
/// How long is waited before a request is sent again that was not answered, in milliseconds.
const RETRY_MS: u64 = 200;
/// How long is waited, after a gap was closed or could not be, before the next, in milliseconds:
/// blocks make room meanwhile.
const GAP_MS: u64 = 2_000;
/// One transaction in so many is an anchor.
const ANCHOR_ONE_IN: u64 = 10;
/// The fee of a transaction, in base units.
const FEE: u128 = 10;
/// What a transfer moves, in base units.
const AMOUNT: u128 = 1;

/// Who signs, and with which number next.
pub struct Sender {
    key: SigningKey,
    public: PublicKey,
    next: u64,
    /// Numbers of transactions that were refused.
    again: BTreeSet<u64>,
}

impl Sender {
    /// A sender whose next transaction has this number.
    ///
    /// # Errors
    /// The key is none that the domain takes.
    pub fn new(key: SigningKey, next: u64) -> Result<Sender, ValueError> {
        let public = PublicKey::from_bytes(key.verifying_key().to_bytes())?;
        Ok(Sender { key, public, next, again: BTreeSet::new() })
    }

    fn number(&mut self) -> u64 {
        self.again.pop_first().unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }
}

/// What is sent, where to, and how fast.
#[derive(Clone)]
pub struct Workload {
    /// Where the server answers: `http://host:port`.
    pub server: String,
    /// A token that may submit.
    pub token: String,
    /// The chain.
    pub chain: ChainId,
    /// Transactions per second, of all senders together.
    pub rate: u32,
    /// Transactions per request.
    pub batch: usize,
}

/// The answer to one request, as far as it is looked at.
#[derive(Deserialize)]
struct Answers {
    items: Vec<Answer>,
}

#[derive(Deserialize)]
struct Answer {
    status: u16,
    problem: Option<Problem>,
}

#[derive(Deserialize)]
struct Problem {
    title: String,
    refusal: Option<Refusal>,
}

#[derive(Deserialize)]
struct Refusal {
    code: String,
}

impl Workload {
    /// Sends until it is told to stop; returns when every request that was sent is answered, and no
    /// sender owes a number that others of its own wait for. A request that is not answered is sent
    /// again: a transaction's hash keeps it from being taken twice.
    pub async fn run(self, senders: Vec<Sender>, tally: &Tally, stop: &CancellationToken) {
        let workers = senders.len().min(WORKERS_MAX);
        let recipients: Arc<[Address]> =
            senders.iter().map(|sender| sender.public.address()).collect();
        let mut shares: Vec<Vec<Sender>> = (0..workers).map(|_| Vec::new()).collect();
        for (nth, sender) in senders.into_iter().enumerate() {
            shares[nth % workers].push(sender);
        }
        let share = f64::from(self.rate) / workers as f64;
        let pause = Duration::from_secs_f64(self.batch as f64 / share.max(f64::EPSILON));
        let (mut working, mut first) = (JoinSet::new(), Instant::now());
        for senders in shares {
            let worker = Worker {
                workload: self.clone(),
                client: reqwest::Client::new(),
                tally: tally.clone(),
                stop: stop.clone(),
                senders,
                recipients: recipients.clone(),
                made: 0,
            };
            working.spawn(worker.run(first, pause));
            // They take turns.
            first += pause / u32::try_from(workers).unwrap_or(1);
        }
        while working.join_next().await.is_some() {}
    }
}

/// One of those that send side by side. Each has senders of its own, so that their transactions
/// arrive in order.
struct Worker {
    workload: Workload,
    client: reqwest::Client,
    tally: Tally,
    stop: CancellationToken,
    senders: Vec<Sender>,
    recipients: Arc<[Address]>,
    made: u64,
}

impl Worker {
    async fn run(mut self, first: Instant, pause: Duration) {
        let mut due = first;
        loop {
            tokio::select! {
                () = tokio::time::sleep_until(due.into()) => {}
                () = self.stop.cancelled() => break,
            }
            let batch = (0..self.workload.batch).map(|_| self.sign_one()).collect();
            self.submit(batch).await;
            // Who is late does not hurry afterwards.
            due = (due + pause).max(Instant::now());
        }
        self.close_gaps().await;
    }

    /// What was refused last left its number to nobody, and what comes after it would wait for it.
    async fn close_gaps(&mut self) {
        loop {
            let mut batch = Vec::new();
            while batch.len() < self.workload.batch
                && let Some(owing) = self.senders.iter().position(|one| !one.again.is_empty())
            {
                batch.push(self.sign_by(owing));
            }
            if batch.is_empty() {
                return;
            }
            self.submit(batch).await;
            tokio::time::sleep(Duration::from_millis(GAP_MS)).await;
        }
    }

    async fn submit(&mut self, batch: Vec<Transaction>) {
        self.tally.sends(batch.iter().map(Transaction::hash));
        self.send(&batch).await;
    }

    fn sign_one(&mut self) -> Transaction {
        self.sign_by((self.made % self.senders.len() as u64) as usize)
    }

    fn sign_by(&mut self, which: usize) -> Transaction {
        let nth = self.made;
        self.made += 1;
        let to = self.recipients[(nth % self.recipients.len() as u64) as usize];
        let sender = &mut self.senders[which];
        let number = sender.number();
        let payload = if nth.is_multiple_of(ANCHOR_ONE_IN) {
            let document = format!("document {number} of {}", sender.public.address());
            anchor(&document)
        } else {
            Payload::Transfer { amount: Amount::new(AMOUNT), to }
        };
        let envelope = Envelope {
            chain_id: self.workload.chain.clone(),
            expires_at_height: None,
            fee: Amount::new(FEE),
            memo: None,
            nonce: Nonce::new(number).expect("fewer than 2^63 transactions are made"),
            payload,
            sender: sender.public,
        };
        envelope.sign(&sender.key)
    }

    /// Sends a batch until it is answered.
    async fn send(&mut self, batch: &[Transaction]) {
        let mut body = Vec::new();
        for transaction in batch {
            body.push(if body.is_empty() { b'[' } else { b',' });
            body.extend_from_slice(transaction.bytes());
        }
        body.push(b']');
        let body = bytes::Bytes::from(body);
        loop {
            let began = Instant::now();
            if let Ok(answers) = self.ask(body.clone()).await
                && self.take(batch, answers)
            {
                self.tally.answered(began.elapsed());
                return;
            }
            tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
        }
    }

    async fn ask(&self, body: bytes::Bytes) -> Result<Answers, reqwest::Error> {
        let url = format!("{}/api/v1/transactions", self.workload.server);
        let request = self.client.post(url).bearer_auth(&self.workload.token);
        let request = request.header("content-type", "application/json").body(body);
        request.send().await?.error_for_status()?.json().await
    }

    /// Whether every item has its last word. What was refused gives its number back.
    fn take(&mut self, batch: &[Transaction], answers: Answers) -> bool {
        for (transaction, answer) in batch.iter().zip(&answers.items) {
            match answer.status {
                200 => {}
                429 | 503 => return false,
                _ => {
                    let reason = answer.problem.as_ref().map_or("no reason", |problem| {
                        problem.refusal.as_ref().map_or(&problem.title, |refusal| &refusal.code)
                    });
                    self.tally.refused(transaction.hash(), reason);
                    let nonce = transaction.envelope().nonce.value();
                    let sender = transaction.sender();
                    let of = |one: &&mut Sender| one.public.address() == sender;
                    if let Some(sender) = self.senders.iter_mut().find(of) {
                        sender.again.insert(nonce);
                    }
                }
            }
        }
        answers.items.len() == batch.len()
    }
}

/// Notarises a text.
fn anchor(text: &str) -> Payload {
    let digest = Hash::of(text.as_bytes());
    Payload::Anchor {
        algorithm: "sha-256".parse().expect("a name in lower case is an algorithm"),
        digest: Digest::from_bytes(digest.as_bytes().to_vec()).expect("32 bytes are a digest"),
        label: text.parse().expect("a short line of letters and digits is a label"),
    }
}
