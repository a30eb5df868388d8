//! Who may do what: people and services, what they prove themselves with, and the roles they hold.
//!
//! Does not know a secret: passwords, one-time secrets and keys live in rows of their own, and an
//! event says only that one changed, and the fingerprint of the row that holds from then on.
//!
//! The story. A person is invited ([`principal`]), follows the link and registers; a service is
//! registered by whoever runs it. Roles ([`role`]) are granted to them, by nobody who lacks what a
//! role gives. A person logs in with a password, a one-time code or another's word (OIDC), which
//! starts a session; wrong guesses lock the account, longer each time. Services come with API keys,
//! which carry less than their owner's rights, never more, and expire. Whoever is suspended may
//! come back; whoever is closed may not, and what was personal about them can then be erased by
//! destroying their key.
//!
//! Secrets and fingerprints. Of a stored secret (an Argon2 hash with its salt, a sealed one-time
//! secret, the hash of an API key, of an invitation's or a reset's token) an event holds the
//! SHA-256 of the stored row, salt or nonce included: it ties the row to the decision, so that a
//! row exchanged behind the log's back is noticed and is not used, and gives nothing to guess by.
//!
//! Personal data (a mail address, a name, from where somebody came) is [`crate::values::Personal`]
//! under the person's own key. That two people do not share an address is told by
//! [`crate::values::BlindIndex`].

pub mod principal;
pub mod role;
