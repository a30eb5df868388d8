//! Many signatures judged at once, each by the verdict it would get alone.
//!
//! Does not draw anything at random: the coefficients of a batch come from a hash over all of it,
//! so that nobody can choose signatures that cancel each other out.

use ed25519_zebra::{VerificationKeyBytes, batch::Verifier};
use rand_core::{CryptoRng, Error, RngCore};
use sha2::{Digest, Sha512};

use crate::values::{PublicKey, Signature};

/// From how many signatures on a batch is faster than one after the other.
const BATCH_LEAST: usize = 4;
/// How many signatures are judged at once at most: larger batches gain little, and one invalid
/// signature costs the whole batch.
const BATCH_MOST: usize = 512;

/// A message with a signature that is to be judged.
#[derive(Clone, Debug)]
pub struct Signed {
    /// Whose signature it should be.
    pub key: PublicKey,
    /// The message.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: Signature,
}

impl Signed {
    fn is_valid(&self) -> bool {
        self.key.verify_zip215(&self.message, &self.signature)
    }
}

/// Which of the signatures are valid by ZIP 215, CometBFT's rule for votes and ours for
/// transactions. While all of a batch are, it costs a fraction of judging each by itself; as soon
/// as one is not, each of the batch is judged by itself.
pub fn verify_all(items: &[Signed]) -> Vec<bool> {
    let mut verdicts = Vec::with_capacity(items.len());
    for batch in items.chunks(BATCH_MOST) {
        if batch.len() >= BATCH_LEAST && is_batch_valid(batch) {
            verdicts.resize(verdicts.len() + batch.len(), true);
        } else {
            verdicts.extend(batch.iter().map(Signed::is_valid));
        }
    }
    verdicts
}

/// ZIP 215 multiplies by the cofactor in both cases: a batch of valid signatures is valid, and one
/// with an invalid signature is but with a chance of 2^-128.
fn is_batch_valid(items: &[Signed]) -> bool {
    let mut batch = Verifier::new();
    let mut seed = Sha512::new();
    for item in items {
        let key = VerificationKeyBytes::from(*item.key.as_bytes());
        let signature = ed25519_zebra::Signature::from(*item.signature.as_bytes());
        batch.queue((key, signature, &item.message));
        seed.update(item.key.as_bytes());
        seed.update(item.signature.as_bytes());
        seed.update(Sha512::digest(&item.message));
    }
    batch
        .verify(Coefficients { seed: seed.finalize().into(), block: 0, taken: 64, bytes: [0; 64] })
        .is_ok()
}

/// A stream of bytes that are fixed by the batch: SHA-512 of its hash and a counter.
struct Coefficients {
    seed: [u8; 64],
    block: u64,
    bytes: [u8; 64],
    taken: usize,
}

impl RngCore for Coefficients {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, room: &mut [u8]) {
        for byte in room {
            if self.taken == self.bytes.len() {
                let counter = self.block.to_le_bytes();
                self.bytes =
                    Sha512::new().chain_update(self.seed).chain_update(counter).finalize().into();
                self.block += 1;
                self.taken = 0;
            }
            *byte = self.bytes[self.taken];
            self.taken += 1;
        }
    }

    fn try_fill_bytes(&mut self, room: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(room);
        Ok(())
    }
}

/// Nobody can foresee the bytes without fixing the whole batch first.
impl CryptoRng for Coefficients {}
