//! Node ids: one opaque id for everything that has an identity.
//!
//! An id is the base64url of `<type>:<key>`. Does not know how a node is read.

use async_graphql::{Context, ID, Interface, Object, Result};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::values;

use super::{
    context::{self, Asker},
    loaders::{BlockHash, TransactionHash},
    scalars::Position,
    types::{
        blocks::Block, chains::Chain, headers::Header, transactions::Transaction,
        validator_sets::ValidatorSet, validators::Validator,
    },
};
use crate::problem::Problem;

/// The most ids `nodes` takes.
const NODES_MAX: usize = 100;
/// The read models behind nodes.
const MODELS: &[&str] = &[
    projections::blocks::NAME,
    projections::chains::NAME,
    projections::headers::NAME,
    projections::transactions::NAME,
    projections::validator_sets::NAME,
    projections::validators::NAME,
];

/// Anything with an identity.
#[derive(Interface)]
#[graphql(field(name = "id", ty = "ID", desc = "Names this node for ever."))]
pub enum Node {
    /// A block.
    Block(Block),
    /// A transaction.
    Transaction(Transaction),
    /// A chain.
    Chain(Chain),
    /// A header of a chain.
    Header(Header),
    /// A validator.
    Validator(Validator),
    /// The validator set of an epoch.
    ValidatorSet(ValidatorSet),
}

/// The id of a node.
pub fn id(kind: &str, key: impl std::fmt::Display) -> ID {
    ID(URL_SAFE_NO_PAD.encode(format!("{kind}:{key}")))
}

/// What an id names.
enum Key {
    Block(values::Hash),
    Transaction(values::Hash),
    Chain(values::ChainId),
    Header(values::Hash),
    Validator(values::Address),
    ValidatorSet(values::ChainId, values::Epoch),
}

fn parse(id: &ID) -> Result<Key, Problem> {
    let wrong = || Problem::invalid_parameter("id", format!("{:?} is no node's id", id.as_str()));
    let bytes = URL_SAFE_NO_PAD.decode(id.as_str()).map_err(|_| wrong())?;
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    let (kind, key) = text.split_once(':').ok_or_else(wrong)?;
    Ok(match kind {
        "Block" => Key::Block(key.parse().map_err(|_| wrong())?),
        "Transaction" => Key::Transaction(key.parse().map_err(|_| wrong())?),
        "Chain" => Key::Chain(key.parse().map_err(|_| wrong())?),
        "Header" => Key::Header(key.parse().map_err(|_| wrong())?),
        "Validator" => Key::Validator(key.parse().map_err(|_| wrong())?),
        "ValidatorSet" => {
            let (chain, epoch) = key.rsplit_once(':').ok_or_else(wrong)?;
            let chain = chain.parse().map_err(|_| wrong())?;
            Key::ValidatorSet(chain, epoch.parse().map_err(|_| wrong())?)
        }
        _ => return Err(wrong()),
    })
}

async fn read(asker: &Asker, key: Key) -> Result<Option<Node>, Problem> {
    let rows = asker.rows();
    Ok(match key {
        Key::Block(hash) => {
            rows.load_one(BlockHash(hash)).await?.map(|row| Node::Block(row.into()))
        }
        Key::Transaction(hash) => {
            rows.load_one(TransactionHash(hash)).await?.map(|row| Node::Transaction(row.into()))
        }
        Key::Chain(id) => rows.load_one(id).await?.map(|row| Node::Chain(Chain(row))),
        Key::Header(hash) => rows.load_one(hash).await?.map(|row| Node::Header(Header(row))),
        Key::Validator(address) => {
            rows.load_one(address).await?.map(|row| Node::Validator(Validator(row)))
        }
        Key::ValidatorSet(chain, epoch) => {
            rows.load_one((chain, epoch)).await?.map(|row| Node::ValidatorSet(ValidatorSet(row)))
        }
    })
}

/// Nodes by their ids.
#[derive(Default)]
pub struct NodeQueries;

#[Object]
impl NodeQueries {
    /// The node with this id; null when there is none.
    async fn node(
        &self,
        context: &Context<'_>,
        id: ID,
        min_position: Option<Position>,
    ) -> Result<Option<Node>> {
        let key = parse(&id)?;
        let asker = context::enter(context, MODELS, min_position).await?;
        Ok(read(asker, key).await?)
    }

    /// The nodes with these ids, at most 100; null where there is none.
    #[graphql(complexity = "ids.len() * (child_complexity + 1)")]
    async fn nodes(
        &self,
        context: &Context<'_>,
        ids: Vec<ID>,
        min_position: Option<Position>,
    ) -> Result<Vec<Option<Node>>> {
        if ids.len() > NODES_MAX {
            let detail = format!("at most {NODES_MAX} ids, not {}", ids.len());
            return Err(Problem::invalid_parameter("ids", detail).into());
        }
        let keys = ids.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
        let asker = context::enter(context, MODELS, min_position).await?;
        let reads = keys.into_iter().map(|key| read(asker, key));
        Ok(futures::future::try_join_all(reads).await?)
    }
}
