//! What a call of CometBFT's RPC is given: by name, as JSON or as a query string.
//!
//! Does not know which method takes what. Numbers of 64 bits are texts or numbers, nothing is null
//! or absent, bytes are base64 or (with `0x`) hex, as CometBFT takes them.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::values::{Hash, Height};
use serde_json::{Map, Value};

use crate::{
    params,
    problem::{Fault, Problem},
};

/// The arguments of one call, taken one by one; [`Arguments::finish`] reports what was wrong.
pub struct Arguments {
    given: Map<String, Value>,
    faults: Vec<Fault>,
}

impl Arguments {
    /// From the `params` of a JSON-RPC call.
    pub fn of_params(params: Value) -> Result<Arguments, Problem> {
        let given = match params {
            Value::Null => Map::new(),
            Value::Object(given) => given,
            Value::Array(given) if given.is_empty() => Map::new(),
            Value::Array(_) | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                return Err(Problem::invalid_parameter("params", "are given by name here"));
            }
        };
        Ok(Arguments { given, faults: Vec::new() })
    }

    /// From a query string.
    pub fn of_query(query: &str) -> Arguments {
        let pairs = params::decode(query).into_iter();
        let given = pairs.map(|(name, value)| {
            let text = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
            let text = text.map(str::to_owned).unwrap_or(value);
            (name, Value::String(text))
        });
        Arguments { given: given.collect(), faults: Vec::new() }
    }

    /// A height; none when it is not given, or 0.
    pub fn height(&mut self) -> Option<Height> {
        let number = self.number("height")?;
        if number == 0 {
            return None;
        }
        Height::new(number).map_err(|error| self.fault("height", error.to_string())).ok()
    }

    /// A number of at most `max`, or what it is when it is not given.
    pub fn count(&mut self, name: &'static str, absent: usize, max: usize) -> usize {
        let Some(number) = self.number(name) else { return absent };
        match usize::try_from(number) {
            Ok(number) if (1..=max).contains(&number) => number,
            Ok(_) | Err(_) => {
                self.fault(name, format!("is {number}, and must be 1 to {max}"));
                absent
            }
        }
    }

    /// A hash, which must be given.
    pub fn hash(&mut self) -> Option<Hash> {
        let Some(text) = self.text("hash") else {
            self.fault("hash", "must be given");
            return None;
        };
        let bytes = match text.strip_prefix("0x") {
            Some(digits) => hex::decode(digits).ok(),
            None if text.len() == 2 * 32 => hex::decode(&text).ok(),
            None => STANDARD.decode(&text).ok(),
        };
        let hash = bytes.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        if hash.is_none() {
            self.fault("hash", "must be 32 bytes in base64, or in hex behind 0x");
        }
        hash.map(Hash::from_bytes)
    }

    /// Yes or no; no when it is not given.
    pub fn flag(&mut self, name: &'static str) -> bool {
        match self.given.remove(name) {
            None | Some(Value::Null) => false,
            Some(Value::Bool(flag)) => flag,
            Some(Value::String(text)) if text == "true" => true,
            Some(Value::String(text)) if text == "false" || text.is_empty() => false,
            Some(Value::String(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                self.fault(name, "must be true or false");
                false
            }
        }
    }

    /// Everything that was wrong, unknown arguments included.
    pub fn finish(mut self) -> Result<(), Problem> {
        for (name, _) in std::mem::take(&mut self.given) {
            self.faults.push(Fault::of(name, "is not taken by this method"));
        }
        if self.faults.is_empty() { Ok(()) } else { Err(Problem::invalid_parameters(self.faults)) }
    }

    fn number(&mut self, name: &'static str) -> Option<u64> {
        let text = match self.given.remove(name)? {
            Value::Null => return None,
            Value::String(text) if text.is_empty() => return None,
            Value::String(text) => text,
            Value::Number(number) => number.to_string(),
            Value::Bool(_) | Value::Array(_) | Value::Object(_) => String::new(),
        };
        let number = text.parse();
        number.map_err(|_| self.fault(name, "must be a whole number that is not negative")).ok()
    }

    fn text(&mut self, name: &'static str) -> Option<String> {
        match self.given.remove(name)? {
            Value::Null => None,
            Value::String(text) => Some(text),
            other @ (Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => {
                self.fault(name, format!("must be a text, not {other}"));
                None
            }
        }
    }

    fn fault(&mut self, name: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault::of(name, detail));
    }
}
