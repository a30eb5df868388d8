//! Keys of those who sign checkpoints: a log's own (`signed-note`, Ed25519, type 0x01), and those
//! of cosigners (`tlog-cosignature`, `cosignature/v1`, type 0x04).
//!
//! Does not know what is signed. Signatures are verified strictly (`verify_strict`): one that a
//! weak key could have made of any message is none.

use std::{fmt, str::FromStr};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use ed25519_dalek::{Signature as Ed25519Signature, Signer as _, SigningKey, VerifyingKey};
use signed_note::{Signature, VerificationError, Verifier, Verifiers, is_key_name_valid, key_id};

/// What a signature by a key says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// "This is my log."
    Log,
    /// "This log has only grown since I last saw it, and I saw it then."
    Cosigner,
}

impl Role {
    /// The signature type of `signed-note`.
    const fn number(self) -> u8 {
        match self {
            Role::Log => 0x01,
            Role::Cosigner => 0x04,
        }
    }

    const fn of(number: u8) -> Option<Role> {
        match number {
            0x01 => Some(Role::Log),
            0x04 => Some(Role::Cosigner),
            _ => None,
        }
    }
}

/// Why a text is no key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it means")]
pub enum KeyFault {
    #[error("it has not the form {0}")]
    Form(&'static str),
    #[error("its name is empty, or has spaces or a plus in it")]
    Name,
    #[error("it is neither of type 0x01 (Ed25519) nor 0x04 (cosignature/v1)")]
    Type,
    #[error("its id is not that of its name and its key: it was mistyped")]
    Id,
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

const PUBLIC_FORM: &str = "<name>+<id>+<base64 of type and key>";
const PRIVATE_FORM: &str = "PRIVATE+KEY+<name>+<id>+<base64 of type and seed>";
/// The bytes of a key, and of a seed.
const KEY_BYTES: usize = 32;
/// The bytes of a cosignature's time.
const TIME_BYTES: usize = 8;

/// By what signatures are verified. Written as it is published, e.g.
/// `example.com/log+33d7b496+AeHT...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    role: Role,
    key: VerifyingKey,
}

impl VerifierKey {
    /// Whose it is.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What its signatures say.
    pub fn role(&self) -> Role {
        self.role
    }

    fn typed(&self) -> Vec<u8> {
        [&[self.role.number()], self.key.as_bytes().as_slice()].concat()
    }

    /// What signatures name it by, beside its name.
    pub fn id(&self) -> u32 {
        key_id(&self.name, &self.typed())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}+{:08x}+{}", self.name, self.id(), BASE64_STANDARD.encode(self.typed()))
    }
}

impl FromStr for VerifierKey {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<VerifierKey, KeyFault> {
        let (name, id, role, key) = parts(text, PUBLIC_FORM)?;
        let key = VerifyingKey::from_bytes(&key).map_err(|_| KeyFault::Form(PUBLIC_FORM))?;
        let public = VerifierKey { name, role, key };
        if public.id() == id { Ok(public) } else { Err(KeyFault::Id) }
    }
}

/// Name, id, role and bytes of a key.
fn parts(text: &str, form: &'static str) -> Result<(String, u32, Role, [u8; KEY_BYTES]), KeyFault> {
    let wrong = KeyFault::Form(form);
    let (name, rest) = text.split_once('+').ok_or(wrong.clone())?;
    let (id, key) = rest.split_once('+').ok_or(wrong.clone())?;
    if !is_key_name_valid(name) {
        return Err(KeyFault::Name);
    }
    let number = u32::from_str_radix(id, 16).ok().filter(|_| id.len() == 8);
    let number = number.ok_or(wrong.clone())?;
    let key = BASE64_STANDARD.decode(key).map_err(|_| wrong.clone())?;
    let (of, key) = key.split_first().ok_or(wrong.clone())?;
    let role = Role::of(*of).ok_or(KeyFault::Type)?;
    Ok((name.to_owned(), number, role, key.try_into().map_err(|_| wrong)?))
}

impl Verifier for VerifierKey {
    fn name(&self) -> &str {
        &self.name
    }

    fn key_id(&self) -> u32 {
        self.id()
    }

    fn verify(&self, message: &[u8], signature: &[u8]) -> bool {
        let is_good = |message: &[u8], signature: &[u8]| {
            let signature = Ed25519Signature::from_slice(signature);
            signature.is_ok_and(|signature| self.key.verify_strict(message, &signature).is_ok())
        };
        match self.role {
            Role::Log => is_good(message, signature),
            Role::Cosigner => match signature.split_first_chunk::<TIME_BYTES>() {
                Some((time, signature)) => {
                    is_good(&cosigned(message, u64::from_be_bytes(*time)), signature)
                }
                None => false,
            },
        }
    }
}

/// What a cosigner signs.
fn cosigned(message: &[u8], time_s: u64) -> Vec<u8> {
    [format!("cosignature/v1\ntime {time_s}\n").as_bytes(), message].concat()
}

/// What signs. Never shown; [`SignerKey::secret`] is what is kept of it.
#[derive(Clone)]
pub struct SignerKey {
    public: VerifierKey,
    key: SigningKey,
}

impl fmt::Debug for SignerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignerKey({})", self.public)
    }
}

impl SignerKey {
    /// A new one.
    pub fn generate(role: Role, name: &str) -> Result<SignerKey, KeyFault> {
        let mut seed = [0; KEY_BYTES];
        getrandom::fill(&mut seed).map_err(KeyFault::Random)?;
        if is_key_name_valid(name) {
            Ok(SignerKey::of_seed(role, name.to_owned(), &seed))
        } else {
            Err(KeyFault::Name)
        }
    }

    fn of_seed(role: Role, name: String, seed: &[u8; KEY_BYTES]) -> SignerKey {
        let key = SigningKey::from_bytes(seed);
        SignerKey { public: VerifierKey { name, role, key: key.verifying_key() }, key }
    }

    /// By what its signatures are verified.
    pub fn public(&self) -> &VerifierKey {
        &self.public
    }

    /// As it is kept, in the form of Go's `note` package: `PRIVATE+KEY+...`.
    pub fn secret(&self) -> String {
        let VerifierKey { name, role, .. } = &self.public;
        let typed = [&[role.number()], self.key.as_bytes().as_slice()].concat();
        format!("PRIVATE+KEY+{name}+{:08x}+{}", self.public.id(), BASE64_STANDARD.encode(typed))
    }

    /// Signs a note's text; a cosigner says that it was then, in seconds since 1970.
    pub fn sign(&self, text: &[u8], time_s: u64) -> Result<Signature, signed_note::NoteError> {
        let signature = match self.public.role {
            Role::Log => self.key.sign(text).to_vec(),
            Role::Cosigner => {
                let signature = self.key.sign(&cosigned(text, time_s)).to_bytes();
                [time_s.to_be_bytes().as_slice(), &signature].concat()
            }
        };
        Signature::new(self.public.name.clone(), self.public.id(), signature)
    }
}

impl FromStr for SignerKey {
    type Err = KeyFault;

    fn from_str(text: &str) -> Result<SignerKey, KeyFault> {
        let rest = text.strip_prefix("PRIVATE+KEY+").ok_or(KeyFault::Form(PRIVATE_FORM))?;
        let (name, id, role, seed) = parts(rest, PRIVATE_FORM)?;
        let key = SignerKey::of_seed(role, name, &seed);
        if key.public.id() == id { Ok(key) } else { Err(KeyFault::Id) }
    }
}

/// The keys whose signatures count.
#[derive(Clone, Debug, Default)]
pub struct Keys(Vec<VerifierKey>);

impl Keys {
    /// Of verifier keys as they are published.
    pub fn parse<K: AsRef<str>>(keys: &[K]) -> Result<Keys, KeyFault> {
        keys.iter().map(|key| key.as_ref().parse()).collect::<Result<_, _>>().map(Keys)
    }

    /// Which they are.
    pub fn iter(&self) -> impl Iterator<Item = &VerifierKey> {
        self.0.iter()
    }

    /// The key that a signature is by.
    pub(crate) fn of(&self, signature: &Signature) -> Option<&VerifierKey> {
        self.named(signature.name(), signature.id())
    }

    fn named(&self, name: &str, id: u32) -> Option<&VerifierKey> {
        self.0.iter().find(|key| key.name == name && key.id() == id)
    }
}

impl FromIterator<VerifierKey> for Keys {
    fn from_iter<I: IntoIterator<Item = VerifierKey>>(keys: I) -> Keys {
        Keys(keys.into_iter().collect())
    }
}

impl Verifiers for Keys {
    fn verifier(&self, name: &str, id: u32) -> Result<&dyn Verifier, VerificationError> {
        let unknown = || VerificationError::UnknownKey { name: name.to_owned(), id };
        self.named(name, id).map(|key| key as &dyn Verifier).ok_or_else(unknown)
    }
}
