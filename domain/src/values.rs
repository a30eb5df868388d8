//! Shared values: parsed once at the border, valid for ever after.
//!
//! Does not know which context uses a value, nor where it came from.

mod amount;
mod crypto;
mod document;
mod hash;
mod number;
mod peer;
mod personal;
mod principal;
mod sealed;
mod text;
mod time;

pub use amount::{Amount, Bps, POWER_TOTAL_MAX, Power, is_quorum};
pub(crate) use crypto::key_from_history;
pub use crypto::{Address, PublicKey, Signature};
pub use document::{Algorithm, Digest, LABEL_CHARS_MAX, Label, MEMO_BYTES_MAX, Memo};
pub use hash::{AppHash, Hash};
pub use number::{Epoch, Height, Nonce, Round};
pub use peer::{PeerAddress, PeerId};
pub use personal::{DisplayName, IssuersSubject, MailAddress, Origin, Personal};
pub use principal::{ApiKeyId, PermissionName, PrincipalId, RoleName, SessionId};
pub use sealed::{BlindIndex, Sealed};
pub use text::{
    ChainId, Contact, Moniker, Operator, REASON_CHARS_MAX, Reason, Reservation, Website,
};
pub use time::Moment;

use std::{fmt, marker::PhantomData, str::FromStr};

use serde::{Deserializer, de};

/// How much of a refused text is shown, in characters.
const FOUND_CHARS_MAX: usize = 64;

/// Why a text or a number is not a value: the rule it breaks, and what was found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{rule}; found {found}")]
pub struct ValueError {
    /// The rule, as a sentence without its full stop.
    pub rule: &'static str,
    /// What was found instead, shortened.
    pub found: String,
}

impl ValueError {
    /// A refusal of `found`; long texts are shortened.
    pub fn new(rule: &'static str, found: &str) -> ValueError {
        let mut shown: String = found.chars().take(FOUND_CHARS_MAX).collect();
        if shown.len() < found.len() {
            shown.push('…');
        }
        ValueError { rule, found: format!("{shown:?}") }
    }
}

/// Reads a value from a JSON string; `expected` completes "expected ...".
fn from_text<'de, D, T>(deserializer: D, expected: &'static str) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: FromStr<Err = ValueError>,
{
    deserializer.deserialize_str(FromText { expected, value: PhantomData })
}

struct FromText<T> {
    expected: &'static str,
    value: PhantomData<T>,
}

impl<T: FromStr<Err = ValueError>> de::Visitor<'_> for FromText<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}
