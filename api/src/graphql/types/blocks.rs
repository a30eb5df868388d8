//! Blocks and heights of our own chain, and how validators did their duties.
//!
//! Does not take proposals and votes.

use async_graphql::{ComplexObject, Context, Enum, ID, Object, Result, SimpleObject};
use domain::{
    consensus::{ConsensusHeight as Aggregate, HeightStream},
    values,
    vote::VoteType as Vote,
};
use projections::{
    Subject,
    blocks::{self, BlockState as State, Filter},
    heights,
};
use sqlx::PgPool;

use super::{activity::SortOrder, validators::Validator};
use crate::{
    graphql::{
        context::{self, Asker},
        loaders::BlockHash,
        node,
        pages::{self, Page},
        past::{About, When},
        scalars::{Address, Amount, AsOf, ChainId, Hash, Height, Moment, Position, Power},
    },
    problem::Problem,
    rest::{
        blocks::{LAST_DEFAULT, last_fault},
        reply::read_problem,
    },
};

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum BlockState {
    /// It is recorded.
    Proposed,
    /// Nothing speaks against it.
    Valid,
    /// Something speaks against it.
    Rejected,
    /// It was agreed on.
    Final,
    /// It was given up.
    Abandoned,
}

/// Which of a round's two votes it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Vote")]
pub enum VoteType {
    /// For what the round's proposer proposed.
    Prevote,
    /// To make it final.
    Precommit,
}

/// A block.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Block {
    /// Its header's hash.
    hash: Hash,
    /// The chain.
    chain_id: ChainId,
    /// Its height.
    height: Height,
    /// What became of it.
    state: BlockState,
    /// Its time.
    time: Moment,
    /// Who made it.
    proposer: Address,
    /// How many transactions it holds.
    transactions: u32,
    /// How many pieces of evidence.
    evidence: u32,
    /// The hash of its body, which is kept as content.
    body: Hash,
    /// The body's length in bytes.
    body_bytes: u32,
    /// The application's state before it, in upper hex.
    app_hash: String,
    /// The block before.
    last_block_hash: Option<Hash>,
    /// The hash of the set that signs it.
    validators_hash: Hash,
    /// The hash of the set that signs the next one.
    next_validators_hash: Hash,
    /// When it was recorded.
    proposed_at: Moment,
    /// Every reason against it.
    faults: Vec<String>,
    /// The round in which it was agreed on.
    round: Option<u32>,
    /// The power that had signed it by then.
    signed_power: Option<Power>,
    /// The power of the whole set.
    total_power: Option<Power>,
    /// When it became final.
    finalized_at: Option<Moment>,
    /// The root of the state after it.
    state_root: Option<Hash>,
    /// The root of its receipts.
    receipts_root: Option<Hash>,
    /// How many of its transactions failed.
    failed: Option<u32>,
    /// The fees its proposer was given.
    fees: Option<Amount>,
    /// When it was executed.
    applied_at: Option<Moment>,
    /// The position of the event that recorded it.
    position: Position,
}

impl From<blocks::Block> for Block {
    fn from(row: blocks::Block) -> Block {
        Block {
            hash: Hash(row.hash),
            chain_id: ChainId(row.chain_id),
            height: Height(row.height),
            state: row.state.into(),
            time: Moment(row.time),
            proposer: Address(row.proposer),
            transactions: row.transactions,
            evidence: row.evidence,
            body: Hash(row.body),
            body_bytes: row.body_bytes,
            app_hash: row.app_hash.to_string(),
            last_block_hash: row.last_block_hash.map(Hash),
            validators_hash: Hash(row.validators_hash),
            next_validators_hash: Hash(row.next_validators_hash),
            proposed_at: Moment(row.proposed_at),
            faults: row.faults,
            round: row.round.map(|round| round.value()),
            signed_power: row.signed_power.map(Power),
            total_power: row.total_power.map(Power),
            finalized_at: row.finalized_at.map(Moment),
            state_root: row.state_root.map(Hash),
            receipts_root: row.receipts_root.map(Hash),
            failed: row.failed,
            fees: row.fees.map(Amount),
            applied_at: row.applied_at.map(Moment),
            position: Position(row.position),
        }
    }
}

#[ComplexObject]
impl Block {
    /// Names this node for ever.
    pub async fn id(&self) -> ID {
        node::id("Block", self.hash.0)
    }

    /// Who made it, when it is a validator registered here.
    async fn proposer_validator(&self, context: &Context<'_>) -> Result<Option<Validator>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.proposer.0).await?.map(Validator))
    }
}

/// How long the newest blocks took, from being recorded to being executed.
#[derive(SimpleObject)]
pub struct Finality {
    /// How many blocks were looked at.
    blocks: u32,
    /// The newest of them.
    height: Option<Height>,
    /// Half of them took no longer, in milliseconds.
    p50_ms: Option<f64>,
    /// 95 of 100 took no longer, in milliseconds.
    p95_ms: Option<f64>,
    /// 99 of 100 took no longer, in milliseconds.
    p99_ms: Option<f64>,
    /// Transactions in all of them.
    transactions: Position,
    /// Transactions a second, from the first of them to the last.
    transactions_per_s: Option<f64>,
}

/// A height of our own chain.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct ConsensusHeight {
    /// The chain.
    chain_id: ChainId,
    /// The height.
    height: Height,
    /// How many validators vote.
    validators: u32,
    /// Their power.
    total_power: Power,
    /// What the header names their set by.
    validators_hash: Hash,
    /// The newest round.
    round: u32,
    /// When the height started.
    started_at: Moment,
    /// The hash of the block that was agreed on.
    block_hash: Option<Hash>,
    /// The round in which it was.
    committed_round: Option<u32>,
    /// When it was.
    committed_at: Option<Moment>,
    /// How long that took from the height's start, in milliseconds.
    took_ms: Option<Position>,
}

impl From<heights::HeightAgreed> for ConsensusHeight {
    fn from(row: heights::HeightAgreed) -> ConsensusHeight {
        ConsensusHeight {
            chain_id: ChainId(row.chain_id),
            height: Height(row.height),
            validators: row.validators,
            total_power: Power(row.total_power),
            validators_hash: Hash(row.validators_hash),
            round: row.round.value(),
            started_at: Moment(row.started_at),
            block_hash: row.block_hash.map(Hash),
            committed_round: row.committed_round.map(|round| round.value()),
            committed_at: row.committed_at.map(Moment),
            took_ms: row.took_ms.map(Position),
        }
    }
}

#[ComplexObject]
impl ConsensusHeight {
    /// The block that was agreed on.
    async fn block(&self, context: &Context<'_>) -> Result<Option<Block>> {
        let Some(hash) = &self.block_hash else { return Ok(None) };
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(BlockHash(hash.0)).await?.map(Block::from))
    }
}

/// A round of a height.
#[derive(SimpleObject)]
pub struct ConsensusRound {
    /// Its number.
    round: u32,
    /// Who proposes in it.
    proposer: Address,
    /// When it began.
    started_at: Moment,
    /// What was proposed.
    block_hash: Option<Hash>,
    /// When it was.
    proposed_at: Option<Moment>,
    /// Whether more than two thirds of the power prevoted for the same.
    polka: bool,
    /// Why it came to nothing.
    failed: Option<String>,
}

/// A vote.
#[derive(SimpleObject)]
pub struct ConsensusVote {
    /// The round.
    round: u32,
    /// Which vote it is.
    #[graphql(name = "type")]
    kind: VoteType,
    /// Who voted.
    validator: Address,
    /// For which block; null for nil.
    block_hash: Option<Hash>,
    /// When they say they signed it.
    signed_at: Moment,
    /// When it was recorded.
    recorded_at: Moment,
}

/// Somebody signed two messages that exclude each other.
#[derive(SimpleObject)]
pub struct Equivocation {
    /// The position of the event that says so.
    position: Position,
    /// The round.
    round: u32,
    /// Who signed.
    validator: Address,
    /// What was said twice: proposal, prevote or precommit.
    kind: String,
    /// When it was found.
    detected_at: Moment,
}

/// A height with everything that was said at it.
#[derive(SimpleObject)]
pub struct ConsensusHeightInFull {
    /// The height.
    height: ConsensusHeight,
    /// Its rounds, in order.
    rounds: Vec<ConsensusRound>,
    /// The votes, by round, type and validator.
    votes: Vec<ConsensusVote>,
    /// Who contradicted themselves.
    equivocations: Vec<Equivocation>,
}

impl From<heights::HeightInFull> for ConsensusHeightInFull {
    fn from(row: heights::HeightInFull) -> ConsensusHeightInFull {
        let rounds = row.rounds.into_iter().map(|round| ConsensusRound {
            round: round.round.value(),
            proposer: Address(round.proposer),
            started_at: Moment(round.started_at),
            block_hash: round.block_hash.map(Hash),
            proposed_at: round.proposed_at.map(Moment),
            polka: round.polka,
            failed: round.failed.map(|why| format!("{why:?}")),
        });
        let votes = row.votes.into_iter().map(|vote| ConsensusVote {
            round: vote.round.value(),
            kind: vote.kind.into(),
            validator: Address(vote.validator),
            block_hash: vote.block_hash.map(Hash),
            signed_at: Moment(vote.signed_at),
            recorded_at: Moment(vote.recorded_at),
        });
        let equivocations = row.equivocations.into_iter().map(|found| Equivocation {
            position: Position(found.position),
            round: found.round.value(),
            validator: Address(found.validator),
            kind: found.kind,
            detected_at: Moment(found.detected_at),
        });
        ConsensusHeightInFull {
            height: row.height.into(),
            rounds: rounds.collect(),
            votes: votes.collect(),
            equivocations: equivocations.collect(),
        }
    }
}

/// How a validator did its duties at the newest heights.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Duties {
    /// The validator's address.
    address: Address,
    /// How many heights it was there for.
    heights: u32,
    /// At how many of them its precommit was for the block that was agreed on.
    signed: u32,
    /// At how many it was not.
    missed: u32,
    /// How many blocks that were agreed on it proposed.
    proposed: u32,
    /// How many rounds that it was to propose in came to nothing.
    failed_rounds: u32,
    /// How many times it contradicted itself.
    equivocations: u32,
}

#[ComplexObject]
impl Duties {
    /// The validator, when it is registered here.
    async fn validator(&self, context: &Context<'_>) -> Result<Option<Validator>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.address.0).await?.map(Validator))
    }
}

fn last(last: Option<u32>) -> Result<u32, Problem> {
    let last = last.unwrap_or(LAST_DEFAULT);
    match last_fault(last) {
        Some(detail) => Err(Problem::invalid_parameter("last", detail)),
        None => Ok(last),
    }
}

/// Blocks and heights.
#[derive(Default)]
pub struct BlockQueries;

#[Object]
impl BlockQueries {
    /// The block with this hash, or the final one of this chain and height; null when there is
    /// none.
    async fn block(
        &self,
        context: &Context<'_>,
        hash: Option<Hash>,
        chain_id: Option<ChainId>,
        height: Option<Height>,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<Block>> {
        let when = When { min_position, as_of };
        let of_height = match (hash, chain_id, height) {
            (Some(_), None, None) => None,
            (None, Some(chain), Some(height)) => Some((chain.0, height.0)),
            _ => {
                let detail = "give a hash, or a chainId and a height";
                return Err(Problem::invalid_parameter("hash", detail).into());
            }
        };
        let known = async |asker: &Asker| {
            let known = named(asker, &asker.app().pool, hash, of_height.as_ref(), true).await?;
            Ok(known.map(|known| Subject::of_block(known.hash)))
        };
        let about = About::enter_what_is(context, &[blocks::NAME], when, known).await?;
        let (asker, pool) = (about.asker(), about.pool());
        let found = named(asker, pool, hash, of_height.as_ref(), about.is_now()).await?;
        Ok(found.map(Block::from))
    }

    /// Blocks of our own chain, by height.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments in the schema")]
    async fn blocks(
        &self,
        context: &Context<'_>,
        chain_id: Option<ChainId>,
        state: Option<BlockState>,
        proposer: Option<Address>,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Block>> {
        let page = pages::request(first, after.as_deref())?;
        let filter = Filter {
            chain_id: chain_id.map(|chain| chain.0),
            state: state.map(Into::into),
            proposer: proposer.map(|of| of.0),
        };
        let asker = context::enter(context, &[blocks::NAME], min_position).await?;
        let found = blocks::list(&asker.app().pool, &filter, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Block::from))
    }

    /// How long the newest blocks of a chain took.
    async fn finality(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        last: Option<u32>,
        min_position: Option<Position>,
    ) -> Result<Finality> {
        let last = self::last(last)?;
        let asker = context::enter(context, &[blocks::NAME], min_position).await?;
        let row = blocks::finality(&asker.app().pool, &chain_id.0, last).await;
        let row = row.map_err(read_problem)?;
        Ok(Finality {
            blocks: row.blocks,
            height: row.height.map(Height),
            p50_ms: row.p50_ms,
            p95_ms: row.p95_ms,
            p99_ms: row.p99_ms,
            transactions: Position(row.transactions),
            transactions_per_s: row.transactions_per_s,
        })
    }

    /// A height with everything that was said at it; null when it has not started.
    async fn consensus_height(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        height: Height,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<ConsensusHeightInFull>> {
        let when = When { min_position, as_of };
        let of = HeightStream { chain: chain_id.0, height: height.0 };
        let subject = Subject::of::<Aggregate>(&of);
        let about = About::enter(context, &[heights::NAME], when, subject).await?;
        let found = heights::get(about.pool(), &of.chain, of.height).await;
        Ok(found.map_err(read_problem)?.map(ConsensusHeightInFull::from))
    }

    /// Heights of a chain.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn consensus_heights(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<ConsensusHeight>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::enter(context, &[heights::NAME], min_position).await?;
        let found = heights::list(&asker.app().pool, &chain_id.0, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, ConsensusHeight::from))
    }

    /// How validators did their duties at the newest heights: who signed most comes first.
    async fn leaderboard(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        last: Option<u32>,
        min_position: Option<Position>,
    ) -> Result<Vec<Duties>> {
        let last = self::last(last)?;
        let asker = context::enter(context, &[heights::NAME], min_position).await?;
        let rows = heights::leaderboard(&asker.app().pool, &chain_id.0, last).await;
        let duties = rows.map_err(read_problem)?.into_iter().map(|row| Duties {
            address: Address(row.validator),
            heights: row.heights,
            signed: row.signed,
            missed: row.missed,
            proposed: row.proposed,
            failed_rounds: row.failed_rounds,
            equivocations: row.equivocations,
        });
        Ok(duties.collect())
    }
}

/// The block that is named, by its hash or by its chain and height.
async fn named(
    asker: &Asker,
    pool: &PgPool,
    hash: Option<Hash>,
    of_height: Option<&(values::ChainId, values::Height)>,
    is_now: bool,
) -> Result<Option<blocks::Block>, Problem> {
    match (hash, of_height) {
        (Some(hash), _) if is_now => asker.rows().load_one(BlockHash(hash.0)).await,
        (Some(hash), _) => blocks::get(pool, hash.0).await.map_err(read_problem),
        (None, Some((chain, height))) => {
            blocks::at(pool, chain, *height).await.map_err(read_problem)
        }
        (None, None) => Ok(None),
    }
}
