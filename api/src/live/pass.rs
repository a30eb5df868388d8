//! The right to listen on: whoever lost their token hears no more.
//!
//! Does not know what is listened to.

use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Method};
use commands::Actor;

use crate::{
    auth,
    problem::{Kind, Problem},
    server::App,
};

/// Who listens, and the token they showed.
pub struct Pass {
    app: App,
    /// Nothing but the token.
    shown: HeaderMap,
    caller: Option<Actor>,
    checked: Instant,
    every: Duration,
}

impl Pass {
    /// For a caller whom these headers have just shown to be themselves.
    pub fn new(app: &App, headers: &HeaderMap, caller: Option<Actor>) -> Pass {
        let shown = auth::credentials(headers);
        let (checked, every) = (Instant::now(), app.limits.live.heartbeat());
        Pass { app: app.clone(), shown, caller, checked, every }
    }

    /// Who listens.
    pub fn caller(&self) -> Option<&Actor> {
        self.caller.as_ref()
    }

    /// Looks at the token again, once in a heartbeat.
    pub async fn renew(&mut self) -> Result<(), Problem> {
        if self.checked.elapsed() < self.every {
            return Ok(());
        }
        self.checked = Instant::now();
        match auth::asker(&self.app.identities, &Method::GET, &self.shown).await {
            Ok(now) if is_same(now.caller.as_ref(), self.caller.as_ref()) => Ok(()),
            Ok(_) => {
                Err(Problem::new(Kind::NotAuthenticated, "the token's roles have been changed"))
            }
            // An outage takes no token away.
            Err(problem) if problem.kind().is_retryable() => Ok(()),
            Err(problem) => Err(problem),
        }
    }
}

fn is_same(one: Option<&Actor>, other: Option<&Actor>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one == other,
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    }
}
