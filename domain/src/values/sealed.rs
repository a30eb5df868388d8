//! Personal data as the domain carries it: under a person's own key, and as a keyed hash.
//!
//! Does not know any key: what is sealed here cannot be read here.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

use super::{Hash, ValueError};

/// The longest ciphertext in bytes, with its nonce and tag.
const CIPHERTEXT_BYTES_MAX: usize = 1_024;
/// The shortest ciphertext in bytes: a nonce of 12, a tag of 16, and at least one byte.
const CIPHERTEXT_BYTES_MIN: usize = 29;
/// The longest name of a key in characters.
const KEY_CHARS_MAX: usize = 64;

const CIPHERTEXT_RULE: &str = "a ciphertext is 29 to 1024 bytes in padded base64";
const KEY_RULE: &str = "a sealing key is named by 1 to 64 characters of a-z 0-9 -";

/// Something personal, sealed: opaque bytes, and the name of the person's key they are under. When
/// that key is destroyed, nobody reads them any more.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "Sent")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Sealed {
    /// Nonce, ciphertext and tag in base64.
    ciphertext: String,
    /// Which key of the person's.
    key_id: String,
}

/// The members as they are sent.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sent {
    ciphertext: String,
    key_id: String,
}

impl Sealed {
    /// Checks the form; what it holds cannot be checked.
    pub fn new(ciphertext: &[u8], key_id: &str) -> Result<Sealed, ValueError> {
        Sealed::try_from(Sent {
            ciphertext: STANDARD.encode(ciphertext),
            key_id: key_id.to_owned(),
        })
    }

    /// Nonce, ciphertext and tag.
    pub fn ciphertext(&self) -> Vec<u8> {
        STANDARD.decode(&self.ciphertext).expect("it was decoded when it was parsed")
    }

    /// Which key of the person's.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }
}

impl TryFrom<Sent> for Sealed {
    type Error = ValueError;
    fn try_from(sent: Sent) -> Result<Sealed, ValueError> {
        let Sent { ciphertext, key_id } = sent;
        // What is refused is not shown: it may have been sent in the clear.
        let fault =
            || ValueError::new(CIPHERTEXT_RULE, &format!("{} characters", ciphertext.len()));
        let bytes = STANDARD.decode(&ciphertext).map_err(|_| fault())?;
        if !(CIPHERTEXT_BYTES_MIN..=CIPHERTEXT_BYTES_MAX).contains(&bytes.len()) {
            return Err(fault());
        }
        let is_name = (1..=KEY_CHARS_MAX).contains(&key_id.len())
            && key_id.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !is_name {
            return Err(ValueError::new(KEY_RULE, &key_id));
        }
        Ok(Sealed { ciphertext, key_id })
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(under {})", self.key_id)
    }
}

/// A keyed hash of something personal, such as a normalised mail address: tells equals apart from
/// others without telling what they are. The key is a secret of the installation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = Hash))]
pub struct BlindIndex(Hash);

impl BlindIndex {
    /// From the 32 bytes of the keyed hash.
    pub const fn from_bytes(bytes: [u8; 32]) -> BlindIndex {
        BlindIndex(Hash::from_bytes(bytes))
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl FromStr for BlindIndex {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<BlindIndex, ValueError> {
        text.parse().map(BlindIndex)
    }
}

impl fmt::Display for BlindIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
