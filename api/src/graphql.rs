//! The same questions over GraphQL: Relay connections, node ids, data loaders.
//!
//! Calls the same reads as REST. Does not know how a read model is made.

mod access;
mod context;
pub mod http;
mod limits;
mod loaders;
mod mutations;
mod node;
mod pages;
mod past;
mod persisted;
mod reply;
mod request;
mod scalars;
mod shapes;
pub mod sse;
mod subscriptions;
mod types;
mod ws;

use async_graphql::MergedObject;

pub use access::{ACCESS, SUBSCRIPTIONS};
pub use limits::Limits;
pub use mutations::{Mutation, path_of};
pub use persisted::Documents;
pub use shapes::Component;
pub use subscriptions::Subscription;
pub use ws::is_asked_for as socket_is_asked_for;

/// How deep the library's own checks walk a document before validating it.
const RECURSION_MAX: usize = 32;

/// Everything that can be asked.
#[derive(MergedObject, Default)]
pub struct Query(
    node::NodeQueries,
    types::chains::ChainQueries,
    types::headers::HeaderQueries,
    types::validators::ValidatorQueries,
    types::validator_sets::ValidatorSetQueries,
    types::delegations::DelegationQueries,
    types::histories::HistoryQueries,
    types::activity::ActivityQueries,
    types::events::EventQueries,
    types::projections::ProjectionQueries,
    types::heartbeats::HeartbeatQueries,
    types::transactions::TransactionQueries,
    types::blocks::BlockQueries,
    types::search::SearchQueries,
    types::processes::ProcessQueries,
    types::flags::FlagQueries,
    types::rows::RowQueries,
    types::topology::TopologyQueries,
    types::log::LogQueries,
    types::past::PastQueries,
);

/// The schema.
pub type Schema = async_graphql::Schema<Query, Mutation, Subscription>;

/// Builds the schema with its limits.
pub fn schema(limits: &Limits) -> Schema {
    Schema::build(Query::default(), Mutation, Subscription)
        .limit_depth(limits.depth_max)
        .limit_complexity(limits.complexity_max)
        .limit_directives(limits.directives_max)
        .limit_recursive_depth(RECURSION_MAX)
        .finish()
}

/// The schema in its definition language: the committed contract.
pub fn sdl() -> String {
    schema(&Limits::default()).sdl()
}
