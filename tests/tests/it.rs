//! Everything we promise, in one program: the stories are in the modules.
//!
//! Does not know how the database got here: run through `make test`.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]
#![allow(clippy::cmp_owned, reason = "JSON tells the text \"7\" from the number 7")]

mod again;
mod architecture;
mod archived;
mod cluster;
mod commands;
mod completeness;
mod contract;
mod crash;
mod crowd;
mod demo;
mod evidence;
mod finality;
mod full;
mod given_up;
mod guide;
mod identity;
mod journeys;
mod judges;
mod promises;
mod replica;
mod roof;
mod sealing;
mod serving;
mod tools;
mod validators;
