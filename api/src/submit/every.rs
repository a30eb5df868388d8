//! Every collection whose commands can be posted, by its name: for whoever holds a command's words
//! and not its types.
//!
//! Does not know what any command means.

use commands::{Outcome, RequestContext};
use domain::{
    aggregate,
    block::Block,
    chain::Chain,
    configuration::{flag::Flag, setting::Setting},
    consensus::ConsensusHeight,
    identity::{principal::Principal, role::RoleDefinition},
    monitoring::{alert::Alert, rule::AlertRule, slo::Slo},
    network::{partition::Partitions, peer::Peer},
    transaction::Account,
    validator::Validator,
    validator_set::ValidatorSet,
};
use futures::future::{BoxFuture, FutureExt as _};

use super::{Collection, CommandSpec};
use crate::{problem::Problem, server::App};

/// A command as it was written: on which of a collection, and its fields in JSON.
pub struct Posted<'a> {
    /// Which command.
    pub spec: &'static CommandSpec,
    /// The id in the path; none for one that makes a new aggregate.
    pub id: Option<&'a str>,
    /// Its fields.
    pub body: &'a [u8],
}

type Run =
    for<'a> fn(&'a App, Posted<'a>, RequestContext) -> BoxFuture<'a, Result<Outcome, Problem>>;

/// A collection.
pub struct Entry {
    /// Its name in the path.
    pub collection: &'static str,
    /// The path parameter that names one of it.
    pub id_parameter: &'static str,
    /// Its commands.
    pub commands: fn() -> &'static [CommandSpec],
    /// Does one of them.
    pub run: Run,
    /// The category of its streams.
    category: &'static str,
    /// Whether a stored event of one of them can be read: its stream's id, its name, its data.
    reads: fn(&str, &str, &str) -> Result<(), String>,
}

/// Every collection.
pub const COLLECTIONS: [Entry; 15] = [
    entry::<Validator>(),
    entry::<ValidatorSet>(),
    entry::<Chain>(),
    entry::<Account>(),
    entry::<Block>(),
    entry::<ConsensusHeight>(),
    entry::<Principal>(),
    entry::<RoleDefinition>(),
    entry::<Setting>(),
    entry::<Flag>(),
    entry::<AlertRule>(),
    entry::<Alert>(),
    entry::<Slo>(),
    entry::<Peer>(),
    entry::<Partitions>(),
];

const fn entry<A: Collection>() -> Entry {
    Entry {
        collection: A::COLLECTION,
        id_parameter: A::ID_PARAMETER,
        commands: A::commands,
        run: run::<A>,
        category: A::CATEGORY,
        reads: can_read::<A>,
    }
}

/// Whether a stored event can be read, whatever it is of: its stream, its name, its data.
pub fn reads(stream: &str, name: &str, data: &str) -> Result<(), String> {
    let (category, id) = stream.split_once('-').unwrap_or((stream, ""));
    let entry = COLLECTIONS.iter().find(|entry| entry.category == category);
    let unknown = || format!("no context of this program has the category {category:?}");
    (entry.ok_or_else(unknown)?.reads)(id, name, data)
}

fn can_read<A: Collection>(id: &str, name: &str, data: &str) -> Result<(), String> {
    id.parse::<A::Id>().map_err(|error| format!("the stream's id is none: {error}"))?;
    let read = aggregate::read::<A::Event>(name, data);
    read.map(drop).map_err(|error| format!("{name} cannot be read: {error}"))
}

fn run<'a, A: Collection>(
    app: &'a App,
    posted: Posted<'a>,
    context: RequestContext,
) -> BoxFuture<'a, Result<Outcome, Problem>> {
    async move {
        let command = A::parse(posted.spec, posted.body)?;
        A::execute(app, posted.id, command, context).await
    }
    .boxed()
}

impl Entry {
    /// The command of a name; otherwise the ones there are.
    pub fn command(&self, name: &str) -> Result<&'static CommandSpec, Problem> {
        super::among(self.collection, (self.commands)(), name, |_| true)
    }

    /// Where a command is posted to.
    pub fn path(&self, spec: &CommandSpec) -> String {
        spec.path(self.collection, self.id_parameter)
    }
}

/// The collection of a name.
pub fn named(collection: &str) -> Option<&'static Entry> {
    const ALL: &[Entry] = &COLLECTIONS;
    ALL.iter().find(|entry| entry.collection == collection)
}
