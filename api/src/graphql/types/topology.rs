//! The network of a chain as one picture.
//!
//! Does not know how it is put together.

use async_graphql::{Context, Object, Result};

use crate::{
    graphql::{
        context,
        scalars::{ChainId, Position},
        shapes::Told,
    },
    rest::topology::{self, Topology},
};

/// Networks.
#[derive(Default)]
pub struct TopologyQueries;

#[Object]
impl TopologyQueries {
    /// The nodes of a chain's network, whose they are, when each was last heard of, and into which
    /// groups it is torn.
    async fn topology(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        min_position: Option<Position>,
    ) -> Result<Told<Topology>> {
        let asker = context::enter(context, topology::MODELS, min_position).await?;
        let found = topology::of(asker.app(), chain_id.0).await?;
        Ok(Told::of(&found)?)
    }
}
