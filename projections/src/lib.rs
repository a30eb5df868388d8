//! What can be asked: read models folded from the log, how far they are, and the reads over them.
//!
//! Does not know commands, HTTP or GraphQL. A read model never decides anything.

pub mod accounts;
pub mod activity;
pub mod alert_rules;
pub mod alerts;
pub mod anchors;
pub mod attachment;
mod begin;
pub mod blocks;
pub mod chains;
mod checkpoint;
mod columns;
mod compare;
pub mod delegations;
pub mod event;
pub mod flags;
pub mod headers;
pub mod heights;
pub mod keyed;
pub mod page;
pub mod partitions;
pub mod past;
pub mod peers;
pub mod process_runs;
pub mod projection;
mod read;
mod reader;
pub mod rebuild;
pub mod reputation_history;
pub mod runner;
pub mod settings;
pub mod slashing_history;
pub mod slos;
pub mod state_history;
pub mod status;
pub mod transactions;
pub mod validator_sets;
pub mod validators;
mod worker;

use std::sync::Arc;

pub use checkpoint::Parked;
pub use columns::decimal;
pub use compare::{
    ColumnDifference, CompareError, Comparison, Contents, RowDifference, RowFault, compare, fold_to,
};
pub use page::{Cursor, FIRST_MAX, Numbered, Order, PageError, PageOf, PageRequest};
pub use past::{Folded, Past, PastError, Subject};
pub use projection::Projection;
pub use read::{ReadError, is_unavailable};
pub use rebuild::{Redriven, RepairError};
pub use runner::{Projections, ProjectionsOptions};
pub use status::{Behind, ProjectionState, ProjectionStatus};

/// Those of these names, in the order of [`all`].
pub fn named<N: AsRef<str>>(names: &[N]) -> Vec<Arc<dyn Projection>> {
    let is_named = |one: &Arc<dyn Projection>| names.iter().any(|name| name.as_ref() == one.name());
    all().into_iter().filter(is_named).collect()
}

/// Every projection there is.
pub fn all() -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(chains::Chains),
        Arc::new(headers::Headers),
        Arc::new(validators::Validators),
        Arc::new(validator_sets::ValidatorSets),
        Arc::new(delegations::Delegations),
        Arc::new(slashing_history::SlashingHistory),
        Arc::new(reputation_history::ReputationHistory),
        Arc::new(activity::Activities),
        Arc::new(transactions::Transactions),
        Arc::new(accounts::Accounts),
        Arc::new(anchors::Anchors),
        Arc::new(blocks::Blocks),
        Arc::new(heights::Heights),
        Arc::new(state_history::StateHistory),
        Arc::new(process_runs::ProcessRuns),
        Arc::new(flags::Flags),
        keyed::projection::<settings::Setting>(),
        keyed::projection::<alert_rules::AlertRule>(),
        keyed::projection::<alerts::Alert>(),
        keyed::projection::<slos::Slo>(),
        keyed::projection::<peers::Peer>(),
        keyed::projection::<partitions::Partitions>(),
    ]
}
