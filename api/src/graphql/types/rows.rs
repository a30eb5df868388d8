//! The fields of the query root whose rows have the contract's types: one by its id, and lists.
//!
//! Does not know which there are.

use std::borrow::Cow;

use async_graphql::{
    Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult,
    Value as Written,
    parser::types::Field,
    registry::{MetaTypeId, Registry},
    resolver_utils::{ContainerType, resolve_container},
};

use super::{
    keyed::KINDS,
    lists::{LISTS, List},
};
use crate::graphql::{context, shapes};

/// The fields.
#[derive(Default)]
pub struct RowQueries;

/// Every list.
fn lists() -> impl Iterator<Item = &'static List> {
    KINDS.iter().map(|kind| &kind.list).chain(LISTS)
}

impl ObjectType for RowQueries {}

impl OutputType for RowQueries {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("RowQueries")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<RowQueries, _>(MetaTypeId::Object, |registry| {
            let mut fields = Vec::new();
            for kind in KINDS {
                fields.extend([kind.field(registry), kind.list.field(registry)]);
            }
            fields.extend(LISTS.iter().map(|list| list.field(registry)));
            let named = fields.into_iter().map(|field| (field.name.clone(), field));
            shapes::object("RowQueries", None, named.collect())
        })
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Written> {
        resolve_container(context, self).await
    }
}

impl ContainerType for RowQueries {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Written>> {
        let name = context.item.node.name.node.as_str();
        let one = KINDS.iter().find(|kind| kind.one == name);
        let many = lists().find(|list| list.name == name);
        let answered = match (one, many) {
            (None, None) => return Ok(None),
            (Some(kind), _) => kind.answer(context, &context::arguments(context)?).await,
            (None, Some(list)) => list.answer(context, &context::arguments(context)?).await,
        };
        let whole = answered.map_err(|problem| context::fault(context, problem))?;
        Ok(Some(shapes::select(&whole, &context.field())))
    }
}
