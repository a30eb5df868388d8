//! When to stop: the signals that ask a process to end.
//!
//! Does not know what there is to stop.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// Listens for SIGTERM (a service manager) and SIGINT (Ctrl-C) from now on.
#[derive(Debug)]
pub struct Shutdown {
    terminate: Signal,
    interrupt: Signal,
}

impl Shutdown {
    /// Begins to listen; from here on the signals no longer end the process by themselves.
    pub fn listen() -> io::Result<Shutdown> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Shutdown { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Returns at the next signal, with its name.
    pub async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
