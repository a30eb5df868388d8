//! The one trait of the domain: a state that decides commands into events and evolves by events.
//!
//! Does not know how events are stored, in which order streams are written, or who asks.

use std::fmt::{Debug, Display};

use serde::{Serialize, de::DeserializeOwned};
use serde_json::value::RawValue;

/// A consistency boundary: one stream, one command type, one event type, one refusal type.
///
/// `Default` is the state before the first event. `decide` and `evolve` are pure: equal inputs give
/// equal outputs, for ever.
pub trait Aggregate: Clone + Default + Debug + Send + Sync + 'static {
    /// The stream category; the stream is named `<CATEGORY>-<id>`.
    const CATEGORY: &'static str;
    /// What identifies one aggregate of this kind. `Display` is the part of the stream name after the dash.
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

    /// Decides a command: the facts that follow (none when there is nothing left to do), or the reason
    /// why not. Never panics, whatever the command holds.
    fn decide(&self, command: &Self::Command, known: &Self::Known) -> Result<Vec<Self::Event>, Self::Refusal>;

    /// Applies one event. Cannot fail: history is not up for debate.
    fn evolve(&mut self, event: &Self::Event);
}

/// A fact. Serialises adjacently tagged, as `{"type": "<noun>-<past participle>.v<n>", "data": {...}}`:
/// no floats, every u64 and u128 as a decimal string.
pub trait Event: Clone + Debug + PartialEq + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Every stored name this type can read, with its version, e.g. `validator-registered.v1`.
    const NAMES: &'static [&'static str];
    /// The stored name of this event; one of [`Event::NAMES`].
    fn name(&self) -> &'static str;

    /// Reads an event back from its stored name and data.
    fn decode(name: &str, data: &str) -> Result<Self, serde_json::Error> {
        serde_json::from_str(&format!(r#"{{"type":"{name}","data":{data}}}"#))
    }

    /// The data alone, without the name.
    fn data(&self) -> Result<Box<RawValue>, serde_json::Error> {
        let whole = serde_json::to_string(self)?;
        let start = r#"{"type":"","data":"#.len() + self.name().len();
        RawValue::from_string(whole[start..whole.len() - 1].to_owned())
    }
}

/// A typed reason for a refusal, with the numbers in it. `Display` is the sentence a person reads;
/// serialises internally tagged by `code` (kebab-case) with the numbers as members.
pub trait Refusal: Debug + Display + Clone + PartialEq + Serialize + Send + Sync + 'static {
    /// The stable machine-readable code, kebab-case, e.g. `bond-below-minimum`.
    fn code(&self) -> &'static str;
}
