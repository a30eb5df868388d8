//! Everything we promise, in one program: the stories are in the modules.
//!
//! Does not know how the database got here: run through `make test`.

mod architecture;
mod cluster;
mod commands;
mod contract;
mod crash;
mod journeys;
mod promises;
mod roof;
mod serving;
mod tools;
