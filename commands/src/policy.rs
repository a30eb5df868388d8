//! Who may do what: one table, as exhaustive matches.
//!
//! Knows roles and permissions; does not know how an actor proved who it is.

mod role;
mod set;

use domain::{
    block, chain,
    configuration::{flag, setting},
    consensus,
    identity::{principal, role as defined_role},
    monitoring::{alert, rule, slo},
    network::{partition, peer},
    transaction, validator, validator_set,
};

pub use role::Role;
pub use set::PermissionSet;

/// What a command or query asks for. Every one of them names exactly one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Permission {
    /// `validator:read`
    ValidatorRead,
    /// `consensus:read`
    ConsensusRead,
    /// `block:read`
    BlockRead,
    /// `chain:read`
    ChainRead,
    /// `tx:read`
    TxRead,
    /// `network:read`
    NetworkRead,
    /// `tx:submit`
    TxSubmit,
    /// `validator:register`
    ValidatorRegister,
    /// `validator:manage`
    ValidatorManage,
    /// `validator:jail`
    ValidatorJail,
    /// `validator:slash`
    ValidatorSlash,
    /// `consensus:propose`
    ConsensusPropose,
    /// `consensus:vote`
    ConsensusVote,
    /// `consensus:timeout`
    ConsensusTimeout,
    /// `block:manage`
    BlockManage,
    /// `chain:manage`
    ChainManage,
    /// `chain:genesis`
    ChainGenesis,
    /// `chain:snapshot`
    ChainSnapshot,
    /// `chain:prune`
    ChainPrune,
    /// `network:manage`
    NetworkManage,
    /// `network:heartbeat`
    NetworkHeartbeat,
    /// `identity:read`
    IdentityRead,
    /// `identity:invite`
    IdentityInvite,
    /// `identity:manage`
    IdentityManage,
    /// `identity:grant`
    IdentityGrant,
    /// `identity:erase`
    IdentityErase,
    /// `config:read`
    ConfigRead,
    /// `config:propose`
    ConfigPropose,
    /// `config:approve`
    ConfigApprove,
    /// `config:rollback`
    ConfigRollback,
    /// `monitor:read`
    MonitorRead,
    /// `monitor:manage`
    MonitorManage,
    /// `monitor:ack`
    MonitorAck,
    /// `event:read`
    EventRead,
    /// `event:prove`
    EventProve,
    /// `event:replay`
    EventReplay,
    /// `event:export`
    EventExport,
    /// `projection:read`
    ProjectionRead,
    /// `projection:manage`
    ProjectionManage,
}

impl Permission {
    /// Every permission, in the order of the table.
    pub const ALL: &'static [Permission] = &[
        Permission::ValidatorRead,
        Permission::ConsensusRead,
        Permission::BlockRead,
        Permission::ChainRead,
        Permission::TxRead,
        Permission::NetworkRead,
        Permission::TxSubmit,
        Permission::ValidatorRegister,
        Permission::ValidatorManage,
        Permission::ValidatorJail,
        Permission::ValidatorSlash,
        Permission::ConsensusPropose,
        Permission::ConsensusVote,
        Permission::ConsensusTimeout,
        Permission::BlockManage,
        Permission::ChainManage,
        Permission::ChainGenesis,
        Permission::ChainSnapshot,
        Permission::ChainPrune,
        Permission::NetworkManage,
        Permission::NetworkHeartbeat,
        Permission::IdentityRead,
        Permission::IdentityInvite,
        Permission::IdentityManage,
        Permission::IdentityGrant,
        Permission::IdentityErase,
        Permission::ConfigRead,
        Permission::ConfigPropose,
        Permission::ConfigApprove,
        Permission::ConfigRollback,
        Permission::MonitorRead,
        Permission::MonitorManage,
        Permission::MonitorAck,
        Permission::EventRead,
        Permission::EventProve,
        Permission::EventReplay,
        Permission::EventExport,
        Permission::ProjectionRead,
        Permission::ProjectionManage,
    ];

    /// The name in the API and in refusals: `<context>:<action>`.
    pub fn as_str(self) -> &'static str {
        match self {
            Permission::ValidatorRead => "validator:read",
            Permission::ConsensusRead => "consensus:read",
            Permission::BlockRead => "block:read",
            Permission::ChainRead => "chain:read",
            Permission::TxRead => "tx:read",
            Permission::NetworkRead => "network:read",
            Permission::TxSubmit => "tx:submit",
            Permission::ValidatorRegister => "validator:register",
            Permission::ValidatorManage => "validator:manage",
            Permission::ValidatorJail => "validator:jail",
            Permission::ValidatorSlash => "validator:slash",
            Permission::ConsensusPropose => "consensus:propose",
            Permission::ConsensusVote => "consensus:vote",
            Permission::ConsensusTimeout => "consensus:timeout",
            Permission::BlockManage => "block:manage",
            Permission::ChainManage => "chain:manage",
            Permission::ChainGenesis => "chain:genesis",
            Permission::ChainSnapshot => "chain:snapshot",
            Permission::ChainPrune => "chain:prune",
            Permission::NetworkManage => "network:manage",
            Permission::NetworkHeartbeat => "network:heartbeat",
            Permission::IdentityRead => "identity:read",
            Permission::IdentityInvite => "identity:invite",
            Permission::IdentityManage => "identity:manage",
            Permission::IdentityGrant => "identity:grant",
            Permission::IdentityErase => "identity:erase",
            Permission::ConfigRead => "config:read",
            Permission::ConfigPropose => "config:propose",
            Permission::ConfigApprove => "config:approve",
            Permission::ConfigRollback => "config:rollback",
            Permission::MonitorRead => "monitor:read",
            Permission::MonitorManage => "monitor:manage",
            Permission::MonitorAck => "monitor:ack",
            Permission::EventRead => "event:read",
            Permission::EventProve => "event:prove",
            Permission::EventReplay => "event:replay",
            Permission::EventExport => "event:export",
            Permission::ProjectionRead => "projection:read",
            Permission::ProjectionManage => "projection:manage",
        }
    }

    /// The permission of a name.
    pub fn named(name: &str) -> Option<Permission> {
        Permission::ALL.iter().copied().find(|permission| permission.as_str() == name)
    }

    /// The roles that hold it.
    pub fn holders(self) -> &'static [Role] {
        use Role::{Admin, Auditor, Operator, SuperAdmin, Validator, Viewer};
        match self {
            Permission::ValidatorRead
            | Permission::ConsensusRead
            | Permission::BlockRead
            | Permission::ChainRead
            | Permission::TxRead
            | Permission::NetworkRead
            | Permission::ConfigRead
            | Permission::MonitorRead => &[SuperAdmin, Admin, Operator, Auditor, Validator, Viewer],
            Permission::TxSubmit
            | Permission::ValidatorRegister
            | Permission::ValidatorManage
            | Permission::NetworkHeartbeat => &[SuperAdmin, Admin, Operator, Validator],
            Permission::ValidatorJail
            | Permission::ValidatorSlash
            | Permission::BlockManage
            | Permission::ChainManage
            | Permission::ChainGenesis
            | Permission::ChainSnapshot
            | Permission::ChainPrune
            | Permission::IdentityInvite
            | Permission::IdentityManage
            | Permission::ConfigApprove
            | Permission::ConfigRollback
            | Permission::ProjectionManage => &[SuperAdmin, Admin],
            Permission::ConsensusPropose | Permission::ConsensusVote => &[Validator],
            Permission::ConsensusTimeout => &[SuperAdmin, Admin, Validator],
            Permission::NetworkManage
            | Permission::ConfigPropose
            | Permission::MonitorManage
            | Permission::MonitorAck => &[SuperAdmin, Admin, Operator],
            Permission::IdentityRead | Permission::EventReplay | Permission::EventExport => {
                &[SuperAdmin, Admin, Auditor]
            }
            Permission::IdentityGrant | Permission::IdentityErase => &[SuperAdmin],
            Permission::EventRead | Permission::EventProve | Permission::ProjectionRead => {
                &[SuperAdmin, Admin, Operator, Auditor]
            }
        }
    }
}

/// What a command to a validator asks for.
pub fn validator(command: &validator::Command) -> Permission {
    use validator::Command;
    match command {
        Command::Register(_) | Command::RequestRegistration(_) => Permission::ValidatorRegister,
        // What was asked for is completed or undone by its process.
        Command::FailRegistration { .. } | Command::Deregister {} => Permission::ChainManage,
        Command::Activate {}
        | Command::UpdateProfile { .. }
        | Command::SetCommission { .. }
        | Command::Bond { .. }
        | Command::Unbond { .. }
        | Command::Delegate { .. }
        | Command::Undelegate { .. }
        | Command::CompleteUnbonding { .. }
        | Command::Unjail {}
        | Command::InitiateExit {}
        | Command::CompleteExit {} => Permission::ValidatorManage,
        // Duties decide over reputation and jail: whoever is judged must not keep the score.
        Command::RecordPerformance { .. } | Command::Jail { .. } => Permission::ValidatorJail,
        Command::Slash { .. } => Permission::ValidatorSlash,
    }
}

/// What a command to a validator set asks for.
pub fn validator_set(command: &validator_set::Command) -> Permission {
    use validator_set::Command;
    match command {
        Command::Rotate { .. } => Permission::ChainManage,
    }
}

/// What a command to a chain asks for.
pub fn chain(command: &chain::Command) -> Permission {
    use chain::Command;
    match command {
        Command::InitialiseGenesis { .. } => Permission::ChainGenesis,
        Command::StartObservation { .. }
        | Command::ObserveHeader { .. }
        | Command::CloseEpoch { .. }
        | Command::OpenEpoch {}
        | Command::ReportFork { .. }
        | Command::ResolveFork { .. }
        | Command::ApplyBlock { .. }
        | Command::ScheduleParameters {} => Permission::ChainManage,
        Command::CreateSnapshot { .. } => Permission::ChainSnapshot,
        Command::PruneBefore { .. } => Permission::ChainPrune,
    }
}

/// What a command to an account asks for.
pub fn account(command: &transaction::Command) -> Permission {
    use transaction::Command;
    match command {
        Command::Submit { .. } => Permission::TxSubmit,
        // Whoever could evict at will could keep others' transactions out.
        Command::Evict { .. } => Permission::ChainManage,
        Command::Reserve { .. } | Command::Release { .. } => Permission::ValidatorRegister,
    }
}

/// What a command to a block asks for.
pub fn block(command: &block::Command) -> Permission {
    use block::Command;
    match command {
        // The verdict is the record's own: who may propose may ask for it.
        Command::Propose(_) | Command::Validate {} => Permission::ConsensusPropose,
        Command::Finalize { .. } | Command::Abandon { .. } => Permission::BlockManage,
    }
}

/// What a command to a height asks for.
pub fn consensus(command: &consensus::Command) -> Permission {
    use consensus::Command;
    match command {
        Command::StartHeight {} => Permission::ChainManage,
        Command::Propose(_) => Permission::ConsensusPropose,
        Command::CastVote(_) | Command::CastVotes { .. } | Command::SubmitEvidence { .. } => {
            Permission::ConsensusVote
        }
        Command::TimeoutRound { .. } => Permission::ConsensusTimeout,
    }
}

/// What a command to a principal asks for. What a person does to itself (logging in, its password,
/// its second factor) is done for it by the program, once it has proved who it is.
pub fn principal(command: &principal::Command) -> Permission {
    use principal::Command;
    match command {
        Command::Invite { .. } => Permission::IdentityInvite,
        Command::GrantRole { .. } | Command::RevokeRole { .. } => Permission::IdentityGrant,
        Command::LiftLegalHold { .. }
        | Command::ErasePersonalData { .. }
        | Command::ConfirmKeyDestroyed { .. } => Permission::IdentityErase,
        Command::Register { .. }
        | Command::VerifyEmail { .. }
        | Command::ChangePassword { .. }
        | Command::RequestPasswordReset { .. }
        | Command::ResetPassword { .. }
        | Command::Suspend { .. }
        | Command::Reactivate {}
        | Command::Close { .. }
        | Command::LayLegalHold { .. }
        | Command::RecordLoginFailure { .. }
        | Command::Unlock {}
        | Command::StartSession { .. }
        | Command::RevokeSession { .. }
        | Command::RevokeAllSessions { .. }
        | Command::RecordRefreshReuse { .. }
        | Command::EnrolMfa { .. }
        | Command::RemoveMfa { .. }
        | Command::IssueApiKey { .. }
        | Command::RevokeApiKey { .. }
        | Command::LinkOidc { .. } => Permission::IdentityManage,
    }
}

/// What a command to a role asks for.
pub fn role(command: &defined_role::Command) -> Permission {
    match command {
        defined_role::Command::Define { .. } | defined_role::Command::Retire {} => {
            Permission::IdentityGrant
        }
    }
}

/// What a command to a flag asks for. A rollout is in force at once: it asks for as much as an
/// approval. Whoever may propose may switch one off.
pub fn flag(command: &flag::Command) -> Permission {
    use flag::Command;
    match command {
        Command::CreateFlag { .. } | Command::Kill { .. } => Permission::ConfigPropose,
        Command::SetRollout { .. } => Permission::ConfigApprove,
    }
}

/// What a command to a setting asks for. An approved proposal is applied by whoever may approve.
pub fn setting(command: &setting::Command) -> Permission {
    use setting::Command;
    match command {
        // Whoever may propose may take it back.
        Command::Propose { .. } | Command::Reject { .. } => Permission::ConfigPropose,
        Command::Approve { .. } | Command::Apply { .. } => Permission::ConfigApprove,
        Command::Rollback { .. } => Permission::ConfigRollback,
    }
}

/// What a command to a rule asks for.
pub fn rule(command: &rule::Command) -> Permission {
    use rule::Command;
    match command {
        Command::DefineRule(_) | Command::EnableRule {} | Command::DisableRule { .. } => {
            Permission::MonitorManage
        }
    }
}

/// What a command to an alert asks for.
pub fn alert(command: &alert::Command) -> Permission {
    use alert::Command;
    match command {
        Command::Fire { .. } => Permission::MonitorManage,
        Command::Acknowledge { .. } | Command::Silence { .. } | Command::Resolve { .. } => {
            Permission::MonitorAck
        }
    }
}

/// What a command to an objective asks for.
pub fn slo(command: &slo::Command) -> Permission {
    use slo::Command;
    match command {
        Command::DefineSlo(_) | Command::RecordSloState { .. } => Permission::MonitorManage,
    }
}

/// What a command to a peer asks for. A node says of itself that it is there; who keeps it out
/// manages the network.
pub fn peer(command: &peer::Command) -> Permission {
    use peer::Command;
    match command {
        Command::Announce { .. } | Command::Connect {} | Command::Disconnect { .. } => {
            Permission::NetworkHeartbeat
        }
        Command::Ban { .. } | Command::Unban {} => Permission::NetworkManage,
    }
}

/// What a command to a chain's partitions asks for.
pub fn partition(command: &partition::Command) -> Permission {
    use partition::Command;
    match command {
        Command::ReportPartition { .. } | Command::HealPartition {} => Permission::NetworkManage,
    }
}
