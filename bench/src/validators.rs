//! Validators to write to: registered with real keys and proofs, through the write wing.
//!
//! Does not know what is measured with them.

use commands::{Actor, Commands, CommandsOptions, RequestContext, Role};
use domain::{
    validator::{self, Command, Registration, Validator},
    values::{Address, Amount, Bps, ChainId, PublicKey, Signature},
};
use ed25519_dalek::{Signer, SigningKey};
use event_store::{EventStore, StoreOptions};

use crate::Outcome;

/// Registrations handed over at once.
const TOGETHER: usize = 1_000;

/// A write wing of this process on a database.
pub async fn wing(url: &str) -> Outcome<Commands> {
    let store = EventStore::open(StoreOptions::new(url)).await?;
    Ok(Commands::new(store, CommandsOptions::default()))
}

/// Who writes in benchmarks.
pub fn context() -> RequestContext {
    RequestContext::new(Actor::new("bench", Role::SuperAdmin))
}

/// Registers `count` validators of one chain; their addresses.
pub async fn register(commands: &Commands, count: usize) -> Outcome<Vec<Address>> {
    let chain: ChainId = "bench-1".parse()?;
    let mut addresses = Vec::with_capacity(count);
    let mut items = Vec::with_capacity(TOGETHER);
    for n in 0..count {
        let (address, command) = registration(&chain, n as u64)?;
        addresses.push(address);
        items.push((address, command, context()));
        if items.len() == TOGETHER || n + 1 == count {
            for answer in commands.execute_all::<Validator>(std::mem::take(&mut items)).await {
                answer?;
            }
        }
    }
    Ok(addresses)
}

fn registration(chain: &ChainId, n: u64) -> Outcome<(Address, Command)> {
    let mut seed = [11; 32];
    seed[..8].copy_from_slice(&n.to_be_bytes());
    let key = SigningKey::from_bytes(&seed);
    let public_key = PublicKey::from_bytes(key.verifying_key().to_bytes())?;
    let address = public_key.address();
    let proof = key.sign(&validator::registration_bytes(chain, address));
    let registration = Registration {
        bond: Amount::new(10_000_000),
        chain_id: chain.clone(),
        commission_bps: Bps::try_from(500_u16)?,
        contact: None,
        moniker: format!("validator {n}").parse()?,
        operator: "bench".parse()?,
        proof: Signature::from_bytes(proof.to_bytes()),
        public_key,
        reservation: None,
        website: None,
    };
    Ok((address, Command::Register(Box::new(registration))))
}
