//! `node0 validator keygen`: a new key for a validator, in CometBFT's file form.
//!
//! Does not know any chain: a key belongs to whoever holds the file.

use std::{
    fs::OpenOptions,
    io::{self, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use ed25519_dalek::SigningKey;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::cli::{Failure, terminal::Terminal};

/// The length of an address in bytes: the beginning of the public key's SHA-256.
const ADDRESS_BYTES: usize = 20;

/// Makes a key.
pub fn keygen(out: &Path, json: bool) -> Result<(), Failure> {
    let mut seed = [0; ed25519_dalek::SECRET_KEY_LENGTH];
    getrandom::fill(&mut seed).map_err(Failure::unreachable)?;
    let (address, public_key) = write_key(out, &SigningKey::from_bytes(&seed))?;
    let file = out.display().to_string();
    let object = json!({ "file": file, "address": address, "public_key": public_key });
    let sentence =
        |_| format!("address     {address}\npublic key  {public_key}\nkey file    {file}");
    Terminal::new(json).say(sentence, &object)
}

/// Writes a key in CometBFT's form, to a file that is not there yet; its address and public key.
pub(crate) fn write_key(out: &Path, key: &SigningKey) -> Result<(String, String), Failure> {
    let public = key.verifying_key();
    let address = hex::encode_upper(&Sha256::digest(public.as_bytes())[..ADDRESS_BYTES]);
    let public_key = STANDARD.encode(public.as_bytes());
    let document = json!({
        "address": address,
        "pub_key": { "type": "tendermint/PubKeyEd25519", "value": public_key },
        "priv_key": {
            "type": "tendermint/PrivKeyEd25519",
            "value": STANDARD.encode(key.to_keypair_bytes()),
        },
    });
    write_secret(out, &format!("{document:#}\n"))?;
    Ok((address, public_key))
}

/// Writes what is secret to a file that is not there yet, closed to others from its first moment.
pub(crate) fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let opened = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    let written = opened.and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| {
        let path = path.display();
        if error.kind() == io::ErrorKind::AlreadyExists {
            Failure::refused(format!("{path} exists: a key is never overwritten"))
        } else {
            Failure::unreachable(format!("Cannot write {path}: {error}"))
        }
    })
}
