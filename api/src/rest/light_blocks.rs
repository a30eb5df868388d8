//! Final headers of our own chain with who signed them, as light clients of CometBFT chains take
//! them.
//!
//! Does not verify them: whoever asks does, trusting nobody here.

use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::values::{ChainId, Height};

use super::reply::Asked;
use crate::{
    params::{self, PathParams},
    problem::Problem,
    rpc::shapes,
    server::App,
};

/// `GET /api/v1/chains/{chain}/light-blocks/{height}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let (chain, height): (ChainId, Height) = (path.get("chain")?, path.get("height")?);
    let asked = Asked::of_log(&app, &parts).await?;
    let found = app.commands.final_block(&chain, height).await?;
    let found = found.ok_or_else(|| {
        Problem::not_found("final block of a chain of our own", format!("{chain} at {height}"))
    })?;
    asked.one(&shapes::light_block(&found))
}
