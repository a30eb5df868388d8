//! What each field of the roots asks of its caller.
//!
//! Does not know what a field answers. A field that is not in this table answers nobody.

use commands::Permission;

use crate::operations::Access;

/// The table, by the fields' names.
pub const ACCESS: &[(&str, Access)] = &[
    ("node", Access::Public(Permission::ChainRead)),
    ("nodes", Access::Public(Permission::ChainRead)),
    ("chain", Access::Public(Permission::ChainRead)),
    ("chains", Access::Public(Permission::ChainRead)),
    ("header", Access::Public(Permission::ChainRead)),
    ("headers", Access::Public(Permission::ChainRead)),
    ("validator", Access::Public(Permission::ValidatorRead)),
    ("validators", Access::Public(Permission::ValidatorRead)),
    ("validatorSet", Access::Public(Permission::ValidatorRead)),
    ("validatorSets", Access::Public(Permission::ValidatorRead)),
    ("forks", Access::Public(Permission::ChainRead)),
    ("rejections", Access::Public(Permission::ChainRead)),
    ("unbondings", Access::Public(Permission::ValidatorRead)),
    ("performances", Access::Public(Permission::ValidatorRead)),
    ("delegations", Access::Public(Permission::ValidatorRead)),
    ("slashings", Access::Public(Permission::ValidatorRead)),
    ("activity", Access::Public(Permission::ChainRead)),
    ("heartbeats", Access::Public(Permission::NetworkRead)),
    ("transaction", Access::Public(Permission::TxRead)),
    ("transactions", Access::Public(Permission::TxRead)),
    ("mempool", Access::Public(Permission::TxRead)),
    ("mempoolTransactions", Access::Public(Permission::TxRead)),
    ("blockTransactions", Access::Public(Permission::TxRead)),
    ("account", Access::Public(Permission::TxRead)),
    ("accounts", Access::Public(Permission::TxRead)),
    ("anchor", Access::Public(Permission::TxRead)),
    ("anchors", Access::Public(Permission::TxRead)),
    ("block", Access::Public(Permission::BlockRead)),
    ("blocks", Access::Public(Permission::BlockRead)),
    ("finality", Access::Public(Permission::BlockRead)),
    ("consensusHeight", Access::Public(Permission::ConsensusRead)),
    ("consensusHeights", Access::Public(Permission::ConsensusRead)),
    ("leaderboard", Access::Public(Permission::ConsensusRead)),
    ("processes", Access::Public(Permission::MonitorRead)),
    ("processRun", Access::Public(Permission::MonitorRead)),
    ("processRuns", Access::Public(Permission::MonitorRead)),
    ("flag", Access::Needs(Permission::ConfigRead)),
    ("flags", Access::Needs(Permission::ConfigRead)),
    ("principal", Access::Needs(Permission::IdentityRead)),
    ("principals", Access::Needs(Permission::IdentityRead)),
    ("setting", Access::Needs(Permission::ConfigRead)),
    ("settings", Access::Needs(Permission::ConfigRead)),
    ("settingVersions", Access::Needs(Permission::ConfigRead)),
    ("accessRecords", Access::Needs(Permission::IdentityRead)),
    ("roles", Access::Needs(Permission::IdentityRead)),
    ("sessions", Access::Needs(Permission::IdentityRead)),
    ("apiKeys", Access::Needs(Permission::IdentityRead)),
    ("alertRule", Access::Needs(Permission::MonitorRead)),
    ("alertRules", Access::Needs(Permission::MonitorRead)),
    ("alert", Access::Needs(Permission::MonitorRead)),
    ("alerts", Access::Needs(Permission::MonitorRead)),
    ("slo", Access::Needs(Permission::MonitorRead)),
    ("slos", Access::Needs(Permission::MonitorRead)),
    ("audit", Access::Needs(Permission::EventReplay)),
    ("erasureCertificate", Access::Needs(Permission::IdentityRead)),
    ("log", Access::Public(Permission::ChainRead)),
    ("inclusionProof", Access::Needs(Permission::EventProve)),
    ("consistencyProof", Access::Needs(Permission::EventProve)),
    ("receipt", Access::Needs(Permission::EventProve)),
    ("topology", Access::Public(Permission::NetworkRead)),
    ("peer", Access::Public(Permission::NetworkRead)),
    ("peers", Access::Public(Permission::NetworkRead)),
    ("partition", Access::Public(Permission::NetworkRead)),
    ("partitions", Access::Public(Permission::NetworkRead)),
    ("search", Access::Public(Permission::ChainRead)),
    ("event", Access::Needs(Permission::EventRead)),
    ("events", Access::Needs(Permission::EventRead)),
    ("stream", Access::Needs(Permission::EventRead)),
    ("projections", Access::Needs(Permission::ProjectionRead)),
    ("difference", Access::Needs(Permission::EventReplay)),
    ("replay", Access::Needs(Permission::EventReplay)),
    ("replays", Access::Needs(Permission::EventReplay)),
];

/// The same for the subscription root.
pub const SUBSCRIPTIONS: &[(&str, Access)] = &[
    ("events", Access::Needs(Permission::EventRead)),
    ("blockApplied", Access::Public(Permission::BlockRead)),
    ("transactionChanged", Access::Public(Permission::TxRead)),
    ("headerObserved", Access::Public(Permission::ChainRead)),
    ("alertChanged", Access::Needs(Permission::MonitorRead)),
    ("sloChanged", Access::Needs(Permission::MonitorRead)),
    ("settingChanged", Access::Needs(Permission::ConfigRead)),
    ("flagChanged", Access::Needs(Permission::ConfigRead)),
    ("peerChanged", Access::Public(Permission::NetworkRead)),
    ("principalChanged", Access::Needs(Permission::IdentityRead)),
    ("heightChanged", Access::Public(Permission::ConsensusRead)),
    ("validatorChanged", Access::Public(Permission::ValidatorRead)),
];

/// What a field of one of these tables asks.
pub fn access(table: &[(&str, Access)], field: &str) -> Option<Access> {
    table.iter().find(|(name, _)| *name == field).map(|(_, access)| *access)
}
