//! `node0 openapi` and `node0 schema`: the published contracts, as the server publishes them.
//!
//! Does not know what is in them.

use super::{Failure, terminal::Terminal};

pub fn openapi() -> Result<(), Failure> {
    let document = crate::openapi::document();
    let text = serde_json::to_string_pretty(&document).map_err(Failure::refused)?;
    Terminal::new(false).line(&text)
}

pub fn schema() -> Result<(), Failure> {
    Terminal::new(false).line(crate::graphql::sdl().trim_end())
}
