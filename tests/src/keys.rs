//! Keys for tests: real Ed25519 keys, the same in every run.
//!
//! Does not know what is signed with them, except a registration.

use domain::{
    validator::{self, Command, Registration},
    values::{Address, Amount, Bps, ChainId, PublicKey, Signature},
};
use ed25519_dalek::{Signer, SigningKey};

/// A validator's key.
#[derive(Clone, Debug)]
pub struct ValidatorKey(SigningKey);

impl ValidatorKey {
    /// The n-th key.
    pub fn number(n: u64) -> ValidatorKey {
        let mut seed = [7; 32];
        seed[..8].copy_from_slice(&n.to_be_bytes());
        ValidatorKey(SigningKey::from_bytes(&seed))
    }

    /// The key that signs.
    pub fn signing(&self) -> &SigningKey {
        &self.0
    }

    /// The key that verifies.
    pub fn public(&self) -> PublicKey {
        PublicKey::from_bytes(self.0.verifying_key().to_bytes()).expect("a key of our own is valid")
    }

    /// Its address.
    pub fn address(&self) -> Address {
        self.public().address()
    }

    /// The command that registers it, with a bond of ten units of power.
    pub fn register(&self, chain: &ChainId) -> Command {
        let proof = self.0.sign(&validator::registration_bytes(chain, self.address()));
        Command::Register(Box::new(Registration {
            bond: Amount::new(10_000_000),
            chain_id: chain.clone(),
            commission_bps: Bps::try_from(500_u16).expect("within bounds"),
            contact: None,
            moniker: "test".parse().expect("a moniker"),
            operator: "tests".parse().expect("an operator"),
            proof: Signature::from_bytes(proof.to_bytes()),
            public_key: self.public(),
            reservation: None,
            website: None,
        }))
    }
}
