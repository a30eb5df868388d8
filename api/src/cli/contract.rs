//! `node0 openapi`, `node0 schema` and `node0 collection`: the published contracts.
//!
//! Does not know what is in them.

use super::{Failure, terminal::Terminal};

pub fn openapi() -> Result<(), Failure> {
    Terminal::new(false).line(crate::openapi::json().trim_end())
}

pub fn schema() -> Result<(), Failure> {
    Terminal::new(false).line(crate::graphql::sdl().trim_end())
}

pub fn collection() -> Result<(), Failure> {
    Terminal::new(false).line(crate::openapi::collection::json().trim_end())
}
