//! Calls of CometBFT's RPC: which there are, what they take, and why one cannot be answered.
//!
//! Does not answer them.
