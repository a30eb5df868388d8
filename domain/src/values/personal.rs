//! Personal data by what it is. A field that is personal says so by its type; what it holds is
//! sealed under the person's own key ([`Sealed`]), so that nothing that has no key reads it: no
//! decision, no read model, no export.
//!
//! Does not know any key.

use std::marker::PhantomData;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Sealed;

/// A person's mail address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum MailAddress {}

/// The name that a person shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DisplayName {}

/// The network address that a person came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Origin {}

/// Who a person is to another issuer of identities.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuersSubject {}

/// Something personal of this kind, sealed. Stored as what it is sealed in.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Personal<T>(Sealed, PhantomData<fn() -> T>);

impl<T> Personal<T> {
    /// What it is sealed in.
    pub fn sealed(&self) -> &Sealed {
        &self.0
    }
}

/// Whoever has sealed something says what it is.
impl<T> From<Sealed> for Personal<T> {
    fn from(sealed: Sealed) -> Personal<T> {
        Personal(sealed, PhantomData)
    }
}

impl<T> std::fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

impl<T> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de, T> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Personal<T>, D::Error> {
        Sealed::deserialize(deserializer).map(Personal::from)
    }
}
