//! The appender: takes what is waiting and writes it, batch after batch.
//!
//! Knows the order of things and nothing of their bytes. One task owns all of this state;
//! transactions and questions run beside it and come back as values.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use sqlx::PgPool;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio::task::{JoinHandle, JoinSet, yield_now};
use tokio::time::sleep;
use uuid::Uuid;

use super::Pending;
use super::batch::{Batch, Member};
use super::flight::{Course, Landing};
use super::inquiry::{Found, Questions};
use super::notify::Notifier;
use super::optimism::Optimism;
use super::queue::{AppenderHandle, Handed, InDoubt};
use super::session::{Address, Seen, Session};
use super::streams::{Streams, Verdict};
use crate::archive::Cold;
use crate::error::StoreError;
use crate::recent::Recent;
use crate::store::StoreOptions;

/// Up to this many events, one statement at the head is faster than a COPY and its second round
/// trip.
const SMALL_EVENTS_MAX: usize = 32;
/// From this many waiting requests on, a second batch is written while the first one commits.
const AHEAD_REQUESTS_MIN: usize = 32;
/// Requests taken out of the channel at once.
const ARRIVALS_MAX: usize = 4_096;
/// Requests held outside of the channel; more stay in it.
const WAITING_MAX: usize = 65_536;
/// How long is waited between attempts to reach a database that holds an unknown outcome.
pub(super) const RECONNECT_MS: u64 = 200;

/// The owner of everything about appending in this process.
pub(crate) struct Appender {
    pub(super) incarnation: Uuid,
    pub(super) options: StoreOptions,
    pub(super) address: Address,
    pub(super) pool: PgPool,
    pub(super) cold: Cold,
    pub(super) head: watch::Sender<u64>,
    pub(super) recent: Arc<Recent>,
    pub(super) notifier: Notifier,
    pub(super) in_doubt: InDoubt,
    pub(super) room: Arc<Semaphore>,
    inbox: mpsc::UnboundedReceiver<Handed>,
    stop: watch::Receiver<bool>,
    inbox_is_empty_for_ever: bool,

    pub(super) session: Option<Session>,
    /// A connection of the session is lost: nothing more is started on it, and it goes when the
    /// last transaction has landed.
    pub(super) failing: bool,
    /// Where the head is when everything that has landed is counted.
    pub(super) seen: Seen,
    pub(super) streams: Streams,
    pub(super) optimism: Optimism,

    pub(super) waiting: VecDeque<Pending>,
    /// Behind something under way on the same stream: judged again when it lands.
    pub(super) held: Vec<Pending>,
    /// What the database must be asked before a verdict.
    pub(super) questions: Questions,
    pub(super) inquiry: Option<(Questions, JoinHandle<Result<Found, StoreError>>)>,
    /// Refused as a whole: to be answered one by one.
    pub(super) checked: VecDeque<Batch>,
    pub(super) front: Option<Flight>,
    /// Written behind the front one, and committed after it or not at all.
    pub(super) back: Option<Flight>,
    /// Answers that are being read from the log.
    pub(super) repeats: JoinSet<usize>,
}

/// A transaction under way.
pub(super) struct Flight {
    pub work: Work,
    lane: usize,
    /// The head's position before and after it, if nobody else writes. None: nothing may follow it.
    pub span: Option<(u64, u64)>,
    /// Opened when it may commit.
    pub gate: Option<oneshot::Sender<()>>,
}

impl Appender {
    /// Connects and starts the task; it ends when the handle is closed or dropped.
    pub(crate) async fn start(
        options: &StoreOptions,
        incarnation: Uuid,
        pool: PgPool,
        head: watch::Sender<u64>,
        recent: Arc<Recent>,
    ) -> Result<AppenderHandle, StoreError> {
        let address = Address::of(options)?;
        let session = address.open().await?;
        let seen = session.look(incarnation).await?;
        let (sender, inbox) = mpsc::unbounded_channel();
        let (stop, stopped) = watch::channel(false);
        let (ended, done) = watch::channel(false);
        let room = Arc::new(Semaphore::new(options.queue_bytes_max));
        let in_doubt = InDoubt::default();
        let notifier = Notifier::start(address.clone(), options.notify_interval_ms);
        let appender = Appender {
            incarnation,
            options: options.clone(),
            address,
            pool,
            cold: Cold::new(options.archive.clone()),
            head,
            recent,
            notifier,
            in_doubt: in_doubt.clone(),
            room: Arc::clone(&room),
            inbox,
            stop: stopped,
            inbox_is_empty_for_ever: false,
            session: Some(session),
            failing: false,
            seen,
            streams: Streams::default(),
            optimism: Optimism::default(),
            waiting: VecDeque::new(),
            held: Vec::new(),
            questions: Questions::default(),
            inquiry: None,
            checked: VecDeque::new(),
            front: None,
            back: None,
            repeats: JoinSet::new(),
        };
        tokio::spawn(async move {
            appender.run().await;
            ended.send_replace(true);
        });
        let room_bytes = options.queue_bytes_max;
        Ok(AppenderHandle { sender, room, room_bytes, stop, done, in_doubt })
    }

    async fn run(mut self) {
        let mut arrived = Vec::with_capacity(ARRIVALS_MAX);
        let mut stopping = false;
        while !self.is_finished() {
            if self.failing && self.front.is_none() {
                self.lose_session();
            }
            if self.session.is_none() && self.has_work() {
                self.connect().await;
            }
            self.depart();
            let may_take = !self.inbox_is_empty_for_ever && self.waiting.len() < WAITING_MAX;
            let must_reconnect = self.session.is_none() && !self.in_doubt.is_empty();
            tokio::select! {
                biased;
                (batch, landing) = landing_of(&mut self.front) => {
                    self.front = None;
                    self.land(batch, landing).await;
                    // Those who were just answered ask again at once: let them, and take them
                    // along.
                    yield_now().await;
                    self.take_in_what_is_there(&mut arrived);
                }
                found = finding_of(&mut self.inquiry) => self.learn(found),
                Some(weight) = self.repeats.join_next(), if !self.repeats.is_empty() => {
                    self.room.add_permits(weight.unwrap_or(0));
                }
                taken = self.inbox.recv_many(&mut arrived, ARRIVALS_MAX), if may_take => {
                    self.inbox_is_empty_for_ever = taken == 0;
                    self.take_in(&mut arrived);
                }
                () = stopped(&mut self.stop), if !stopping => {
                    stopping = true;
                    self.inbox.close();
                }
                () = sleep(Duration::from_millis(RECONNECT_MS)), if must_reconnect => {
                    self.connect().await;
                }
            }
        }
    }

    fn has_work(&self) -> bool {
        !(self.waiting.is_empty()
            && self.held.is_empty()
            && self.questions.is_empty()
            && self.checked.is_empty())
    }

    fn is_finished(&self) -> bool {
        self.inbox_is_empty_for_ever
            && !self.has_work()
            && self.inquiry.is_none()
            && self.front.is_none()
            && self.back.is_none()
            && self.repeats.is_empty()
    }

    fn take_in_what_is_there(&mut self, arrived: &mut Vec<Handed>) {
        while arrived.len() < ARRIVALS_MAX
            && let Ok(handed) = self.inbox.try_recv()
        {
            arrived.push(handed);
        }
        self.take_in(arrived);
    }

    fn take_in(&mut self, arrived: &mut Vec<Handed>) {
        for handed in arrived.drain(..) {
            match handed {
                Handed::One(pending) => self.waiting.push_back(pending),
                Handed::Many(many) => self.waiting.extend(many),
            }
        }
    }

    /// Starts every transaction and every question that can be started now.
    fn depart(&mut self) {
        if self.failing {
            return;
        }
        if self.front.is_none()
            && let Some(course) = self.course(0)
        {
            self.front = match self.next_checked() {
                Some(batch) => Some(Flight::checked(course, batch)),
                None => self.start_front(course),
            };
        }
        if let Some((lane, believed)) = self.place_behind_front()
            && let Some(course) = self.course(lane)
        {
            let batch = self.assemble(self.options.batch_events_max);
            if !batch.members.is_empty() {
                self.back = Some(Flight::optimistic(course, batch, lane, believed));
            }
        }
        self.start_inquiry();
    }

    fn start_front(&mut self, course: Course) -> Option<Flight> {
        let batch = self.assemble(self.share_of_front());
        let believed = self.seen.position;
        if batch.members.is_empty() {
            return None;
        }
        if batch.events > SMALL_EVENTS_MAX && self.optimism.is_on() {
            let mut flight = Flight::optimistic(course, batch, 0, believed);
            open(&mut flight.gate);
            return Some(flight);
        }
        Some(Flight::at_head(course, batch, believed))
    }

    /// How many events the front batch may take: half of many, so that the other half is written
    /// beside it.
    fn share_of_front(&self) -> usize {
        let waiting = self.waiting.len();
        let two_lanes = waiting >= 2 * AHEAD_REQUESTS_MIN && self.optimism.is_on();
        let share = if two_lanes { waiting.div_ceil(2) } else { waiting };
        share.clamp(1, self.options.batch_events_max)
    }

    /// The lane and the believed position of a second batch, when one is worth its while.
    fn place_behind_front(&self) -> Option<(usize, u64)> {
        let worth_it = self.back.is_none()
            && self.waiting.len() >= AHEAD_REQUESTS_MIN
            && self.optimism.is_on();
        let Flight { lane, span, .. } = self.front.as_ref()?;
        let (_, believed) = (*span)?;
        worth_it.then_some((1 - lane, believed))
    }

    fn course(&self, lane: usize) -> Option<Course> {
        let session = self.session.as_ref()?;
        let commit_ms_max = self.options.commit_ms_max;
        Some(Course::new(&session.lanes[lane], self.incarnation, self.seen, commit_ms_max))
    }

    /// Takes what fits into one transaction from what is waiting, and puts aside what cannot go
    /// yet.
    fn assemble(&mut self, events_max: usize) -> Batch {
        let mut batch = Batch::default();
        while let Some(pending) = self.waiting.pop_front() {
            let request = &pending.request;
            if pending.lineage.is_broken() {
                self.doubt_orphan(pending);
                continue;
            }
            if !batch.has_room(request, events_max, self.options.batch_bytes_max) {
                self.waiting.push_front(pending);
                break;
            }
            match self.streams.judge(&request.stream, request.expected, request.count()) {
                Verdict::Go { no } => batch.push(pending, no),
                Verdict::Wait => self.held.push(pending),
                Verdict::Ask => self.questions.ask(pending),
                Verdict::Behind { actual } => self.questions.doubt(pending, actual),
            }
        }
        batch
    }

    /// The next batch to be answered one by one, without those whose lineage broke meanwhile.
    fn next_checked(&mut self) -> Option<Batch> {
        while let Some(Batch { members, .. }) = self.checked.pop_front() {
            let mut batch = Batch::default();
            for Member { pending, stream_no } in members {
                if pending.lineage.is_broken() {
                    self.streams.undone(&pending.request.stream);
                    self.doubt_orphan(pending);
                } else {
                    batch.push(pending, stream_no);
                }
            }
            if !batch.members.is_empty() {
                return Some(batch);
            }
        }
        None
    }

    /// A request whose lineage is broken conflicts, unless its command is a repetition.
    fn doubt_orphan(&mut self, pending: Pending) {
        match self.streams.version(&pending.request.stream) {
            Some(actual) => self.questions.doubt(pending, actual),
            None => self.questions.ask(pending),
        }
    }

    /// Puts requests back to where they were taken from, in their order, and what was held behind
    /// them.
    pub(super) fn put_back(&mut self, requests: impl DoubleEndedIterator<Item = Pending>) {
        for pending in std::mem::take(&mut self.held).into_iter().rev() {
            self.waiting.push_front(pending);
        }
        for pending in requests.rev() {
            self.waiting.push_front(pending);
        }
    }
}

/// Who drives a transaction. A COPY builds its rows beside everything else; a single statement is
/// only waited for, and each change of task costs a lone caller more than the statement's own work.
pub(super) enum Work {
    Beside(JoinHandle<(Batch, Landing)>),
    Here(BoxFuture<'static, (Batch, Landing)>),
}

impl Work {
    pub(super) async fn landing(&mut self) -> (Batch, Landing) {
        match self {
            // A task that was torn down took its requests with it: their callers know that they
            // know nothing.
            Work::Beside(task) => task.await.unwrap_or((Batch::default(), Landing::Unknown)),
            Work::Here(statement) => statement.await,
        }
    }
}

impl Flight {
    fn optimistic(course: Course, batch: Batch, lane: usize, believed: u64) -> Flight {
        let span = Some((believed, believed + batch.events as u64));
        let (gate, opened) = oneshot::channel();
        let work = Work::Beside(tokio::spawn(course.optimistic(batch, believed, opened)));
        Flight { work, lane, span, gate: Some(gate) }
    }

    fn at_head(course: Course, batch: Batch, believed: u64) -> Flight {
        let span = Some((believed, believed + batch.events as u64));
        Flight { work: Work::Here(Box::pin(course.at_head(batch))), lane: 0, span, gate: None }
    }

    fn checked(course: Course, batch: Batch) -> Flight {
        Flight {
            work: Work::Here(Box::pin(course.checked(batch))),
            lane: 0,
            span: None,
            gate: None,
        }
    }
}

/// Lets a flight commit. A flight that has failed already does not listen any more.
pub(super) fn open(gate: &mut Option<oneshot::Sender<()>>) {
    if let Some(gate) = gate.take() {
        let _ = gate.send(());
    }
}

async fn landing_of(flight: &mut Option<Flight>) -> (Batch, Landing) {
    match flight {
        Some(flight) => flight.work.landing().await,
        None => std::future::pending().await,
    }
}

/// Returns when the handle is closed or gone.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

async fn finding_of(
    inquiry: &mut Option<(Questions, JoinHandle<Result<Found, StoreError>>)>,
) -> Result<Found, StoreError> {
    match inquiry {
        Some((_, join)) => join.await.unwrap_or(Err(StoreError::Closed)),
        None => std::future::pending().await,
    }
}
