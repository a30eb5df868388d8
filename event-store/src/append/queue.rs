//! Queue: where callers leave their requests and wait for the answer.
//!
//! Knows how much may wait; does not know what becomes of it.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use uuid::Uuid;

use super::encode::Encoded;
use super::{AppendRequest, Appended, Lineage, Pending};
use crate::error::{AppendError, StoreError};
use crate::event::CommandId;

/// What a waiting request takes of the queue besides its records.
const PENDING_BYTES: usize = 512;

/// What is handed over at once keeps its order and comes into one batch where it fits.
pub(super) enum Handed {
    One(Pending),
    Many(Vec<Pending>),
}

/// The callers' side of the appender.
pub(crate) struct AppenderHandle {
    pub(super) sender: mpsc::UnboundedSender<Handed>,
    /// Bytes that may still wait. The channel is bounded by it.
    pub(super) room: Arc<Semaphore>,
    pub(super) room_bytes: usize,
    pub(super) stop: watch::Sender<bool>,
    pub(super) done: watch::Receiver<bool>,
    pub(super) in_doubt: InDoubt,
}

type Answer = oneshot::Receiver<Result<Appended, AppendError>>;

impl AppenderHandle {
    pub(super) async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        let encoded = Encoded::new(request)?;
        let command = CommandId(encoded.command);
        let (pending, answer) = pending(encoded, Lineage::default());
        self.take_room(pending.weight).await?;
        self.hand_over(Handed::One(pending))?;
        answered(answer, command).await
    }

    pub(super) async fn append_all(
        &self,
        requests: Vec<AppendRequest>,
        mut lineage_of: impl FnMut(&AppendRequest) -> Lineage,
    ) -> Vec<Result<Appended, AppendError>> {
        let mut answers = Vec::with_capacity(requests.len());
        let mut group = Group::default();
        for request in requests {
            let command = request.command;
            let lineage = lineage_of(&request);
            let answer = match Encoded::new(request) {
                Err(fault) => {
                    lineage.break_off();
                    Err(fault.into())
                }
                Ok(encoded) => {
                    let (pending, answer) = pending(encoded, lineage);
                    // Never more at once than the queue can hold.
                    if group.weight + pending.weight > self.room_bytes {
                        self.hand_over_group(&mut group).await;
                    }
                    group.push(pending);
                    Ok(answer)
                }
            };
            answers.push((command, answer));
        }
        self.hand_over_group(&mut group).await;
        let mut results = Vec::with_capacity(answers.len());
        for (command, answer) in answers {
            results.push(match answer {
                Err(error) => Err(error),
                Ok(answer) => answered(answer, command).await,
            });
        }
        results
    }

    /// A group that cannot be handed over is answered here: its callers' ends are still at hand.
    async fn hand_over_group(&self, group: &mut Group) {
        let Group { members, weight } = std::mem::take(group);
        if members.is_empty() {
            return;
        }
        let refused = match self.take_room(weight).await {
            Ok(()) => match self.sender.send(Handed::Many(members)) {
                Ok(()) => return,
                Err(mpsc::error::SendError(Handed::Many(members))) => members,
                Err(mpsc::error::SendError(Handed::One(member))) => vec![member],
            },
            Err(_) => members,
        };
        for pending in refused {
            pending.lineage.break_off();
            let _ = pending.reply.send(Err(closed()));
        }
    }

    async fn take_room(&self, bytes: usize) -> Result<(), AppendError> {
        // Never more than the queue has, which is at most 4 GiB.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let permit = self.room.acquire_many(bytes).await.map_err(|_| closed())?;
        // Given back by the appender when the request is answered.
        permit.forget();
        Ok(())
    }

    fn hand_over(&self, handed: Handed) -> Result<(), AppendError> {
        self.sender.send(handed).map_err(|_| closed())
    }

    /// Takes no more, and returns when all that was taken is answered.
    pub(crate) async fn close(&self) {
        self.room.close();
        self.stop.send_replace(true);
        let mut done = self.done.clone();
        // An error means that the appender is gone, which is as good.
        let _ = done.wait_for(|done| *done).await;
    }
}

#[derive(Default)]
struct Group {
    members: Vec<Pending>,
    weight: usize,
}

impl Group {
    fn push(&mut self, pending: Pending) {
        self.weight += pending.weight;
        self.members.push(pending);
    }
}

fn pending(request: Encoded, lineage: Lineage) -> (Pending, Answer) {
    let (reply, answer) = oneshot::channel();
    let weight = request.bytes() + PENDING_BYTES;
    (Pending { request, lineage, reply, attempts: 0, weight }, answer)
}

async fn answered(answer: Answer, command: CommandId) -> Result<Appended, AppendError> {
    // Without an answer the appender ended in the middle: nobody knows how far it came.
    answer.await.unwrap_or(Err(AppendError::Unknown { command }))
}

fn closed() -> AppendError {
    AppendError::Unavailable(StoreError::Closed)
}

/// Commands whose outcome could not be learned yet. While a transaction may still be on its way to
/// the database, "no such command" would be an answer that can turn out wrong.
#[derive(Clone, Default)]
pub(super) struct InDoubt(Arc<Mutex<HashSet<Uuid>>>);

impl InDoubt {
    pub(super) fn contains(&self, command: CommandId) -> bool {
        self.locked().contains(&command.0)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.locked().is_empty()
    }

    pub(super) fn add(&self, command: Uuid) {
        self.locked().insert(command);
    }

    /// No transaction of before can commit any more.
    pub(super) fn settle(&self) {
        self.locked().clear();
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashSet<Uuid>> {
        // Each operation leaves the set whole, even one that panics.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
