//! A validator that lies: with its key, a second vote is signed where it has voted already.
//!
//! Does what no validator does by itself: its program remembers what it signed last.

use std::{num::NonZeroU32, time::Duration};

use domain::{
    consensus::HeightStream,
    hashes::Parts,
    values::{Hash, Signature},
    vote::{BlockId, Vote},
};
use ed25519_dalek::Signer as _;
use serde_json::json;
use tracing::{info, warn};

use super::{network::Member, watch::Watch};

/// How long is waited before another vote is doubled, in milliseconds.
const RETRY_MS: u64 = 200;

/// Doubles votes of a member until the record shows it.
pub async fn equivocate(server: String, token: String, member: Member, watch: Watch) {
    let client = reqwest::Client::new();
    let mut votes = watch.votes();
    while !watch.seen().equivocations.contains_key(&member.address) {
        if votes.changed().await.is_err() {
            return;
        }
        let newest = votes.borrow_and_update().clone();
        let Some((at, vote)) = newest.filter(|(_, vote)| vote.validator == member.address) else {
            continue;
        };
        let url = format!("{server}/api/v1/heights/{at}/cast-votes");
        let body = json!({ "votes": [second(&member, &at, &vote)] });
        match client.post(url).bearer_auth(&token).json(&body).send().await {
            Ok(reply) => {
                let status = reply.status();
                info!(name = member.name, height = %at.height, %status, "signed a second vote");
            }
            Err(error) => warn!(%error, "a second vote was not sent"),
        }
        tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
    }
}

/// A vote for another block that nobody made, otherwise the same.
fn second(member: &Member, at: &HeightStream, first: &Vote) -> Vote {
    let made_up = Hash::of(first.signature.to_string().as_bytes());
    let parts = Parts { hash: made_up, total: NonZeroU32::MIN };
    let vote = Vote { block_id: Some(BlockId { hash: made_up, parts }), ..*first };
    let bytes = vote.sign_bytes(&at.chain, at.height);
    Vote { signature: Signature::from_bytes(member.key.sign(&bytes).to_bytes()), ..vote }
}
