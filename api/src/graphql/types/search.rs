//! What a hash, an address, a height or a name stands for.
//!
//! Does not look by itself: REST's search does.

use async_graphql::{Context, Object, Result, SimpleObject};

use crate::{
    graphql::{context, scalars::Position},
    problem::Problem,
    rest::search::{self, MODELS},
};

/// Something that is named by a text.
#[derive(SimpleObject)]
pub struct Found {
    /// What it is: account, alert, anchor, block, chain, flag, header, objective, peer, principal,
    /// rule, setting, transaction or validator.
    kind: String,
    /// Its name: a hash, an address, an id, a key.
    name: String,
    /// Where it is over REST.
    path: String,
}

/// Search.
#[derive(Default)]
pub struct SearchQueries;

#[Object]
impl SearchQueries {
    /// Everything that a hash, an address, a height, a digest or a name stands for.
    async fn search(
        &self,
        context: &Context<'_>,
        q: String,
        min_position: Option<Position>,
    ) -> Result<Vec<Found>> {
        let text = q.trim();
        if let Some(detail) = search::fault(text) {
            return Err(Problem::invalid_parameter("q", detail).into());
        }
        let asker = context::enter(context, MODELS, min_position).await?;
        let found = search::find(asker.app(), asker.caller(), text).await?.into_iter();
        let found =
            found.map(|one| Found { kind: one.kind.to_owned(), name: one.id, path: one.path });
        Ok(found.collect())
    }
}
