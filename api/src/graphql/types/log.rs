//! The published log, and proofs out of it.
//!
//! Does not know how they are made.

use async_graphql::{Context, Object, Result};
use domain::values::PrincipalId;

use crate::{
    audit::{self, Audit},
    graphql::{context, scalars::Position, shapes::Told},
    identity::erasure::{self, ErasureCertificate},
    problem::Problem,
    rest::log::{self, ConsistencyProof, InclusionProof, PublishedLog},
};

/// Evidence.
#[derive(Default)]
pub struct LogQueries;

#[Object]
impl LogQueries {
    /// The log as it is published: its name, its keys, how far it is, and who witnesses it.
    async fn log(&self, context: &Context<'_>) -> Result<Told<PublishedLog>> {
        let asker = context::enter(context, &[], None).await?;
        Ok(Told::of(&log::state(asker.app()).await?)?)
    }

    /// That the key of a person's data is destroyed, with what proves it.
    async fn erasure_certificate(
        &self,
        context: &Context<'_>,
        principal: String,
    ) -> Result<Option<Told<ErasureCertificate>>> {
        let asker = context::enter(context, &[], None).await?;
        let id = principal.parse::<PrincipalId>();
        let id = id.map_err(|fault| Problem::invalid_parameter("principal", fault.to_string()))?;
        let found = erasure::certificate(asker.app(), &id).await?;
        Ok(found.as_ref().map(Told::of).transpose()?)
    }

    /// The continuous audit: how far history is read again, and what is not as it should be.
    async fn audit(&self, context: &Context<'_>) -> Result<Told<Audit>> {
        let asker = context::enter(context, &[], None).await?;
        Ok(Told::of(&audit::read(&asker.app().tables).await.map_err(Problem::from)?)?)
    }

    /// That the event at a position is in the log when it had so many events; now when no size is
    /// named.
    async fn inclusion_proof(
        &self,
        context: &Context<'_>,
        position: Position,
        size: Option<Position>,
    ) -> Result<Told<InclusionProof>> {
        let asker = context::enter(context, &[], None).await?;
        let proof = log::inclusion(asker.app(), position.0, size.map(|size| size.0)).await?;
        Ok(Told::of(&proof)?)
    }

    /// That the log goes on from what it was when it had so many events.
    async fn consistency_proof(
        &self,
        context: &Context<'_>,
        from: Position,
        size: Option<Position>,
    ) -> Result<Told<ConsistencyProof>> {
        let asker = context::enter(context, &[], None).await?;
        let proof = log::consistency(asker.app(), from.0, size.map(|size| size.0)).await?;
        Ok(Told::of(&proof)?)
    }

    /// The receipt of the event at a position, a `.tlog-proof`: with the log's key alone it shows
    /// that exactly this record is in the log.
    async fn receipt(&self, context: &Context<'_>, position: Position) -> Result<String> {
        let asker = context::enter(context, &[], None).await?;
        Ok(log::receipt(asker.app(), position.0).await?)
    }
}
