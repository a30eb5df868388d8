//! What a validator says, on its way to the record: sent until it is answered, or too late.
//!
//! Does not know what it says. That something is so already, or comes too late, is an answer like
//! any other.

use std::time::Duration;

use domain::{
    block::Contents,
    consensus::{Command, HeightStream},
    values::{Height, Round},
    vote::BlockId,
};
use serde_json::{Value, json};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
};

use crate::{
    Failure,
    server::{Answer, Server},
};

/// How long is waited before something is sent again, in milliseconds: at first, and at most.
const AGAIN_MS: (u64, u64) = (25, 500);

/// What came of something that was sent.
#[derive(Debug)]
pub enum Told {
    /// A block of one's own is recorded and found valid.
    Recorded {
        /// The block.
        id: BlockId,
        /// Its height.
        height: Height,
        /// The round it is for.
        round: Round,
    },
    /// It is not, and why.
    Unrecorded {
        /// The height it was for.
        height: Height,
        /// The round it was for.
        round: Round,
        /// Why.
        because: String,
    },
    /// Nothing that is sent will be taken.
    Over(Failure),
}

/// What is on its way. What has not arrived is given up when it is dropped.
pub struct Outbox {
    sender: Sender,
    under_way: JoinSet<()>,
}

#[derive(Clone)]
struct Sender {
    server: Server,
    /// The height that comes next: what is for an earlier one is too late.
    next: watch::Receiver<Option<Height>>,
    told: mpsc::UnboundedSender<Told>,
}

impl Outbox {
    /// With what is told of what was sent.
    pub fn new(
        server: Server,
        next: watch::Receiver<Option<Height>>,
    ) -> (Outbox, mpsc::UnboundedReceiver<Told>) {
        let (told, heard) = mpsc::unbounded_channel();
        let sender = Sender { server, next, told };
        (Outbox { sender, under_way: JoinSet::new() }, heard)
    }

    /// Says something at a height.
    pub fn says(&mut self, stream: &HeightStream, command: &Command) {
        let path = format!("/api/v1/heights/{stream}/{}", command.name());
        let body = fields(command);
        let (sender, height) = (self.sender.clone(), stream.height);
        self.sends(async move {
            match sender.send(&path, &body, height).await {
                Some(Answer::Forbidden(because)) => sender.over(because),
                Some(Answer::Refused(because)) => tracing::debug!(path, because, "not taken"),
                Some(Answer::Done(_) | Answer::Busy(_)) | None => {}
            }
        });
    }

    /// Has a block recorded and judged.
    pub fn records(&mut self, contents: Contents, round: Round) {
        let sender = self.sender.clone();
        self.sends(async move {
            let (id, height) = (contents.id(), contents.header.height());
            let told = match sender.records(&contents, height).await {
                Ok(()) => Told::Recorded { id, height, round },
                Err(Answer::Forbidden(because)) => return sender.over(because),
                Err(Answer::Refused(because) | Answer::Busy(because)) => {
                    Told::Unrecorded { height, round, because }
                }
                Err(Answer::Done(reply)) => {
                    let because = format!("the record's verdict: {}", verdict(&reply));
                    Told::Unrecorded { height, round, because }
                }
            };
            // Only when the validator ends is nobody there to be told.
            let _ = sender.told.send(told);
        });
    }

    fn sends(&mut self, work: impl Future<Output = ()> + Send + 'static) {
        while self.under_way.try_join_next().is_some() {}
        self.under_way.spawn(work);
    }
}

impl Sender {
    /// Until it is answered; none when it comes too late.
    async fn send(&self, path: &str, body: &Value, height: Height) -> Option<Answer> {
        let mut wait_ms = AGAIN_MS.0;
        loop {
            let because = match self.server.post(path, body).await {
                Answer::Busy(because) => because,
                answer @ (Answer::Done(_) | Answer::Refused(_) | Answer::Forbidden(_)) => {
                    return Some(answer);
                }
            };
            tracing::debug!(path, because, "is sent again");
            if self.next.borrow().is_none_or(|next| next > height) {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            wait_ms = (wait_ms * 2).min(AGAIN_MS.1);
        }
    }

    async fn records(&self, contents: &Contents, height: Height) -> Result<(), Answer> {
        let late = || Answer::Busy("it comes too late".to_owned());
        let body = serde_json::to_value(contents).unwrap_or_default();
        let recorded = self.send("/api/v1/blocks", &body, height).await.ok_or_else(late)?;
        let (Answer::Done(_), hash) = (&recorded, contents.header.hash()) else {
            return Err(recorded);
        };
        let path = format!("/api/v1/blocks/{hash}/validate");
        let judged = self.send(&path, &json!({}), height).await.ok_or_else(late)?;
        let Answer::Done(reply) = &judged else { return Err(judged) };
        if verdict(reply).contains("block-rejected") { Err(judged) } else { Ok(()) }
    }

    fn over(&self, because: String) {
        let failure =
            Failure::Refused(format!("The token does not let a validator work: {because}"));
        // Only when the validator ends is nobody there to be told.
        let _ = self.told.send(Told::Over(failure));
    }
}

/// What happened to a block, by the reply to a command.
fn verdict(reply: &Value) -> String {
    let events = reply["events"].as_array().map(Vec::as_slice).unwrap_or_default();
    let told = events.iter().map(|event| format!("{} {}", event["type"], event["data"]));
    told.collect::<Vec<_>>().join(", ")
}

/// A command without its name, which stands in the path.
fn fields(command: &Command) -> Value {
    let mut body = serde_json::to_value(command).unwrap_or_default();
    if let Some(members) = body.as_object_mut() {
        members.remove("command");
    }
    body
}
