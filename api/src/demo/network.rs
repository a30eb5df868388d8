//! A chain of our own: a genesis document, and the validators it names, registered with proofs by
//! their own keys, activated and chosen.
//!
//! Does not run validators: a chain that agrees on blocks is more than this shows.

use std::fmt;

use chrono::{SecondsFormat, Utc};
use commands::{Actor, Answer, Commands, Handled, RequestContext};
use domain::{
    chain::Chain,
    validator::{self, Registration, Validator},
    validator_set::{self, ValidatorSet},
    values::{Address, Amount, Bps, ChainId, Epoch, PublicKey, Signature},
};
use ed25519_dalek::{Signer, SigningKey};
use serde::Serialize;
use serde_json::{Value, json};

use super::headers;

/// The chain's name.
const CHAIN: &str = "demo-1";
/// The stake of each validator, in base units.
const BOND: u128 = 10_000_000;
/// What each delegator adds, in base units.
const DELEGATION: u128 = 2_500_000;
/// The balance of the one account, in base units.
const BALANCE: u128 = 1_000_000_000;
/// The validators' names.
const MONIKERS: [&str; headers::VALIDATORS] = ["aurora", "borealis", "corona", "dusk"];

type Failed = Box<dyn std::error::Error + Send + Sync>;

/// What was started.
#[derive(Debug, Serialize)]
pub struct Network {
    /// The chain.
    pub chain: ChainId,
    /// How many validators were registered now.
    pub validators: usize,
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.validators {
            0 => write!(f, "{}: started in an earlier run", self.chain),
            count => write!(f, "{}: started, {count} validators registered and chosen", self.chain),
        }
    }
}

/// Starts the chain and its validators, unless that was done before.
pub async fn start(commands: &Commands, actor: &Actor) -> Result<Network, Failed> {
    let chain: ChainId = CHAIN.parse()?;
    let stream = commands.newest_stream(&chain).await?;
    if commands.aggregate::<Chain>(&stream).await?.is_some() {
        return Ok(Network { chain, validators: 0 });
    }
    let context = || RequestContext::new(actor.clone());
    let mut keys = Vec::with_capacity(MONIKERS.len());
    for _ in MONIKERS {
        keys.push(headers::signing_key()?);
    }
    let document = serde_json::to_string_pretty(&genesis(&chain, &keys)?)?;
    commands.initialise_genesis(document, context()).await?;
    for (key, moniker) in keys.iter().zip(MONIKERS) {
        join(commands, &chain, key, moniker, &context).await?;
    }
    let rotate = validator_set::Command::Rotate { epoch: Epoch::new(0)? };
    commands.execute::<ValidatorSet>(chain.clone(), rotate, context()).await?;
    Ok(Network { chain, validators: keys.len() })
}

/// Registers one validator, activates it, and gives it a delegator.
async fn join(
    commands: &Commands,
    chain: &ChainId,
    key: &SigningKey,
    moniker: &str,
    context: &impl Fn() -> RequestContext,
) -> Result<(), Failed> {
    let public_key = PublicKey::from_bytes(key.verifying_key().to_bytes())?;
    let address = public_key.address();
    let proof = key.sign(&validator::registration_bytes(chain, address));
    let registration = Registration {
        bond: Amount::new(BOND),
        chain_id: chain.clone(),
        commission_bps: Bps::try_from(500_u16)?,
        contact: None,
        moniker: moniker.parse()?,
        operator: "demo".parse()?,
        proof: Signature::from_bytes(proof.to_bytes()),
        public_key,
        reservation: None,
        website: None,
    };
    let delegator = Address::from_bytes(
        PublicKey::from_bytes(headers::signing_key()?.verifying_key().to_bytes())?
            .address()
            .as_bytes()
            .to_owned(),
    );
    for command in [
        validator::Command::Register(Box::new(registration)),
        validator::Command::Activate {},
        validator::Command::Delegate { amount: Amount::new(DELEGATION), delegator },
    ] {
        done::<Validator>(commands.execute::<Validator>(address, command, context()).await)?;
    }
    Ok(())
}

fn done<A: Handled>(answer: Answer<A>) -> Result<(), Failed> {
    match answer {
        Ok(_) => Ok(()),
        Err(error) => Err(error.to_string().into()),
    }
}

fn genesis(chain: &ChainId, keys: &[SigningKey]) -> Result<Value, Failed> {
    let mut validators = Vec::with_capacity(keys.len());
    for (key, name) in keys.iter().zip(MONIKERS) {
        let public_key = PublicKey::from_bytes(key.verifying_key().to_bytes())?;
        validators.push(json!({
            "address": public_key.address(),
            "name": name,
            "power": (BOND / 1_000_000).to_string(),
            "pub_key": { "type": "tendermint/PubKeyEd25519", "value": public_key },
        }));
    }
    let owner = PublicKey::from_bytes(headers::signing_key()?.verifying_key().to_bytes())?;
    let supply = BALANCE + BOND * keys.len() as u128;
    Ok(json!({
        "genesis_time": Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
        "chain_id": chain,
        "initial_height": "1",
        "consensus_params": {
            "block": { "max_bytes": "4194304", "max_gas": "-1" },
            "evidence": {
                "max_age_num_blocks": "10000",
                "max_age_duration": "172800000000000",
                "max_bytes": "1048576",
            },
            "validator": { "pub_key_types": ["ed25519"] },
            "version": { "app": "1" },
        },
        "validators": validators,
        "app_hash": "",
        "app_state": {
            "accounts": [{ "address": owner.address(), "balance": BALANCE.to_string() }],
            // All four may join in the first epoch.
            "parameters": { "churn_per_epoch_max": { "floor": keys.len(), "one_in": 50 } },
            "supply": supply.to_string(),
        },
    }))
}
