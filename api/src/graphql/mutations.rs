//! Every command as a mutation: its name is that of its collection and its own, its fields are
//! typed as in the contract.
//!
//! One root field each, as only those are done one after the other (GraphQL, 6.2.2): a group of
//! fields would do its commands in any order. Does not know what any command means.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use async_graphql::{
    Context, ContextSelectionSet, ObjectType, OutputType, Positioned, ServerResult, SimpleObject,
    Value as Written,
    parser::types::Field,
    registry::{MetaInputValue, MetaTypeId, Registry},
    resolver_utils::{ContainerType, resolve_container_serial},
};
use commands::{Outcome, RequestContext};
use domain::values::Moment;
use serde_json::Value;

use super::{
    context::{self, Arguments, Asker},
    scalars::{Anything, Position},
    shapes,
};
use crate::{
    auth, conditions, openapi,
    operations::Class,
    problem::{Fault, Kind, Problem},
    submit::{
        CommandSpec,
        every::{COLLECTIONS, Entry, Posted},
    },
};

/// A mutation: a command, and the schema of its fields.
struct Command {
    entry: &'static Entry,
    spec: &'static CommandSpec,
    /// None when it has no fields.
    schema: Option<Value>,
    /// Whether a field must be given.
    required: bool,
    /// What the contract says of it.
    words: String,
    /// What its fields are called as a type.
    hint: String,
}

static ALL: &[Entry] = &COLLECTIONS;

static COMMANDS: LazyLock<BTreeMap<String, Command>> = LazyLock::new(|| {
    let contract = openapi::document();
    let of = |entry: &'static Entry| {
        let contract = &contract;
        (entry.commands)().iter().map(move |spec| {
            let name = name(entry, spec);
            (name.clone(), Command::new(entry, spec, contract, &name))
        })
    };
    ALL.iter().flat_map(of).collect()
});

/// Where the command of a mutation is posted over REST.
pub fn path_of(mutation: &str) -> Option<String> {
    COMMANDS.get(mutation).map(|command| command.entry.path(command.spec))
}

/// The collection's name in the singular, and the command's without what repeats it.
fn name(entry: &Entry, spec: &CommandSpec) -> String {
    let singular = entry.collection.strip_suffix('s').unwrap_or(entry.collection);
    let last = singular.rsplit('-').next().unwrap_or_default();
    let own = spec.name.strip_suffix(last).and_then(|own| own.strip_suffix('-'));
    shapes::camel(singular) + &shapes::pascal(own.unwrap_or(spec.name))
}

impl Command {
    fn new(
        entry: &'static Entry,
        spec: &'static CommandSpec,
        contract: &Value,
        name: &str,
    ) -> Command {
        let operation = &contract["paths"][entry.path(spec)]["post"];
        let body = &operation["requestBody"];
        let schema = body["content"]["application/json"]["schema"].clone();
        let is_empty = schema["properties"].as_object().is_some_and(serde_json::Map::is_empty);
        Command {
            entry,
            spec,
            schema: (!is_empty).then_some(schema),
            required: body["required"] == true,
            words: operation["description"].as_str().unwrap_or_default().to_owned(),
            hint: format!("{}Input", shapes::pascal(name)),
        }
    }

    /// The parts of its request that are arguments.
    fn arguments(&self, registry: &mut Registry) -> Vec<MetaInputValue> {
        let mut found = Vec::new();
        let mut add = |name: &str, words: &str, ty: &str| {
            found.push(shapes::argument(name, Some(words.to_owned()), ty.to_owned()));
        };
        if !self.spec.creates {
            let parameter = shapes::camel(self.entry.id_parameter);
            add(&parameter, "Which.", "String!");
        }
        if let Some(schema) = &self.schema {
            let of = shapes::input(registry, schema, &self.hint);
            let bare = of.trim_end_matches('!');
            let of = if self.required { format!("{bare}!") } else { bare.to_owned() };
            add("input", "Its fields.", &of);
        }
        add("idempotencyKey", "The same key with the same content is done once.", "String");
        add("expectedVersion", "The version the stream must have.", "Position");
        add("dryRun", "Decide, but store nothing.", "Boolean");
        add("waitMs", "For how long to wait until the read models show it.", "Int");
        found
    }
}

/// What a command left behind.
#[derive(SimpleObject)]
struct CommandOutcome {
    /// The stream it spoke to.
    stream: String,
    /// The stream's version after it.
    version: Position,
    /// The position of its last event; null when nothing was stored.
    position: Option<Position>,
    /// The id it is stored under.
    command: String,
    /// Whether this is the first answer again.
    repeated: bool,
    /// Whether nothing was meant to be stored.
    dry_run: bool,
    /// Whether the read models show it: false when that was not waited for.
    shown: bool,
    /// What happened, in order.
    events: Vec<OutcomeEvent>,
}

/// An event of a command.
#[derive(SimpleObject)]
struct OutcomeEvent {
    /// Its id; null in a dry run.
    id: Option<String>,
    /// Its name with its version.
    r#type: String,
    /// Its version in its stream.
    version: Position,
    /// What it says.
    data: Anything,
}

impl CommandOutcome {
    fn of(outcome: Outcome, shown: bool) -> CommandOutcome {
        let event = |event: commands::OutcomeEvent| OutcomeEvent {
            id: event.id.map(|id| id.to_string()),
            version: Position(event.version),
            data: Anything(serde_json::to_value(&event.data).unwrap_or_default()),
            r#type: event.event_type,
        };
        CommandOutcome {
            stream: outcome.stream.to_string(),
            version: Position(outcome.version),
            position: outcome.position.map(Position),
            command: outcome.command_id.0.to_string(),
            repeated: outcome.repeated,
            dry_run: outcome.dry_run,
            shown,
            events: outcome.events.into_iter().map(event).collect(),
        }
    }
}

/// Everything that can be commanded.
pub struct Mutation;

impl ObjectType for Mutation {}

impl OutputType for Mutation {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("Mutation")
    }

    fn create_type_info(registry: &mut Registry) -> String {
        registry.create_output_type::<Mutation, _>(MetaTypeId::Object, |registry| {
            let outcome = CommandOutcome::create_type_info(registry);
            <Position as async_graphql::InputType>::create_type_info(registry);
            let fields = COMMANDS.iter().map(|(name, command)| {
                let arguments = command.arguments(registry);
                let words = Some(command.words.clone());
                (name.clone(), shapes::field(name, words, outcome.clone(), arguments))
            });
            let words = "Everything that can be commanded.".to_owned();
            shapes::object("Mutation", Some(words), fields.collect())
        })
    }

    async fn resolve(
        &self,
        context: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Written> {
        resolve_container_serial(context, self).await
    }
}

impl ContainerType for Mutation {
    async fn resolve_field(&self, context: &Context<'_>) -> ServerResult<Option<Written>> {
        let Some(command) = COMMANDS.get(context.item.node.name.node.as_str()) else {
            return Ok(None);
        };
        let arguments = context::arguments(context)?;
        let outcome = run(context, command, &arguments).await;
        let outcome = outcome.map_err(|problem| context::fault(context, problem))?;
        let selected = context.with_selection_set(&context.item.node.selection_set);
        OutputType::resolve(&outcome, &selected, context.item).await.map(Some)
    }
}

async fn run(
    context: &Context<'_>,
    command: &Command,
    arguments: &Arguments,
) -> Result<CommandOutcome, Problem> {
    let asker = context::asker(context)?;
    let app = asker.app();
    let caller =
        asker.caller().ok_or_else(|| Problem::new(Kind::NotAuthenticated, "commands need a token"));
    let caller = caller.inspect_err(|problem| asker.record_refusal(problem))?;
    auth::require(Some(caller), command.spec.permission)
        .inspect_err(|problem| asker.record_refusal(problem))?;
    app.rates.take(Class::Command, &caller.name).await?;
    let request = request(asker, caller, arguments)?;
    let id = match arguments.get(&shapes::camel(command.entry.id_parameter)) {
        Some(Written::String(id)) if !command.spec.creates => Some(id.as_str()),
        Some(_) | None => None,
    };
    let input = arguments.get("input").unwrap_or(&Written::Null);
    let body = command.schema.as_ref().map(|schema| shapes::read(schema, &command.hint, input));
    let body = body.filter(|body| !body.is_null()).unwrap_or_else(|| serde_json::json!({}));
    let body = serde_json::to_vec(&body).map_err(Problem::internal)?;
    let posted = Posted { spec: command.spec, id, body: &body };
    let outcome = (command.entry.run)(app, posted, request).await?;
    let shown = match (arguments.get("waitMs"), outcome.position) {
        (Some(Written::Number(wait)), Some(position)) => {
            app.all_reflect(position, wait.as_u64().unwrap_or(0)).await
        }
        (_, _) => false,
    };
    Ok(CommandOutcome::of(outcome, shown))
}

/// The conditions of a command, from its arguments.
fn request(
    asker: &Asker,
    caller: &commands::Actor,
    arguments: &Arguments,
) -> Result<RequestContext, Problem> {
    let mut request = RequestContext::new(caller.clone());
    request.correlation = asker.correlation();
    request.at = Moment::from(chrono::Utc::now());
    if let Some(Written::String(key)) = arguments.get("idempotencyKey") {
        if !conditions::is_key(key) {
            let detail = "must be 1 to 128 visible ASCII characters";
            return Err(Problem::invalid_parameters(vec![Fault::of("idempotencyKey", detail)]));
        }
        request = request.with_key(key);
    }
    request.expected_version = match arguments.get("expectedVersion") {
        Some(Written::String(text)) => text.parse().ok(),
        Some(Written::Number(number)) => number.as_u64(),
        Some(_) | None => None,
    };
    request.dry_run = matches!(arguments.get("dryRun"), Some(Written::Boolean(true)));
    Ok(request)
}
