//! A component of the contract as the type of a field.
//!
//! Does not know which fields there are.

use std::{borrow::Cow, marker::PhantomData};

use async_graphql::{
    ContextSelectionSet, OutputType, Positioned, ServerResult, Value as Written,
    parser::types::Field, registry::Registry,
};
use serde::Serialize;

use super::{output, select, type_name, written};
use crate::{openapi::schemas, problem::Problem};

/// What has a schema of its own in the contract.
pub trait Component: Serialize + Send + Sync {
    /// Its name there.
    const SCHEMA: &'static str;
}

/// One of them, as GraphQL writes it.
pub struct Told<C>(Written, PhantomData<fn() -> C>);

impl<C: Component> Told<C> {
    /// Of what would be written over REST.
    pub fn of(value: &C) -> Result<Told<C>, Problem> {
        let json = serde_json::to_value(value).map_err(Problem::internal)?;
        Ok(Told(written(&schemas::reference(C::SCHEMA), "", &json), PhantomData))
    }
}

impl<C: Component> OutputType for Told<C> {
    fn type_name() -> Cow<'static, str> {
        Cow::Owned(type_name(C::SCHEMA))
    }

    fn create_type_info(registry: &mut Registry) -> String {
        output(registry, &schemas::reference(C::SCHEMA), "")
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Written> {
        Ok(select(&self.0, &context.with_field(field).field()))
    }
}
