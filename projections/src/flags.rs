//! Feature flags: for whom each is on now.
//!
//! Does not know what a flag switches. Whether it is on for somebody is the domain's rule.

mod fold;
mod read;

pub use fold::Flags;
pub use read::{Filter, get, list};

use domain::{
    configuration::{
        Key, Subject,
        flag::{self, Rollout},
    },
    values::{Bps, Label, Moment, Reason},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{columns::decimal, page::Cursor};

/// The projection's name.
pub const NAME: &str = "flags";
/// The list of flags, as its cursors name it.
const LIST: &str = "flags";

/// A feature flag.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = FlagRow)]
pub struct Flag {
    /// Its name.
    pub key: Key,
    /// What it switches.
    pub description: Label,
    /// Whether it is in use.
    pub standing: FlagStanding,
    /// For which part of all it is on.
    pub bps: Bps,
    /// For whom it is on in any case, by name.
    pub targets: Vec<Subject>,
    /// Why it was killed; null while it is in use.
    pub reason: Option<Reason>,
    /// The version of its stream.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When it was created, the last time.
    pub created_at: Moment,
    /// When it changed last.
    pub changed_at: Moment,
}

/// Whether a flag is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FlagStanding {
    /// It is on for some, or for nobody yet.
    Alive,
    /// It is off for everybody.
    Killed,
}

impl FlagStanding {
    /// What a flag may be.
    pub const ALL: [FlagStanding; 2] = [FlagStanding::Alive, FlagStanding::Killed];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            FlagStanding::Alive => "alive",
            FlagStanding::Killed => "killed",
        }
    }
}

impl Flag {
    /// Whether it is on for somebody.
    pub fn is_on(&self, subject: &Subject) -> bool {
        let flag = match self.standing {
            FlagStanding::Alive => flag::Flag::Alive(Rollout {
                bps: self.bps,
                targets: self.targets.iter().cloned().collect(),
            }),
            FlagStanding::Killed => flag::Flag::Killed,
        };
        flag.is_on(&self.key, subject)
    }

    /// Where this row stands in the list.
    pub fn cursor(&self) -> Cursor {
        Cursor::new(LIST, vec![self.key.to_string()])
    }
}
