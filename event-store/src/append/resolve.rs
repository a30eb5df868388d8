//! Resolve: what became of a commit whose answer was lost, and how a lost session is replaced.
//!
//! Knows no shape of transaction: the argument holds for all of them.
//!
//! # Why the answer is final
//!
//! The connection is lost; the transaction T may have been committed, may be running, may even sit
//! in a buffer on the way to the server and begin to run later. Every way to append takes the head
//! row's lock and compares the row's `fence` with the one that T was given, under that lock, before
//! it commits: `advance_head` raises, `append_checked` raises, the plain statement finds no row to
//! update. So, on a fresh connection, the fence is raised by one, which takes the same lock. Now
//! either
//!
//! * T had the lock before: then raising waited until T's backend committed or rolled back (the
//!   server notices a broken connection, and a transaction that has gone quiet is ended after some
//!   seconds); or
//! * T gets the lock after, or never: then T finds another fence, and stores nothing.
//!
//! When raising returns, T is therefore over or harmless, and what the log says about T's commands
//! will not change. A command that is there is answered; one that is not was never stored and never
//! will be by T, so that storing it now is no blind retry. Raising disturbs other processes no more
//! than a commit does: they find another fence, read it, and go on.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use super::appender::{Appender, RECONNECT_MS};
use super::batch::{Batch, Member};
use super::inquiry::{Stored, find_commands};
use super::session::{Seen, Session};
use crate::error::{AppendError, StoreError};
use crate::event::CommandId;

impl Appender {
    /// Learns the outcome of a batch whose commit was not answered.
    pub(super) async fn resolve(&mut self, batch: Batch) {
        let commands: Vec<_> = batch.members.iter().map(|m| m.pending.request.command).collect();
        tracing::warn!(
            requests = commands.len(),
            "a commit was not answered, asking for its outcome"
        );
        commands.iter().for_each(|command| self.in_doubt.add(*command));
        self.lose_session();
        let patience = Duration::from_millis(self.options.resolve_ms_max);
        let deadline = Instant::now() + patience;
        let found = loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match timeout(left, self.ask_again(&commands)).await {
                Ok(Ok(found)) => break Some(found),
                Ok(Err(StoreError::Incarnation { .. })) | Err(_) => break None,
                Ok(Err(_)) => sleep(left.min(Duration::from_millis(RECONNECT_MS))).await,
            }
        };
        match found {
            Some(found) => self.answer_resolved(batch, &found),
            None => {
                for pending in batch.into_pending() {
                    let command = CommandId(pending.request.command);
                    self.answer(pending, Err(AppendError::Unknown { command }));
                }
            }
        }
    }

    async fn ask_again(&mut self, commands: &[Uuid]) -> Result<HashMap<Uuid, Stored>, StoreError> {
        let (session, seen) = self.reopen().await?;
        let stored = find_commands(&session.desk, commands).await?;
        self.took_over(session, seen);
        Ok(stored)
    }

    fn answer_resolved(&mut self, batch: Batch, found: &HashMap<Uuid, Stored>) {
        let mut not_stored = Vec::new();
        for Member { pending, .. } in batch.members {
            let command = CommandId(pending.request.command);
            match found.get(&command.0) {
                Some(stored) if stored.admits(&pending.request) => self.repeat(pending),
                Some(_) => self.answer(pending, Err(AppendError::CommandReused { command })),
                None => not_stored.push(pending),
            }
        }
        let lost = StoreError::Unreachable("the connection was lost again and again".into());
        self.put_back_after(not_stored.into_iter(), &lost);
    }

    /// Replaces a lost session; who waits while the database is away is told so.
    pub(super) async fn connect(&mut self) {
        match self.reopen().await {
            Ok((session, seen)) => self.took_over(session, seen),
            Err(error) => {
                let mut refused = Vec::new();
                refused.extend(std::mem::take(&mut self.held));
                refused.extend(std::mem::take(&mut self.waiting));
                refused.extend(std::mem::take(&mut self.questions).into_pending());
                for pending in refused {
                    self.answer(pending, Err(AppendError::Unavailable(error.clone())));
                }
            }
        }
    }

    fn reopen(&self) -> impl Future<Output = Result<(Session, Seen), StoreError>> + Send + use<> {
        let (address, incarnation) = (self.address.clone(), self.incarnation);
        let in_doubt = !self.in_doubt.is_empty();
        async move {
            let session = address.open().await?;
            let seen = match in_doubt {
                true => session.raise_fence(incarnation).await?,
                false => session.look(incarnation).await?,
            };
            Ok((session, seen))
        }
    }

    fn took_over(&mut self, session: Session, seen: Seen) {
        self.in_doubt.settle();
        self.session = Some(session);
        self.seen = seen;
    }

    /// Gives up all connections and all that was remembered over them. No flight is under way.
    pub(super) fn lose_session(&mut self) {
        self.failing = false;
        self.session = None;
        self.streams.forget_all();
        if let Some((questions, join)) = self.inquiry.take() {
            join.abort();
            self.put_back(questions.into_pending());
        }
        let questions = std::mem::take(&mut self.questions);
        self.put_back(questions.into_pending());
        // Their stream numbers were learned over the session that is gone.
        for batch in std::mem::take(&mut self.checked).into_iter().rev() {
            self.put_back(batch.into_pending());
        }
    }
}
