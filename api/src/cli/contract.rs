//! `node0 openapi` and `node0 schema`: the published contracts, as the server publishes them.
//!
//! Does not know what is in them.

use super::{Failure, terminal::Terminal};

pub fn openapi() -> Result<(), Failure> {
    Terminal::new(false).line(crate::openapi::json().trim_end())
}

pub fn schema() -> Result<(), Failure> {
    Terminal::new(false).line(crate::graphql::sdl().trim_end())
}
