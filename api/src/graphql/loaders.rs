//! Reads of single rows, gathered: however many nodes ask, one statement for each kind of row.
//!
//! Does not know which nodes ask.

use std::collections::HashMap;

use async_graphql::dataloader::Loader;
use domain::values;
use projections::validators;

use crate::{problem::Problem, rest::reply::read_problem, server::App};

/// The rows of one request.
pub struct Rows {
    app: App,
}

impl Rows {
    /// Read from this surface's pool.
    pub fn new(app: App) -> Rows {
        Rows { app }
    }
}

impl Loader<values::Address> for Rows {
    type Value = validators::Validator;
    type Error = Problem;

    async fn load(
        &self,
        keys: &[values::Address],
    ) -> Result<HashMap<values::Address, validators::Validator>, Problem> {
        let rows = validators::by_keys(&self.app.pool, keys).await.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| (row.address, row)).collect())
    }
}
