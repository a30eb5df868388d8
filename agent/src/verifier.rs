//! Signatures of transactions, verified while they wait: when a block with them is judged, the
//! answers are there.
//!
//! Does not judge: a transaction remembers its answer, and whoever asks earlier finds it out by
//! itself.

use std::{sync::mpsc, thread, time::Duration};

use domain::transaction::{Transaction, verify_all};

/// How long is waited for more, so that many are verified together, in milliseconds.
const GATHER_MS: u64 = 10;
/// How many are verified together at most.
const TOGETHER_MAX: usize = 512;

/// A thread that verifies. It ends when this is dropped.
pub struct Verifier(Option<mpsc::Sender<Transaction>>);

impl Verifier {
    /// Starts it. Where there is no thread to be had, nothing is verified ahead of time.
    pub fn start() -> Verifier {
        let (given, taken) = mpsc::channel::<Transaction>();
        let work = move || {
            while let Ok(first) = taken.recv() {
                thread::sleep(Duration::from_millis(GATHER_MS));
                let more = taken.try_iter().take(TOGETHER_MAX - 1);
                let together: Vec<Transaction> = std::iter::once(first).chain(more).collect();
                // Each transaction keeps its answer.
                let _ = verify_all(&together);
            }
        };
        let started = thread::Builder::new().name("verifier".to_owned()).spawn(work);
        Verifier(started.is_ok().then_some(given))
    }

    /// Will verify it.
    pub fn looks_at(&self, transaction: &Transaction) {
        if let Some(given) = &self.0 {
            // A thread that is gone leaves the work to whoever needs it.
            let _ = given.send(transaction.clone());
        }
    }
}
