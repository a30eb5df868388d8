//! One operation of a WebSocket: runs beside the others, says what it finds.
//!
//! Does not know the socket: it waits when its results are not taken.

use async_graphql::{Request, parser::types::OperationType};
use axum::extract::ws::Message;
use commands::Actor;
use futures::StreamExt;
use tokio::sync::mpsc;

use super::{
    super::{
        context::Asker,
        reply::{Fault, Reply},
        request::{Given, Way, prepare},
    },
    message,
};
use crate::{
    problem::{Kind, Problem},
    server::App,
};

/// What an operation has to say.
pub struct Told {
    /// Its id.
    pub id: String,
    /// Which operation by that id: a finished one may be followed by another.
    pub number: u64,
    /// The message.
    pub message: Message,
    /// Whether it is the last one.
    pub is_last: bool,
}

/// What an operation needs.
pub struct Operation {
    /// The surface.
    pub app: App,
    /// Who asks.
    pub caller: Option<Actor>,
    /// From where.
    pub address: Option<std::net::IpAddr>,
    /// The request id of the connection.
    pub instance: std::sync::Arc<str>,
    /// Its id.
    pub id: String,
    /// Its number.
    pub number: u64,
    /// Where its results go.
    pub outbox: mpsc::Sender<Told>,
}

impl Operation {
    /// Runs to the end, or until it is dropped.
    pub async fn run(self, given: Given) {
        let asker = Asker::new(self.app.clone(), self.caller.clone(), self.address);
        match prepare(&self.app, given, Way::Socket) {
            Err(problem) => self.refuse(&problem).await,
            Ok((request, OperationType::Subscription)) => self.follow(request.data(asker)).await,
            Ok((request, OperationType::Query | OperationType::Mutation)) => {
                self.answer(request.data(asker)).await;
            }
        }
    }

    async fn follow(&self, request: Request) {
        let mut answers = self.app.schema.execute_stream(request);
        while let Some(answer) = answers.next().await {
            let (reply, is_end) = Reply::of_event(answer, &self.instance);
            if is_end {
                return self.fail(&reply.errors).await;
            }
            if !self.tell(message::next(&self.id, &reply), false).await {
                return;
            }
        }
        self.tell(message::complete(&self.id), true).await;
    }

    async fn answer(&self, request: Request) {
        let limit = self.app.request_time();
        let answer = self.app.schema.execute(request);
        let Ok(answer) = tokio::time::timeout(limit, answer).await else {
            let detail = format!("it took longer than {} ms", limit.as_millis());
            return self.refuse(&Problem::new(Kind::TimedOut, detail)).await;
        };
        let reply = Reply::of(answer, &self.instance);
        if reply.data.is_none() {
            return self.fail(&reply.errors).await;
        }
        if self.tell(message::next(&self.id, &reply), false).await {
            self.tell(message::complete(&self.id), true).await;
        }
    }

    /// Ends with a problem.
    pub async fn refuse(&self, problem: &Problem) {
        problem.log(&self.instance);
        self.fail(&Reply::refused(problem, &self.instance).errors).await;
    }

    async fn fail(&self, faults: &[Fault]) {
        self.tell(message::error(&self.id, faults), true).await;
    }

    /// False when nobody listens any more.
    async fn tell(&self, message: Message, is_last: bool) -> bool {
        let (id, number) = (self.id.clone(), self.number);
        self.outbox.send(Told { id, number, message, is_last }).await.is_ok()
    }
}
