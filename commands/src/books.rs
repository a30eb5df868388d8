//! A chain's books: which stream is a chain's open one, what the closed ones carry over, and which
//! epoch and parameters are in force.
//!
//! Does not know what a header must fulfil.

use domain::{
    aggregate::Aggregate,
    chain::{Carried, Chain, ChainStream, Command, Refusal},
    genesis,
    light::LightBlock,
    parameters::{Parameters, Schedule},
    validator_set::ValidatorSet,
    values::{ChainId, Epoch, Height},
};
use event_store::StoreError;

use crate::{
    error::CommandError,
    execute::Commands,
    lane::Answer,
    policy::Permission,
    request::{Outcome, RequestContext},
};

/// How long the epoch of a chain is taken from memory before the log is asked whether another
/// process has rotated the set, in milliseconds. Epochs last minutes.
pub const EPOCH_FRESH_MS_MAX: u64 = 1_000;

impl Commands {
    /// The newest stream of a chain; its first when nothing is known of the chain yet.
    pub async fn newest_stream(&self, chain: &ChainId) -> Result<ChainStream, StoreError> {
        let prefix = format!("{}-{chain}-", Chain::CATEGORY);
        let newest = self.store.newest_numbered(&prefix).await?;
        let epoch = newest.and_then(|name| name.id().parse::<ChainStream>().ok());
        Ok(epoch.unwrap_or(ChainStream { chain: chain.clone(), epoch: Epoch::default() }))
    }

    /// Verifies and records a header of an observed chain in the stream of its epoch; closes the
    /// books of the epoch before when the header is the first to go beyond it.
    pub async fn observe_header(
        &self,
        chain: &ChainId,
        block: LightBlock,
        context: RequestContext,
    ) -> Answer<Chain> {
        let newest = self.newest_stream(chain).await.map_err(CommandError::Unavailable)?;
        let height = block.signed_header.height();
        let command = Command::ObserveHeader {
            next_validator_set: block.next_validator_set,
            signed_header: block.signed_header,
            validator_set: block.validator_set,
        };
        let stream = self.stream_for(&newest, height).await?;
        if stream.epoch <= newest.epoch {
            return self.execute::<Chain>(stream, command, context).await;
        }
        if !context.dry_run {
            self.close_books(newest, height, &context).await?;
        }
        self.execute::<Chain>(stream, command, context).await
    }

    /// Begins our own chain from a genesis document: the document is kept under its hash, then the
    /// chain's first stream begins. A document with faults is refused with all of them.
    pub async fn initialise_genesis(
        &self,
        document: String,
        context: RequestContext,
    ) -> Answer<Chain> {
        let report = genesis::check(document.as_bytes());
        let Some(genesis) = report.genesis else {
            let (count, faults) = (report.faults_count, report.faults);
            return Err(CommandError::Refused(Refusal::GenesisFaulty { count, faults }));
        };
        let blocks = genesis.ours.as_ref().map_or(1, |ours| ours.parameters.epoch_blocks);
        let stream = ChainStream::of(genesis.chain_id, genesis.initial_height, blocks);
        if report.faults.is_empty() && genesis.ours.is_ok() && !context.dry_run {
            let may = context.actor.may(Permission::ChainGenesis);
            if may && let Err(error) = self.store.put_blob(document.as_bytes()).await {
                return Err(CommandError::from_blob(error));
            }
        }
        let chain = stream.chain.clone();
        let command = Command::InitialiseGenesis { document };
        let answer = self.execute::<Chain>(stream, command, context).await;
        self.rooms.without_genesis.invalidate(&chain);
        self.standing_changed().await;
        answer
    }

    /// Schedules what the setting `protocol.parameters` says, in the epoch of the next block; it is
    /// opened when it is not.
    pub async fn schedule_parameters(
        &self,
        chain: &ChainId,
        context: RequestContext,
    ) -> Answer<Chain> {
        let schedule = self.schedule(chain).await.map_err(CommandError::Unavailable)?;
        let stream = match schedule {
            Some((held, next)) => ChainStream::of(chain.clone(), next, held.genesis().epoch_blocks),
            None => self.newest_stream(chain).await.map_err(CommandError::Unavailable)?,
        };
        self.execute::<Chain>(stream, Command::ScheduleParameters {}, context).await
    }

    /// Begins to observe a foreign chain from a header that is trusted without proof.
    pub async fn start_observation(
        &self,
        anchor: LightBlock,
        epoch_headers: u32,
        trusting_period_s: u32,
        context: RequestContext,
    ) -> Answer<Chain> {
        let header = &anchor.signed_header;
        let (chain, height) = (header.chain_id().clone(), header.height());
        // An epoch of no heights is refused by the decision; the stream's name needs some.
        let stream = ChainStream::of(chain, height, epoch_headers.max(1));
        let command = Command::StartObservation { anchor, epoch_headers, trusting_period_s };
        self.execute::<Chain>(stream, command, context).await
    }

    /// The stream that a height of an observed chain belongs to.
    async fn stream_for(
        &self,
        newest: &ChainStream,
        height: Height,
    ) -> Result<ChainStream, CommandError<Refusal>> {
        let folded = self.state::<Chain>(newest).await.map_err(CommandError::Unavailable)?;
        Ok(match &*folded.state {
            Chain::Observed(observed) => {
                ChainStream::of(newest.chain.clone(), height, observed.epoch_headers)
            }
            Chain::Native(_) | Chain::Unbegun => newest.clone(),
        })
    }

    async fn close_books(
        &self,
        stream: ChainStream,
        next_height: Height,
        context: &RequestContext,
    ) -> Result<Outcome, CommandError<Refusal>> {
        let close = Command::CloseEpoch { next_height: Some(next_height) };
        let step =
            RequestContext { idempotency_key: None, expected_version: None, ..context.clone() };
        self.execute::<Chain>(stream, close, step).await
    }

    /// What the newest epoch of a chain carries over, when its books are closed.
    pub(crate) async fn carried(&self, chain: &ChainId) -> Result<Option<Carried>, StoreError> {
        let newest = self.newest_stream(chain).await?;
        Ok(self.state::<Chain>(&newest).await?.state.carried())
    }

    /// The epoch the chain's validator set is in; the first when there is none.
    pub(crate) async fn epoch(&self, chain: &ChainId) -> Result<Epoch, StoreError> {
        let set = if self.rooms.epochs_fresh.contains_key(chain) {
            self.cached::<ValidatorSet>(chain)?
        } else {
            self.state::<ValidatorSet>(chain).await?
        };
        self.rooms.epochs_fresh.get_with(chain.clone(), || ());
        Ok(match &*set.state {
            ValidatorSet::Unchosen => Epoch::default(),
            ValidatorSet::Chosen { epoch, .. } => *epoch,
        })
    }

    /// The protocol parameters that hold for a chain's next block: for one of our own those of the
    /// genesis document and what has changed since, else the defaults.
    pub(crate) async fn parameters(
        &self,
        chain: Option<&ChainId>,
    ) -> Result<Parameters, StoreError> {
        let Some(chain) = chain else { return Ok(Parameters::default()) };
        if let Some(parameters) = self.rooms.parameters.get(chain) {
            return Ok(parameters);
        }
        if self.rooms.without_genesis.contains_key(chain) {
            return Ok(Parameters::default());
        }
        let Some((schedule, next)) = self.schedule(chain).await? else {
            self.rooms.without_genesis.insert(chain.clone(), ());
            return Ok(Parameters::default());
        };
        let parameters = schedule.at_height(next).clone();
        self.rooms.parameters.insert(chain.clone(), parameters.clone());
        Ok(parameters)
    }

    /// The protocol parameters that hold at a height.
    pub(crate) async fn parameters_at(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Parameters, StoreError> {
        let schedule = self.schedule(chain).await?;
        Ok(schedule.map_or_else(Parameters::default, |(held, _)| held.at_height(height).clone()))
    }

    /// Which protocol parameters hold when, and the height that comes next; none of a chain that is
    /// not our own.
    async fn schedule(&self, chain: &ChainId) -> Result<Option<(Schedule, Height)>, StoreError> {
        let ledger = Box::pin(self.own_ledger()).await?;
        if let Some(ledger) = ledger.filter(|ledger| ledger.chain_id() == chain) {
            return Ok(Some((ledger.schedule().clone(), ledger.coming_height())));
        }
        let newest = self.newest_stream(chain).await?;
        Ok(match &*self.state::<Chain>(&newest).await?.state {
            Chain::Native(native) => {
                let next = native.next_height().unwrap_or(native.initial_height);
                Some((native.schedule.clone(), next))
            }
            Chain::Unbegun | Chain::Observed(_) => None,
        })
    }
}
