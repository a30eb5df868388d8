//! Persisted documents: a client that sent a document once may name it by its hash (Automatic
//! Persisted Queries, as Apollo and urql speak it, version 1).
//!
//! Does not know what a document asks. Each server keeps its own: one that is not known here is
//! sent again in full.

use std::sync::Arc;

use moka::sync::Cache;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::problem::{Kind, Problem};

/// How many bytes of documents are kept together.
const KEPT_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The longest document that is kept, in bytes.
const DOCUMENT_BYTES_MAX: usize = 64 * 1024;
/// The version of the protocol.
const VERSION: u64 = 1;

/// The documents that are known by their hash.
pub struct Documents(Cache<String, Arc<str>>);

impl Default for Documents {
    fn default() -> Documents {
        let bytes =
            |_: &String, document: &Arc<str>| u32::try_from(document.len()).unwrap_or(u32::MAX);
        Documents(Cache::builder().max_capacity(KEPT_BYTES_MAX).weigher(bytes).build())
    }
}

impl Documents {
    /// The document that a request means: its own, or the one it names by its hash.
    pub fn meant(&self, query: Option<String>, extensions: &Value) -> Result<String, Problem> {
        let persisted = &extensions["persistedQuery"];
        let hash = persisted["sha256Hash"].as_str().map(str::to_ascii_lowercase);
        let (Some(hash), true) = (hash, persisted["version"] == VERSION) else {
            return query.ok_or_else(|| Problem::new(Kind::Malformed, "query is missing"));
        };
        match query {
            None => {
                let known = self.0.get(&hash).map(|document| document.to_string());
                known.ok_or_else(|| {
                    // Both words are the protocol's: clients look for them.
                    Problem::new(Kind::InvalidQuery, "PersistedQueryNotFound")
                        .with("code", "PERSISTED_QUERY_NOT_FOUND")
                })
            }
            Some(query) if hex::encode(Sha256::digest(&query)) == hash => {
                if query.len() <= DOCUMENT_BYTES_MAX {
                    self.0.insert(hash, Arc::from(query.as_str()));
                }
                Ok(query)
            }
            Some(_) => {
                let detail = "sha256Hash is not the SHA-256 of the query, in hex";
                Err(Problem::new(Kind::InvalidQuery, detail))
            }
        }
    }
}
