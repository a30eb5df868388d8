//! What a subscription tells each time: the event, and what it is about as it is now.
//!
//! Does not know how that is followed.

use async_graphql::SimpleObject;
use projections::{alerts, peers, slos};

use crate::{
    graphql::{
        scalars::Position,
        shapes::Told,
        types::{
            blocks::{Block, ConsensusHeight},
            flags::Flag,
            headers::Header,
            transactions::Transaction,
            validators::Validator,
        },
    },
    identity::listing::PrincipalView,
    rest::settings::View as SettingView,
};

/// Something happened to a validator.
#[derive(SimpleObject)]
pub struct ValidatorChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The validator as it is now, the change included.
    pub validator: Option<Validator>,
}

/// A header was verified and recorded.
#[derive(SimpleObject)]
pub struct ObservedHeader {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The header as it is now.
    pub header: Option<Header>,
}

/// A block of our own chain was executed.
#[derive(SimpleObject)]
pub struct AppliedBlock {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The block as it is now.
    pub block: Option<Block>,
}

/// Something happened to a transaction before it was final.
#[derive(SimpleObject)]
pub struct TransactionChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The transaction as it is now, the change included.
    pub transaction: Option<Transaction>,
}

/// Something happened to an alert.
#[derive(SimpleObject)]
pub struct AlertChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The alert as it is now, the change included.
    pub alert: Option<Told<alerts::Alert>>,
}

/// Something happened to an objective.
#[derive(SimpleObject)]
pub struct SloChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The objective as it is now, the change included.
    pub slo: Option<Told<slos::Slo>>,
}

/// Something happened to a setting.
#[derive(SimpleObject)]
pub struct SettingChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The setting as it is now, the change included.
    pub setting: Option<Told<SettingView>>,
}

/// Something happened to a feature flag.
#[derive(SimpleObject)]
pub struct FlagChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The flag as it is now, the change included.
    pub flag: Option<Flag>,
}

/// Something happened to a node.
#[derive(SimpleObject)]
pub struct PeerChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The node as it is now, the change included.
    pub peer: Option<Told<peers::Peer>>,
}

/// Something happened to a person or a service.
#[derive(SimpleObject)]
pub struct PrincipalChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// What it is now, the change included.
    pub principal: Option<Told<PrincipalView>>,
}

/// Something was said at a height of our own chain.
#[derive(SimpleObject)]
pub struct HeightChange {
    /// The position of the event: follow `after` it to go on.
    pub position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    pub event_type: String,
    /// The height as it is now, the change included.
    pub height: Option<ConsensusHeight>,
}
