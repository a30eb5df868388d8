//! Transactions, what waits, accounts, and notarised documents.
//!
//! Does not take transactions in, nor execute them.

use async_graphql::{ComplexObject, Context, Enum, ID, Json, Object, Result, SimpleObject};
use domain::transaction::Payload;
use projections::{
    Subject,
    accounts::{self, StakeKind as StakeOf},
    anchors, blocks,
    transactions::{self, Filter, TransactionState as State},
};

use super::{activity::SortOrder, blocks::Block, validators::Validator};
use crate::{
    graphql::{
        context::{self, Asker},
        loaders::{BlockHash, Signed, TransactionHash},
        node,
        pages::{self, Page},
        past::{About, When},
        scalars::{Address, Amount, AsOf, Digest, Epoch, Hash, Height, Moment, Position},
    },
    problem::Problem,
    rest::reply::read_problem,
};

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum TransactionState {
    /// It waits, and a block may hold it.
    Pending,
    /// It waits, and nonces before it are missing.
    Queued,
    /// A block executed it.
    Final,
    /// A block executed it, and it failed: only the fee was taken.
    Failed,
    /// It was taken out.
    Evicted,
    /// Another one of its sender took its place while it waited.
    Replaced,
    /// A block executed another one with its nonce.
    Superseded,
}

/// A transaction.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Transaction {
    /// Its hash.
    hash: Hash,
    /// Who sent it.
    sender: Address,
    /// Its place among the sender's.
    nonce: Position,
    /// Whom it concerns besides the sender.
    recipient: Option<Address>,
    /// What it does: a payload's type.
    kind: String,
    /// The amount it names.
    amount: Option<Amount>,
    /// What it pays.
    fee: Amount,
    /// Its length in bytes.
    bytes: u32,
    /// What became of it.
    state: TransactionState,
    /// Why it was taken out.
    evicted_because: Option<String>,
    /// Why it failed.
    failure: Option<String>,
    /// 0 when it succeeded; what CometBFT calls the result's code.
    code: Option<u32>,
    /// The height of the block that holds it.
    height: Option<Height>,
    /// Its place in that block, from 0.
    place: Option<u32>,
    /// The hash of that block.
    block_hash: Option<Hash>,
    /// The transaction whose place it took.
    replaces: Option<Hash>,
    /// The transaction that took its place.
    replaced_by: Option<Hash>,
    /// When it was accepted.
    accepted_at: Moment,
    /// When the block that holds it was executed.
    final_at: Option<Moment>,
    /// The position of the event that holds it whole.
    position: Position,
}

impl From<transactions::Transaction> for Transaction {
    fn from(row: transactions::Transaction) -> Transaction {
        Transaction {
            hash: Hash(row.hash),
            sender: Address(row.sender),
            nonce: Position(row.nonce.value()),
            recipient: row.recipient.map(Address),
            kind: row.kind,
            amount: row.amount.map(Amount),
            fee: Amount(row.fee),
            bytes: row.bytes,
            state: row.state.into(),
            evicted_because: row.evicted_because.map(|reason| reason.to_string()),
            failure: row.failure,
            code: row.code,
            height: row.height.map(Height),
            place: row.place,
            block_hash: row.block_hash.map(Hash),
            replaces: row.replaces.map(Hash),
            replaced_by: row.replaced_by.map(Hash),
            accepted_at: Moment(row.accepted_at),
            final_at: row.final_at.map(Moment),
            position: Position(row.position),
        }
    }
}

#[ComplexObject]
impl Transaction {
    /// Names this node for ever.
    pub async fn id(&self) -> ID {
        node::id("Transaction", self.hash.0)
    }

    /// What the sender signed, as it was sent.
    async fn signed(&self, context: &Context<'_>) -> Result<Json<serde_json::Value>> {
        let rows = context::asker(context)?.rows();
        let whole = rows.load_one(Signed(self.position.0, self.hash.0)).await?;
        let whole = whole.ok_or_else(|| Problem::internal("the transaction is not kept"))?;
        Ok(Json(serde_json::to_value(&whole)?))
    }

    /// The block that holds it.
    async fn block(&self, context: &Context<'_>) -> Result<Option<Block>> {
        let Some(hash) = &self.block_hash else { return Ok(None) };
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(BlockHash(hash.0)).await?.map(Block::from))
    }
}

/// What waits, in numbers.
#[derive(SimpleObject)]
pub struct Mempool {
    /// How many transactions wait.
    transactions: Position,
    /// Their length in bytes.
    bytes: Position,
    /// How many accounts they are of.
    senders: Position,
    /// When the oldest was accepted.
    oldest_at: Option<Moment>,
}

/// How something is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "StakeOf")]
pub enum StakeKind {
    /// A validator's own bond.
    Bond,
    /// Somebody's stake on a validator.
    Delegation,
    /// On its way back to its owner.
    Unbonding,
}

/// Something an account has at stake.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Stake {
    /// How.
    kind: StakeKind,
    /// With which validator.
    validator_address: Address,
    /// How much.
    amount: Amount,
    /// Of what is on its way back: at the first height of this epoch it is there.
    matures: Option<Epoch>,
}

#[ComplexObject]
impl Stake {
    /// The validator, when it is registered here.
    async fn validator(&self, context: &Context<'_>) -> Result<Option<Validator>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.validator_address.0).await?.map(Validator))
    }
}

/// An account as the last executed block left it.
#[derive(SimpleObject)]
pub struct Account {
    /// Whose it is.
    address: Address,
    /// What it can spend.
    balance: Amount,
    /// The nonce of its next transaction: how many were executed.
    nonce: Position,
    /// The height that changed it last; 0 for the genesis document.
    height: Position,
}

impl From<accounts::Account> for Account {
    fn from(row: accounts::Account) -> Account {
        Account {
            address: Address(row.address),
            balance: Amount(row.balance),
            nonce: Position(row.nonce.value()),
            height: Position(row.height),
        }
    }
}

/// An account with what it has at stake.
#[derive(SimpleObject)]
pub struct AccountWithStakes {
    /// The account.
    #[graphql(flatten)]
    account: Account,
    /// What it has at stake, at most a hundred entries.
    stakes: Vec<Stake>,
}

impl From<accounts::AccountWithStakes> for AccountWithStakes {
    fn from(row: accounts::AccountWithStakes) -> AccountWithStakes {
        let stakes = row.stakes.into_iter().map(|stake| Stake {
            kind: stake.kind.into(),
            validator_address: Address(stake.validator),
            amount: Amount(stake.amount),
            matures: stake.matures.map(Epoch),
        });
        AccountWithStakes { account: row.account.into(), stakes: stakes.collect() }
    }
}

/// A notarised document.
#[derive(SimpleObject)]
#[graphql(complex)]
pub struct Anchor {
    /// The document's digest.
    digest: Digest,
    /// By what it was digested.
    algorithm: String,
    /// What its owner calls it.
    label: String,
    /// Who anchored it.
    owner: Address,
    /// The height of the block.
    height: Height,
    /// The time of the block.
    time: Moment,
    /// The height at which its owner revoked it.
    revoked: Option<Height>,
    /// The hash of the transaction that anchored it.
    transaction_hash: Hash,
}

impl From<anchors::Anchor> for Anchor {
    fn from(row: anchors::Anchor) -> Anchor {
        Anchor {
            digest: Digest(row.digest),
            algorithm: row.algorithm.to_string(),
            label: row.label.to_string(),
            owner: Address(row.owner),
            height: Height(row.height),
            time: Moment(row.time),
            revoked: row.revoked.map(Height),
            transaction_hash: Hash(row.transaction),
        }
    }
}

#[ComplexObject]
impl Anchor {
    /// The transaction that anchored it.
    async fn transaction(&self, context: &Context<'_>) -> Result<Option<Transaction>> {
        let rows = context::asker(context)?.rows();
        let found = rows.load_one(TransactionHash(self.transaction_hash.0)).await?;
        Ok(found.map(Transaction::from))
    }
}

/// Transactions and accounts.
#[derive(Default)]
pub struct TransactionQueries;

#[Object]
impl TransactionQueries {
    /// The transaction with this hash; null when none was accepted.
    async fn transaction(
        &self,
        context: &Context<'_>,
        hash: Hash,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<Transaction>> {
        let when = When { min_position, as_of };
        let known = async |asker: &Asker| {
            let known = asker.rows().load_one(TransactionHash(hash.0)).await?;
            Ok(known.as_ref().map(Subject::of_transaction))
        };
        let about = About::enter_what_is(context, &[transactions::NAME], when, known).await?;
        let found = match about.is_now() {
            true => about.asker().rows().load_one(TransactionHash(hash.0)).await?,
            false => transactions::get(about.pool(), hash.0).await.map_err(read_problem)?,
        };
        Ok(found.map(Transaction::from))
    }

    /// Transactions in the order in which they were accepted: those of an account or sender, or
    /// all.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments in the schema")]
    async fn transactions(
        &self,
        context: &Context<'_>,
        account: Option<Address>,
        sender: Option<Address>,
        kind: Option<String>,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Transaction>> {
        let page = pages::request(first, after.as_deref())?;
        if let Some(kind) = kind.as_deref().filter(|kind| !Payload::TYPES.contains(kind)) {
            let detail = format!("{kind:?} is none of {}", Payload::TYPES.join(", "));
            return Err(Problem::invalid_parameter("kind", detail).into());
        }
        let filter =
            Filter { account: account.map(|of| of.0), sender: sender.map(|of| of.0), kind };
        let asker = context::enter(context, &[transactions::NAME], min_position).await?;
        let found = transactions::list(&asker.app().pool, &filter, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Transaction::from))
    }

    /// What waits, in numbers.
    async fn mempool(
        &self,
        context: &Context<'_>,
        min_position: Option<Position>,
    ) -> Result<Mempool> {
        let asker = context::enter(context, &[transactions::NAME], min_position).await?;
        let row = transactions::summary(&asker.app().pool).await.map_err(read_problem)?;
        Ok(Mempool {
            transactions: Position(row.transactions),
            bytes: Position(row.bytes),
            senders: Position(row.senders),
            oldest_at: row.oldest_at.map(Moment),
        })
    }

    /// What waits for a block: who pays most for each byte comes first.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn mempool_transactions(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Transaction>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::enter(context, &[transactions::NAME], min_position).await?;
        let found = transactions::mempool(&asker.app().pool, &page).await.map_err(read_problem)?;
        Ok(pages::connection(found, &page, Transaction::from))
    }

    /// The transactions of an executed block, in its order; null when there is no such block.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn block_transactions(
        &self,
        context: &Context<'_>,
        hash: Hash,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Option<Page<Transaction>>> {
        let page = pages::request(first, after.as_deref())?;
        let models = &[blocks::NAME, transactions::NAME];
        let asker = context::enter(context, models, min_position).await?;
        let Some(block) = asker.rows().load_one(BlockHash(hash.0)).await? else { return Ok(None) };
        let found = transactions::of_block(&asker.app().pool, &block, &page).await;
        let found = found.map_err(read_problem)?;
        Ok(Some(pages::connection(found, &page, Transaction::from)))
    }

    /// An account as the last executed block left it; null when there is none.
    async fn account(
        &self,
        context: &Context<'_>,
        address: Address,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<AccountWithStakes>> {
        let when = When { min_position, as_of };
        let subject = Subject::of_account(address.0);
        let about = About::enter(context, &[accounts::NAME], when, subject).await?;
        let found = accounts::get(about.pool(), address.0).await.map_err(read_problem)?;
        Ok(found.map(AccountWithStakes::from))
    }

    /// Accounts, the greatest balance first.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn accounts(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Account>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::enter(context, &[accounts::NAME], min_position).await?;
        let found = accounts::list(&asker.app().pool, &page).await.map_err(read_problem)?;
        Ok(pages::connection(found, &page, Account::from))
    }

    /// The first anchor of a document; null when there is none.
    async fn anchor(
        &self,
        context: &Context<'_>,
        digest: Digest,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<Anchor>> {
        let when = When { min_position, as_of };
        let known = async |asker: &Asker| {
            let known = anchors::by_digest(&asker.app().pool, &digest.0).await;
            Ok(known.map_err(read_problem)?.map(|known| Subject::of_anchor(known.transaction)))
        };
        let about = About::enter_what_is(context, &[anchors::NAME], when, known).await?;
        let found = anchors::by_digest(about.pool(), &digest.0).await.map_err(read_problem)?;
        Ok(found.map(Anchor::from))
    }

    /// Notarised documents, by height: of one document or one account, or all.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments in the schema")]
    async fn anchors(
        &self,
        context: &Context<'_>,
        digest: Option<Digest>,
        owner: Option<Address>,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Anchor>> {
        let page = pages::request(first, after.as_deref())?;
        let filter = anchors::Filter { digest: digest.map(|of| of.0), owner: owner.map(|of| of.0) };
        let asker = context::enter(context, &[anchors::NAME], min_position).await?;
        let found = anchors::list(&asker.app().pool, &filter, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Anchor::from))
    }
}
