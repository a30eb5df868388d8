//! Schemas as types in the library's registry.
//!
//! Does not translate values.

use async_graphql::{
    indexmap::IndexMap,
    registry::{Deprecation, MetaEnumValue, MetaField, MetaInputValue, MetaType, Registry},
};
use serde_json::Value;

use super::{ANYTHING, Member, Shape, pascal, resolved, screaming, shape, told_apart};
use crate::graphql::scalars;

/// Fields by their names.
pub type Fields = IndexMap<String, MetaField>;

/// Whether a type is for what goes in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Way {
    In,
    Out,
}

/// The type of what comes out, by its name in the schema language; a new one is registered.
pub fn output(registry: &mut Registry, schema: &Value, hint: &str) -> String {
    type_of(registry, schema, hint, Way::Out)
}

/// The same for what goes in.
pub fn input(registry: &mut Registry, schema: &Value, hint: &str) -> String {
    type_of(registry, schema, hint, Way::In)
}

fn type_of(registry: &mut Registry, schema: &Value, hint: &str, way: Way) -> String {
    let (shape, nullable) = shape(schema, hint);
    // Whatever JSON there is may be null as well.
    let nullable = nullable || (way == Way::Out && matches!(shape, Shape::Scalar(ANYTHING)));
    let name = match shape {
        Shape::Scalar(name) => scalar(registry, name),
        Shape::Number => scalar(registry, "Position"),
        Shape::Word { name, words } => word(registry, &name, &words, schema),
        Shape::List(items) => format!("[{}]", type_of(registry, items, hint, way)),
        Shape::Object { name, members } => object(registry, (&name, schema), &members, way),
    };
    if nullable { name } else { format!("{name}!") }
}

fn scalar(registry: &mut Registry, name: &str) -> String {
    use async_graphql::InputType as _;
    let registered = match name {
        "Boolean" => bool::create_type_info(registry),
        "Int" => u32::create_type_info(registry),
        "Address" => scalars::Address::create_type_info(registry),
        "Amount" => scalars::Amount::create_type_info(registry),
        "ChainId" => scalars::ChainId::create_type_info(registry),
        "Digest" => scalars::Digest::create_type_info(registry),
        "Epoch" => scalars::Epoch::create_type_info(registry),
        "Hash" => scalars::Hash::create_type_info(registry),
        "Height" => scalars::Height::create_type_info(registry),
        "Moment" => scalars::Moment::create_type_info(registry),
        "Position" => scalars::Position::create_type_info(registry),
        "Power" => scalars::Power::create_type_info(registry),
        "PublicKey" => scalars::PublicKey::create_type_info(registry),
        ANYTHING => scalars::Anything::create_type_info(registry),
        _ => String::create_type_info(registry),
    };
    registered.trim_end_matches('!').to_owned()
}

fn described(schema: &Value) -> Option<String> {
    let own = schema["description"].as_str();
    // What may be null says its words beside the reference.
    let beside = || {
        let mut parts = schema["oneOf"].as_array()?.iter();
        parts.find_map(|part| part["description"].as_str())
    };
    let of_type = || resolved(schema, "").0["description"].as_str();
    own.or_else(beside).or_else(of_type).map(str::to_owned)
}

fn word(registry: &mut Registry, name: &str, words: &[&str], schema: &Value) -> String {
    let value = |word: &&str| {
        let name = screaming(word);
        let value = MetaEnumValue {
            name: name.clone(),
            description: None,
            deprecation: Deprecation::NoDeprecated,
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            directive_invocations: Vec::new(),
        };
        (name, value)
    };
    let meta = || MetaType::Enum {
        name: name.to_owned(),
        description: resolved(schema, "").0["description"].as_str().map(str::to_owned),
        enum_values: words.iter().map(value).collect(),
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    };
    registry.types.entry(name.to_owned()).or_insert_with(meta);
    name.to_owned()
}

fn object(
    registry: &mut Registry,
    (name, schema): (&str, &Value),
    members: &[Member<'_>],
    way: Way,
) -> String {
    let name = match way {
        Way::Out => name.to_owned(),
        Way::In if name.ends_with("Input") => name.to_owned(),
        Way::In => format!("{name}Input"),
    };
    if registry.types.contains_key(&name) {
        return name;
    }
    let (itself, _, _) = resolved(schema, "");
    let description = itself["description"].as_str().map(str::to_owned);
    let mut typed = Vec::with_capacity(members.len());
    for member in members {
        let bare = name.trim_end_matches("Input");
        let hint = format!("{bare}{}", pascal(member.json));
        let of = match told_apart(itself, member.json) {
            Some(words) => format!("{}!", word(registry, &hint, &words, &Value::Null)),
            None => type_of(registry, member.schema, &hint, way),
        };
        let of = if member.required { of } else { of.trim_end_matches('!').to_owned() };
        typed.push((member.name.clone(), described(member.schema), of));
    }
    let meta = match way {
        Way::Out => {
            let field = |(name, words, of): (String, Option<String>, String)| {
                (name.clone(), field(&name, words, of, Vec::new()))
            };
            new_object(&name, description, typed.into_iter().map(field).collect())
        }
        Way::In => {
            let value = |(name, words, of): (String, Option<String>, String)| {
                (name.clone(), argument(&name, words, of))
            };
            MetaType::InputObject {
                name: name.clone(),
                description,
                input_fields: typed.into_iter().map(value).collect(),
                visible: None,
                inaccessible: false,
                tags: Vec::new(),
                rust_typename: None,
                oneof: false,
                directive_invocations: Vec::new(),
            }
        }
    };
    registry.types.insert(name.clone(), meta);
    name
}

/// An object with these fields.
pub fn new_object(name: &str, description: Option<String>, fields: Fields) -> MetaType {
    MetaType::Object {
        name: name.to_owned(),
        description,
        fields,
        cache_control: Default::default(),
        extends: false,
        shareable: false,
        resolvable: true,
        keys: None,
        visible: None,
        inaccessible: false,
        interface_object: false,
        tags: Vec::new(),
        is_subscription: false,
        rust_typename: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// A field of this type.
pub fn field(
    name: &str,
    description: Option<String>,
    ty: String,
    args: Vec<MetaInputValue>,
) -> MetaField {
    MetaField {
        name: name.to_owned(),
        description,
        args: args.into_iter().map(|arg| (arg.name.clone(), arg)).collect(),
        ty,
        deprecation: Deprecation::NoDeprecated,
        cache_control: Default::default(),
        external: false,
        requires: None,
        provides: None,
        visible: None,
        shareable: false,
        inaccessible: false,
        tags: Vec::new(),
        override_from: None,
        compute_complexity: None,
        directive_invocations: Vec::new(),
        requires_scopes: Vec::new(),
    }
}

/// An argument, or a member of what goes in, of this type.
pub fn argument(name: &str, description: Option<String>, ty: String) -> MetaInputValue {
    MetaInputValue {
        name: name.to_owned(),
        description,
        ty,
        deprecation: Deprecation::NoDeprecated,
        default_value: None,
        visible: None,
        inaccessible: false,
        tags: Vec::new(),
        is_secret: false,
        directive_invocations: Vec::new(),
    }
}
