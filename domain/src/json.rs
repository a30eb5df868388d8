//! A JSON value that knows where it stands, for readers that must name the place of a fault.
//!
//! Does not know what is read.

use serde::Serialize;
use serde_json::Value;

/// Why something could not be read: where, as a JSON pointer (RFC 6901), and what is wrong there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("{sentence} (at \"{pointer}\")")]
pub struct ParseFault {
    /// Where; empty for the whole.
    pub pointer: String,
    /// What is wrong.
    pub sentence: String,
}

impl ParseFault {
    /// A fault at `pointer`.
    pub fn new(pointer: impl Into<String>, sentence: impl Into<String>) -> ParseFault {
        ParseFault { pointer: pointer.into(), sentence: sentence.into() }
    }
}

/// A JSON value and where it stands.
pub(crate) struct Node<'a> {
    pub value: &'a Value,
    pub pointer: String,
}

/// A member's name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl<'a> Node<'a> {
    /// The whole document.
    pub fn root(value: &'a Value) -> Node<'a> {
        Node { value, pointer: String::new() }
    }

    /// What is wrong here.
    pub fn misread(&self, sentence: impl Into<String>) -> ParseFault {
        ParseFault::new(self.pointer.clone(), sentence)
    }

    /// The place of a member, whether it is there or not.
    pub fn place(&self, name: &str) -> String {
        format!("{}/{}", self.pointer, escaped(name))
    }

    /// The first of the members named `names` that is there and not null.
    pub fn member(&self, names: &[&str]) -> Option<Node<'a>> {
        let object = self.value.as_object()?;
        let there = names.iter().filter_map(|name| object.get(*name).map(|value| (name, value)));
        let (name, value) = there.into_iter().find(|(_, value)| !value.is_null())?;
        Some(Node { value, pointer: self.place(name) })
    }

    /// The same, refused when it is not there.
    pub fn needed(&self, names: &[&str]) -> Result<Node<'a>, ParseFault> {
        let missing = || self.misread(format!("`{}` is missing", names.join("` or `")));
        self.member(names).ok_or_else(missing)
    }

    /// All members, in the order of their names.
    pub fn members(&self) -> Result<Vec<(&'a str, Node<'a>)>, ParseFault> {
        let object = self.value.as_object().ok_or_else(|| self.misread("not an object"))?;
        let node = |name: &'a String, value| Node { value, pointer: self.place(name) };
        Ok(object.iter().map(|(name, value)| (name.as_str(), node(name, value))).collect())
    }

    /// The items of an array.
    pub fn items(&self) -> Result<Vec<Node<'a>>, ParseFault> {
        let items = self.value.as_array().ok_or_else(|| self.misread("not an array"))?;
        let node = |(index, value)| Node { value, pointer: format!("{}/{index}", self.pointer) };
        Ok(items.iter().enumerate().map(node).collect())
    }

    /// A string.
    pub fn text(&self) -> Result<&'a str, ParseFault> {
        self.value.as_str().ok_or_else(|| self.misread("not a string"))
    }

    /// A whole number, as a JSON number or a decimal string.
    pub fn number<T: TryFrom<i128>>(&self) -> Result<T, ParseFault> {
        let number = match self.value {
            Value::Number(number) => number.to_string().parse::<i128>().ok(),
            Value::String(text) => text.parse::<i128>().ok(),
            Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
        };
        number
            .and_then(|number| T::try_from(number).ok())
            .ok_or_else(|| self.misread("not a whole number in range"))
    }
}
