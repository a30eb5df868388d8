//! What settings and flags must know beyond their own history.
//!
//! Does not decide anything.

use domain::configuration::{
    Key,
    flag::{self, Flag},
};
use event_store::StoreError;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    policy::{self, Permission},
    request::RequestContext,
};

impl Handled for Flag {
    fn permission(command: &flag::Command) -> Permission {
        policy::flag(command)
    }

    async fn prepare(
        _: &Commands,
        key: &Key,
        _: &Flag,
        _: &flag::Command,
        _: &RequestContext,
    ) -> Result<flag::Known, StoreError> {
        Ok(flag::Known { key: key.clone() })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Flag> {
        &rooms.flags
    }
}
