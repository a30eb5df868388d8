//! A validator's key, as CometBFT keeps it in a file.
//!
//! Does not know what may be signed with it.

use std::{fmt, path::Path};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::values::{Address, PublicKey, Signature};
use ed25519_dalek::{KEYPAIR_LENGTH, Signer as _, SigningKey};
use serde::Deserialize;

use crate::Failure;

/// What the form of an Ed25519 key's secret is called.
const SECRET_FORM: &str = "tendermint/PrivKeyEd25519";

/// A key that signs. Shows nothing of its secret.
pub struct Key {
    address: Address,
    public: PublicKey,
    signing: SigningKey,
}

#[derive(Deserialize)]
struct File {
    address: Address,
    priv_key: Secret,
}

#[derive(Deserialize)]
struct Secret {
    #[serde(rename = "type")]
    form: String,
    value: String,
}

impl Key {
    /// Reads a `priv_validator_key.json`.
    pub fn read(path: &Path) -> Result<Key, Failure> {
        let shown = path.display();
        let text = std::fs::read_to_string(path)
            .map_err(|fault| Failure::Usage(format!("The key {shown} cannot be read: {fault}")))?;
        Key::from_json(&text)
            .map_err(|fault| Failure::Refused(format!("{shown} is no validator's key: {fault}")))
    }

    fn from_json(text: &str) -> Result<Key, String> {
        let file: File = serde_json::from_str(text).map_err(|fault| {
            // What serde shows of a text may be a secret.
            format!("line {} column {} is not as it must be", fault.line(), fault.column())
        })?;
        if file.priv_key.form != SECRET_FORM {
            return Err(format!("its key is not of the form {SECRET_FORM}"));
        }
        let bytes = STANDARD.decode(&file.priv_key.value).ok();
        let bytes: Option<[u8; KEYPAIR_LENGTH]> = bytes.and_then(|bytes| bytes.try_into().ok());
        let bytes = bytes.ok_or("its secret is not 64 bytes in base64")?;
        let signing = SigningKey::from_keypair_bytes(&bytes)
            .map_err(|_| "its secret and its public key do not belong together".to_owned())?;
        let key = Key::of(signing)?;
        if key.address != file.address {
            return Err(format!("it says {}, the key's address is {}", file.address, key.address));
        }
        Ok(key)
    }

    /// The key of a secret.
    fn of(signing: SigningKey) -> Result<Key, String> {
        let public = PublicKey::from_bytes(signing.verifying_key().to_bytes());
        let public = public.map_err(|fault| fault.to_string())?;
        Ok(Key { address: public.address(), public, signing })
    }

    /// Whose key it is.
    pub fn address(&self) -> Address {
        self.address
    }

    /// What verifies its signatures.
    pub fn public(&self) -> PublicKey {
        self.public
    }

    /// Signs.
    pub(crate) fn sign(&self, bytes: &[u8]) -> Signature {
        Signature::from_bytes(self.signing.sign(bytes).to_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key").field("address", &self.address).finish_non_exhaustive()
    }
}
