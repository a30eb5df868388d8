//! A chain of our own: the keys of its validators and senders, its genesis document, and its
//! validators, registered with proofs by their own keys and activated.
//!
//! Does not run validators, nor send transactions. A chain that was started in an earlier run goes
//! on: its keys are in the data folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use chrono::{SecondsFormat, Utc};
use commands::{Actor, Answer, Commands, Handled, RequestContext};
use domain::{
    chain::Chain,
    transaction::Account,
    validator::{self, Registration, Validator},
    values::{Address, Amount, Bps, ChainId, PublicKey, Signature},
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::workload::Sender;
use crate::cli::{
    Failure,
    validator::keygen::{write_key, write_secret},
};

/// The chain's name.
pub const CHAIN: &str = "demo-1";
/// The stake of each validator, in base units.
const BOND: u128 = 10_000_000;
/// The balance of each sender at first, in base units.
const BALANCE: u128 = 1_000_000_000_000;
/// How many accounts send.
const SENDERS: u64 = 64;
/// The most validators a demonstration has.
pub const VALIDATORS_MAX: usize = 16;
/// The validators' names.
const MONIKERS: [&str; VALIDATORS_MAX] = [
    "aurora", "borealis", "corona", "dusk", "ember", "flare", "gleam", "halo", "iris", "jade",
    "kelvin", "lumen", "meteor", "nova", "orbit", "prism",
];

/// What all keys come of.
const SEED_FILE: &str = "seed.hex";
/// The key of an account that nobody uses, for whoever tries things out.
const ACCOUNT_FILE: &str = "account.json";
/// A validator's key.
const KEY_FILE: &str = "priv_validator_key.json";

/// A chain and those who belong to it.
pub struct Network {
    /// The chain.
    pub chain: ChainId,
    /// Those who agree on its blocks.
    pub members: Vec<Member>,
    /// Whether it was started just now.
    pub is_new: bool,
    /// The file with the key of an account that has money and that nobody uses.
    pub account_file: PathBuf,
    senders: Vec<SigningKey>,
    account: SigningKey,
}

/// A validator of ours.
#[derive(Clone)]
pub struct Member {
    /// What people call it.
    pub name: &'static str,
    /// Its key.
    pub key: SigningKey,
    /// Its address.
    pub address: Address,
    /// Where its key and its state are.
    pub folder: PathBuf,
}

impl Member {
    /// The file that holds its key, in CometBFT's form.
    pub fn key_file(&self) -> PathBuf {
        self.folder.join(KEY_FILE)
    }
}

impl Network {
    /// Starts the chain with so many validators, or finds it as an earlier run left it.
    ///
    /// # Errors
    /// The folder cannot be used, its keys are not those of the chain, or a command is refused.
    pub async fn start(
        commands: &Commands,
        actor: &Actor,
        folder: &Path,
        validators: usize,
    ) -> Result<Network, Failure> {
        let chain: ChainId = CHAIN.parse().map_err(Failure::refused)?;
        let newest = commands.newest_stream(&chain).await?;
        let is_new = commands.aggregate::<Chain>(&newest).await?.is_none();
        let seed_file = folder.join(SEED_FILE);
        if !is_new && !seed_file.exists() {
            let folder = folder.display();
            return Err(Failure::refused(format!(
                "{chain} was started before, and its keys are not in {folder}: name the data \
                 folder it was started with (--data), or another database"
            )));
        }
        fs::create_dir_all(folder).map_err(Failure::unreachable)?;
        let seed = seed(&seed_file)?;
        let senders = (0..SENDERS).map(|nth| derived(&seed, "sender", nth)).collect();
        let (account, account_file) = (derived(&seed, "account", 0), folder.join(ACCOUNT_FILE));
        if !account_file.exists() {
            write_key(&account_file, &account)?;
        }
        let places = (0..).map(|nth| folder.join(format!("validator-{}", nth + 1)));
        let count = if is_new { validators } else { VALIDATORS_MAX };
        let places = places.take(count).take_while(|folder| is_new || folder.exists());
        let members = places.zip(MONIKERS).zip(0..);
        let members = members.map(|((folder, name), nth)| {
            let key = derived(&seed, "validator", nth);
            let address = public(&key)?.address();
            fs::create_dir_all(&folder).map_err(Failure::unreachable)?;
            let member = Member { name, key, address, folder };
            if !member.key_file().exists() {
                write_key(&member.key_file(), &member.key)?;
            }
            Ok(member)
        });
        let members: Vec<Member> = members.collect::<Result<_, Failure>>()?;
        let network = Network { chain, members, is_new, account_file, senders, account };
        network.begin(commands, actor).await?;
        Ok(network)
    }

    /// Those who send, each with the number of its next transaction.
    pub async fn senders(&self, commands: &Commands) -> Result<Vec<Sender>, Failure> {
        let ledger = commands.ledger().await?;
        let ledger = ledger.ok_or_else(|| Failure::refused("the chain has not begun"))?;
        let mut senders = Vec::with_capacity(self.senders.len());
        for key in &self.senders {
            let address = public(key)?.address();
            let nonce = ledger.account(address).nonce;
            let account = commands.aggregate::<Account>(&address).await?;
            let waiting = account.iter().flat_map(|(account, _)| account.waiting(nonce));
            let last = waiting.map(|(nonce, _)| nonce.value() + 1).max();
            senders.push(
                Sender::new(key.clone(), last.unwrap_or(nonce.value()))
                    .map_err(Failure::refused)?,
            );
        }
        Ok(senders)
    }

    /// Every step has a name of its own: what an earlier run did is not done again.
    async fn begin(&self, commands: &Commands, actor: &Actor) -> Result<(), Failure> {
        if self.is_new {
            let document = format!("{:#}", self.genesis()?);
            let context = RequestContext::new(actor.clone());
            let begun = commands.initialise_genesis(document, context).await;
            begun.map_err(|error| Failure::refused(error.to_string()))?;
        }
        for member in &self.members {
            let registration = self.registration(member)?;
            for (step, command) in [
                ("register", validator::Command::Register(Box::new(registration))),
                ("activate", validator::Command::Activate {}),
            ] {
                let key = format!("demo/{step}/{}", member.address);
                let context = RequestContext::new(actor.clone()).with_key(&key);
                let done = commands.execute::<Validator>(member.address, command, context).await;
                answered::<Validator>(done)?;
            }
        }
        Ok(())
    }

    fn registration(&self, member: &Member) -> Result<Registration, Failure> {
        let proof = validator::registration_bytes(&self.chain, member.address);
        Ok(Registration {
            bond: Amount::new(BOND),
            chain_id: self.chain.clone(),
            commission_bps: Bps::try_from(500_u16).map_err(Failure::refused)?,
            contact: None,
            moniker: member.name.parse().map_err(Failure::refused)?,
            operator: "demo".parse().map_err(Failure::refused)?,
            proof: Signature::from_bytes(member.key.sign(&proof).to_bytes()),
            public_key: public(&member.key)?,
            reservation: None,
            website: None,
        })
    }

    fn genesis(&self) -> Result<Value, Failure> {
        let mut validators = Vec::with_capacity(self.members.len());
        for member in &self.members {
            let public_key = public(&member.key)?;
            validators.push(json!({
                "address": member.address,
                "name": member.name,
                "power": (BOND / 1_000_000).to_string(),
                "pub_key": { "type": "tendermint/PubKeyEd25519", "value": public_key },
            }));
        }
        let mut accounts = Vec::with_capacity(self.senders.len());
        for key in self.senders.iter().chain([&self.account]) {
            let address = public(key)?.address();
            accounts.push(json!({ "address": address, "balance": BALANCE.to_string() }));
        }
        let supply = BALANCE * accounts.len() as u128 + BOND * self.members.len() as u128;
        Ok(json!({
            "genesis_time": Utc::now().to_rfc3339_opts(SecondsFormat::Micros, true),
            "chain_id": self.chain,
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
                "accounts": accounts,
                // All of them may join in the first epoch.
                "parameters": {
                    "churn_per_epoch_max": { "floor": self.members.len(), "one_in": 50 },
                },
                "supply": supply.to_string(),
            },
        }))
    }
}

fn answered<A: Handled>(answer: Answer<A>) -> Result<(), Failure> {
    answer.map(drop).map_err(|error| Failure::refused(error.to_string()))
}

fn public(key: &SigningKey) -> Result<PublicKey, Failure> {
    PublicKey::from_bytes(key.verifying_key().to_bytes()).map_err(Failure::refused)
}

/// What all keys come of: made once, and kept.
fn seed(file: &Path) -> Result<String, Failure> {
    if !file.exists() {
        let mut bytes = [0; ed25519_dalek::SECRET_KEY_LENGTH];
        getrandom::fill(&mut bytes).map_err(Failure::unreachable)?;
        write_secret(file, &hex::encode(bytes))?;
    }
    fs::read_to_string(file).map_err(Failure::unreachable)
}

/// The n-th key of its kind that comes of a seed.
fn derived(seed: &str, kind: &str, nth: u64) -> SigningKey {
    SigningKey::from_bytes(&Sha256::digest(format!("{seed}/{kind}/{nth}")).into())
}
