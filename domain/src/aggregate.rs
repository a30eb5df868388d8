//! The one trait of the domain: a state that decides commands into events and evolves by events.
//!
//! Does not know how events are stored, in which order streams are written, or who asks.

use std::fmt::{Debug, Display};

use serde::{
    Deserializer, Serialize, Serializer,
    de::{self, DeserializeOwned, IntoDeserializer, value::StrDeserializer},
    forward_to_deserialize_any,
};

/// A consistency boundary: one stream, one command type, one event type, one refusal type.
///
/// `Default` is the state before the first event. `decide` and `evolve` are pure: equal inputs give
/// equal outputs, for ever.
pub trait Aggregate: Clone + Default + Debug + Send + Sync + 'static {
    /// The stream category; the stream is named `<CATEGORY>-<id>`.
    const CATEGORY: &'static str;
    /// What identifies one aggregate of this kind. `Display` is the part of the stream name after
    /// the dash.
    type Id: Clone + Debug + Display + Send + Sync + 'static;
    /// What can be asked of it. `Serialize` gives the bytes that an idempotency key is bound to.
    type Command: Clone + Debug + Serialize + DeserializeOwned + Send + Sync + 'static;
    /// What can have happened to it.
    type Event: Event;
    /// Why a command was refused.
    type Refusal: Refusal;
    /// What a decision must know beyond this aggregate's own history: the moment, the protocol
    /// parameters, facts of other streams. The write wing looks it up and hands it in.
    type Known: Clone + Debug + Send + Sync + 'static;

    /// Decides a command: the facts that follow (none when there is nothing left to do), or the
    /// reason why not. Never panics, whatever the command holds.
    fn decide(
        &self,
        command: &Self::Command,
        known: &Self::Known,
    ) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Applies one event. Cannot fail: history is not up for debate.
    fn evolve(&mut self, event: &Self::Event);

    /// What was asked of this state, by the facts that were the answer, in their order: deciding it
    /// again, on the same state and knowing the same, gives the same facts. None where they do not
    /// hold all of the command.
    fn asked(&self, facts: &[Self::Event]) -> Option<Self::Command>;
}

/// A fact. Serialises adjacently tagged, as `{"type": "<noun>-<past participle>.v<n>", "data":
/// {...}}`: no floats, every u64 and u128 as a decimal string. Members are declared in alphabetical
/// order, so that what serde writes for the data is already canonical (RFC 8785).
pub trait Event:
    Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static
{
    /// Every stored name this type can read, with its version, e.g. `validator-registered.v1`.
    const NAMES: &'static [&'static str];
    /// The stored name of this event; one of [`Event::NAMES`].
    fn name(&self) -> &'static str;
    /// Writes the data without the name: what a record holds as `data`. [`Data`] wraps it for
    /// serde.
    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error>;
}

/// A typed reason for a refusal, with the numbers in it. `Display` is the sentence a person reads;
/// serialises internally tagged by `code` (kebab-case) with the numbers as members.
pub trait Refusal: Debug + Display + Clone + PartialEq + Serialize + Send + Sync + 'static {
    /// The stable machine-readable code, kebab-case, e.g. `bond-below-minimum`.
    fn code(&self) -> &'static str;
}

/// An event's data alone, as it stands in a record.
#[derive(Clone, Copy, Debug)]
pub struct Data<'a, E>(pub &'a E);

impl<E: Event> Serialize for Data<'_, E> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.write_data(serializer)
    }
}

/// Reads an event from its stored name and the JSON of its data, without building a text or a tree
/// between.
pub fn read<E: Event>(name: &str, data: &str) -> Result<E, serde_json::Error> {
    let mut parser = serde_json::Deserializer::from_str(data);
    let event = E::deserialize(Tagged { name, data: &mut parser })?;
    parser.end()?;
    Ok(event)
}

/// Shows serde the name first and the data after it, which is the order it reads without buffering.
struct Tagged<'a, 'p, R> {
    name: &'a str,
    data: &'p mut serde_json::Deserializer<R>,
}

impl<'de, R: serde_json::de::Read<'de>> Deserializer<'de> for Tagged<'_, '_, R> {
    type Error = serde_json::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, Self::Error> {
        visitor.visit_map(Members { name: Some(self.name), data: Some(self.data) })
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map struct enum identifier
        ignored_any
    }
}

/// The two members, each given once.
struct Members<'a, 'p, R> {
    name: Option<&'a str>,
    data: Option<&'p mut serde_json::Deserializer<R>>,
}

impl<'de, R: serde_json::de::Read<'de>> de::MapAccess<'de> for Members<'_, '_, R> {
    type Error = serde_json::Error;

    fn next_key_seed<K: de::DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Self::Error> {
        let key = match (&self.name, &self.data) {
            (Some(_), _) => "type",
            (None, Some(_)) => "data",
            (None, None) => return Ok(None),
        };
        let key: StrDeserializer<'_, Self::Error> = key.into_deserializer();
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: de::DeserializeSeed<'de>>(
        &mut self,
        seed: V,
    ) -> Result<V::Value, Self::Error> {
        if let Some(name) = self.name.take() {
            let name: StrDeserializer<'_, Self::Error> = name.into_deserializer();
            return seed.deserialize(name);
        }
        match self.data.take() {
            Some(data) => seed.deserialize(data),
            None => Err(de::Error::custom("a value was asked for without a key")),
        }
    }
}
