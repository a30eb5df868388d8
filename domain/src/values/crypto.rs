//! Keys, addresses and signatures, and the two rules by which signatures are judged.
//!
//! Does not know what a signature is for: the caller picks the rule.

use std::{fmt, str::FromStr};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ValueError, from_text,
    hash::{Digits, Hash, hex_bytes, hex_digits},
};

/// Bytes of a public key.
const KEY_BYTES: usize = 32;
/// Bytes of an address.
const ADDRESS_BYTES: usize = 20;
/// Bytes of an Ed25519 signature.
const SIGNATURE_BYTES: usize = 64;

const KEY_RULE: &str = "a public key is 32 bytes in padded base64";
const KEY_POINT_RULE: &str =
    "a public key is the one canonical encoding of a point of edwards25519";
const KEY_ORDER_RULE: &str = "a public key is not of small order";
const ADDRESS_RULE: &str = "an address is 20 bytes as 40 hex digits";
const SIGNATURE_RULE: &str = "a signature is 64 bytes in padded base64";

/// Reads exactly `N` bytes of padded base64.
fn base64_bytes<const N: usize>(text: &str, rule: &'static str) -> Result<[u8; N], ValueError> {
    let mut room = [0_u8; 2 * SIGNATURE_BYTES];
    let length = STANDARD.decode_slice(text, &mut room).map_err(|_| ValueError::new(rule, text))?;
    room[..length].try_into().map_err(|_| ValueError::new(rule, text))
}

/// Padded base64.
fn base64_digits<'d>(bytes: &[u8], digits: &'d mut Digits) -> &'d str {
    let length = STANDARD.encode_slice(bytes, digits).expect("64 bytes take 88 digits at most");
    std::str::from_utf8(&digits[..length]).expect("base64 digits are ASCII")
}

/// Whether the y of an encoded point is below the field's prime, 2^255 - 19. (The other encodings
/// that are not canonical, of x = 0 with a sign, are of small order.)
fn is_canonical(bytes: &[u8; KEY_BYTES]) -> bool {
    let high = bytes[1..31].iter().all(|byte| *byte == 0xff) && bytes[31] & 0x7f == 0x7f;
    !(high && bytes[0] >= 0xed)
}

/// Reads a key from history without curve arithmetic: it was checked when the event was decided. A
/// key that never was verifies nothing.
pub(crate) fn key_from_history<'de, D: Deserializer<'de>>(d: D) -> Result<PublicKey, D::Error> {
    from_text::<D, HistoricKey>(d, "an Ed25519 public key in base64").map(|key| key.0)
}

struct HistoricKey(PublicKey);

impl FromStr for HistoricKey {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<HistoricKey, ValueError> {
        base64_bytes(text, KEY_RULE).map(|bytes| HistoricKey(PublicKey(bytes)))
    }
}

/// An Ed25519 public key, 32 bytes in base64. Canonical and not of small order: one key has one
/// encoding, and nobody holds a key for which every signature could be made valid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        example = "B5pejcSXafZMJItPewOx4gOZrUqFiJffHxZ5n8Gwvug=",
        pattern = "^[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$"
    )
)]
pub struct PublicKey([u8; KEY_BYTES]);

impl PublicKey {
    /// Checks that the bytes are the canonical encoding of a point that is not of small order.
    pub fn from_bytes(bytes: [u8; KEY_BYTES]) -> Result<PublicKey, ValueError> {
        let fault = |rule| ValueError::new(rule, &STANDARD.encode(bytes));
        let key =
            ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| fault(KEY_POINT_RULE))?;
        if key.is_weak() {
            return Err(fault(KEY_ORDER_RULE));
        }
        if !is_canonical(&bytes) {
            return Err(fault(KEY_POINT_RULE));
        }
        Ok(PublicKey(bytes))
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; KEY_BYTES] {
        &self.0
    }

    /// The address it has: the first 20 bytes of SHA-256 over the key.
    pub fn address(&self) -> Address {
        let mut address = [0; ADDRESS_BYTES];
        address.copy_from_slice(&Hash::of(&self.0).as_bytes()[..ADDRESS_BYTES]);
        Address(address)
    }

    /// Whether `signature` is this key's over `message` by the strict rule: canonical,
    /// cofactorless, no small order anywhere. The rule for identities, registrations, tokens and
    /// checkpoints.
    pub fn verify_strict(&self, message: &[u8], signature: &Signature) -> bool {
        ed25519_dalek::VerifyingKey::from_bytes(&self.0).is_ok_and(|key| {
            let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
            key.verify_strict(message, &signature).is_ok()
        })
    }

    /// Whether `signature` is this key's over `message` by ZIP 215, CometBFT's rule for votes and
    /// ours for transactions: every implementation, single or batched
    /// ([`crate::signatures::verify_all`]), gives the same answer.
    pub fn verify_zip215(&self, message: &[u8], signature: &Signature) -> bool {
        ed25519_zebra::VerificationKey::try_from(self.0.as_slice()).is_ok_and(|key| {
            key.verify(&ed25519_zebra::Signature::from(signature.0), message).is_ok()
        })
    }
}

impl FromStr for PublicKey {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<PublicKey, ValueError> {
        PublicKey::from_bytes(base64_bytes(text, KEY_RULE)?)
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(base64_digits(&self.0, &mut [0; _]))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(base64_digits(&self.0, &mut [0; _]))
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        from_text(deserializer, "an Ed25519 public key in base64")
    }
}

/// 20 bytes, upper hex: the first 20 of SHA-256 over a public key, as in CometBFT.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        example = "D5B865BA26FDF5285105626B708E8556809737F7",
        pattern = "^[0-9A-Fa-f]{40}$"
    )
)]
pub struct Address([u8; ADDRESS_BYTES]);

impl Address {
    /// Every 20 bytes are an address.
    pub const fn from_bytes(bytes: [u8; ADDRESS_BYTES]) -> Address {
        Address(bytes)
    }

    /// The 20 bytes.
    pub const fn as_bytes(&self) -> &[u8; ADDRESS_BYTES] {
        &self.0
    }
}

impl FromStr for Address {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Address, ValueError> {
        hex_bytes(text, ADDRESS_RULE).map(Address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex_digits(&self.0, &mut [0; _]))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex_digits(&self.0, &mut [0; _]))
    }
}

impl<'de> Deserialize<'de> for Address {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Address, D::Error> {
        from_text(deserializer, "an address as 40 hex digits")
    }
}

/// An Ed25519 signature, 64 bytes in base64. Says nothing about being valid.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, pattern = "^[A-Za-z0-9+/]{85}[AQgw]==$")
)]
pub struct Signature([u8; SIGNATURE_BYTES]);

impl Signature {
    /// Every 64 bytes are a signature; whether it is valid is another question.
    pub const fn from_bytes(bytes: [u8; SIGNATURE_BYTES]) -> Signature {
        Signature(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; SIGNATURE_BYTES] {
        &self.0
    }
}

impl FromStr for Signature {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Signature, ValueError> {
        base64_bytes(text, SIGNATURE_RULE).map(Signature)
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(base64_digits(&self.0, &mut [0; _]))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Signature({self})")
    }
}

impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(base64_digits(&self.0, &mut [0; _]))
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Signature, D::Error> {
        from_text(deserializer, "an Ed25519 signature in base64")
    }
}
