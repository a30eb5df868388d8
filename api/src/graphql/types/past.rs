//! What differs of one thing between two points of the past.
//!
//! Does not know the thing.

use async_graphql::{Context, Object, Result};

use crate::{
    difference::{self, Difference},
    graphql::{context, scalars::AsOf, shapes::Told},
};

/// The past.
#[derive(Default)]
pub struct PastQueries;

#[Object]
impl PastQueries {
    /// What differs of the thing at a path of REST between two points; the later one is now when it
    /// is not named.
    async fn difference(
        &self,
        context: &Context<'_>,
        of: String,
        since: AsOf,
        until: Option<AsOf>,
    ) -> Result<Told<Difference>> {
        let asker = context::admitted(context)?;
        let points = (since.0, until.map(|until| until.0));
        let found = difference::between(asker.app(), asker.caller(), &of, points).await?;
        Ok(Told::of(&found)?)
    }
}
