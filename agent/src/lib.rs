//! A validator's own mind: what it says at a height, from what it reads in the record.
//!
//! Knows no network, no clock, no storage and no key: what it reads, when it is, and what it signed
//! last are handed in; what it wants to sign, to wait for and to have built is handed out.

pub mod rounds;
