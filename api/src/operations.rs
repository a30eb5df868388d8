//! The table of operations: every way in, with its path and what it asks of who comes.
//!
//! Does not know what an operation does. Whatever is not in this table is not reachable.

use commands::Permission;

/// What an operation asks of its caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Health, documents, contracts: anybody, and nothing to permit.
    Open,
    /// A read that names its permission but is granted to everybody.
    Public(Permission),
    /// Whoever shows who they are, about themselves.
    SignedIn,
    /// Only whose role holds the permission.
    Needs(Permission),
    /// A command: its own permission, by its name (see [`crate::submit`]).
    Command,
    /// GraphQL: each field has its own access (see [`crate::graphql::access`]).
    Fields,
}

/// What an operation is for, as limits tell it from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Health: answered whatever happens.
    Vital,
    /// What validators agree by.
    Consensus,
    /// Anything else that changes something.
    Command,
    /// Anything that only asks.
    Query,
    /// Proving who one is.
    SignIn,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 5] =
        [Class::Vital, Class::Consensus, Class::Command, Class::Query, Class::SignIn];

    /// Its name in replies.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Vital => "vital",
            Class::Consensus => "consensus",
            Class::Command => "command",
            Class::Query => "query",
            Class::SignIn => "sign-in",
        }
    }
}

/// The methods of the surface. `HEAD` is a `GET` without its body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// Asks.
    Get,
    /// Commands, or asks with a body.
    Post,
}

impl Verb {
    /// As in a request.
    pub const fn as_str(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
        }
    }
}

/// Which media types an operation's reply has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// `application/json`.
    Json,
    /// GraphQL negotiates by itself.
    GraphQl,
    /// `text/event-stream`, for as long as the client listens.
    Events,
    /// Whatever the file is.
    Any,
}

/// Every operation of the surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
#[expect(missing_docs, reason = "each is described by its entry and in the API contract")]
pub enum Operation {
    Index,
    Live,
    Ready,
    Metrics,
    Version,
    OpenApi,
    Docs,
    DocsFolder,
    DocsFile,
    GraphiQl,
    GraphiQlFolder,
    GraphiQlFile,
    ListProblems,
    GetProblem,
    GraphQlGet,
    GraphQlPost,
    GraphQlStreamGet,
    GraphQlStreamPost,
    GraphQlSchema,
    Batch,
    ListChains,
    InitialiseGenesis,
    GetChain,
    CommandChain,
    ListHeaders,
    GetHeader,
    ListForks,
    ListRejections,
    GetHeaderByHash,
    GetLightBlock,
    CallRpc,
    AskRpc,
    ListValidators,
    RegisterValidator,
    GetValidator,
    CommandValidator,
    TakeHeartbeat,
    ListHeartbeats,
    ListValidatorDelegations,
    ListValidatorSlashings,
    ListValidatorReputation,
    ListValidatorPerformances,
    ListValidatorUnbondings,
    GetValidatorSet,
    GetValidatorSetOfEpoch,
    ListValidatorSets,
    CommandValidatorSet,
    SubmitTransactions,
    ListTransactions,
    GetTransaction,
    GetMempool,
    ListMempool,
    ListAccounts,
    GetAccount,
    ListAccountTransactions,
    CommandAccount,
    ListAnchors,
    GetAnchor,
    ProposeBlock,
    ListBlocks,
    GetBlock,
    ListBlockTransactions,
    CommandBlock,
    GetBlockAtHeight,
    GetFinality,
    ListHeights,
    GetLeaderboard,
    GetHeight,
    CommandHeight,
    Search,
    ListDelegations,
    ListUnbondings,
    ListSlashings,
    ListActivity,
    ListEvents,
    FollowEvents,
    FollowConsensus,
    GetBlob,
    GetEvent,
    ReadStream,
    GetDifference,
    GetCheckpoint,
    GetTile,
    GetEntries,
    GetLog,
    ProveInclusion,
    ProveConsistency,
    GetReceipt,
    GetAudit,
    ListProcesses,
    GetProcess,
    ListProcessRuns,
    GetProcessRun,
    ResumeProcess,
    ListProjections,
    RebuildProjection,
    ListReplays,
    BuildReplay,
    GetReplay,
    CancelReplay,
    SetUp,
    Login,
    Refresh,
    Logout,
    LogoutEverywhere,
    BrowserLogin,
    BrowserRefresh,
    BrowserLogout,
    OidcBegin,
    OidcCallback,
    OidcLink,
    OidcRegister,
    Myself,
    ListOwnSessions,
    RevokeOwnSession,
    Register,
    ChangePassword,
    RequestPasswordReset,
    ResetPassword,
    RequestEmailVerification,
    VerifyEmail,
    BeginSecondFactor,
    EnrolSecondFactor,
    RemoveSecondFactor,
    ListPrincipals,
    InvitePrincipal,
    GetPrincipal,
    GetErasureCertificate,
    ListSessions,
    ListApiKeys,
    CommandPrincipal,
    ListAccessRecords,
    ListRoles,
    CommandRole,
    ListFlags,
    GetFlag,
    EvaluateFlag,
    CommandFlag,
    TakeAlerts,
    GetNoticeKey,
    ListSettings,
    GetSetting,
    ListSettingVersions,
    CommandSetting,
    ListAlertRules,
    GetAlertRule,
    CommandAlertRule,
    ListAlerts,
    GetAlert,
    CommandAlert,
    ListSlos,
    GetSlo,
    CommandSlo,
    GetTopology,
    ListPeers,
    GetPeer,
    CommandPeer,
    ListPartitions,
    GetPartition,
    CommandPartition,
    SetUpService,
    IssueApiKey,
    IssueOwnApiKey,
    KeySet,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// The operation.
    pub operation: Operation,
    /// Its id in the API contract and in metrics.
    pub id: &'static str,
    /// The method.
    pub method: Verb,
    /// The path with its parameters.
    pub path: &'static str,
    /// What it asks of its caller.
    pub access: Access,
    /// The form of its reply.
    pub form: Form,
}

/// The table, in the order of [`Operation`].
pub const TABLE: &[Entry] = &[
    file(Operation::Index, "index", "/"),
    get(Operation::Live, "live", "/livez", Access::Open),
    get(Operation::Ready, "ready", "/readyz", Access::Open),
    file(Operation::Metrics, "metrics", "/metrics"),
    get(Operation::Version, "version", "/version", Access::Open),
    get(Operation::OpenApi, "openapi", "/api/openapi.json", Access::Open),
    file(Operation::Docs, "docs", "/docs"),
    file(Operation::DocsFolder, "docs-folder", "/docs/"),
    file(Operation::DocsFile, "docs-file", "/docs/{*file}"),
    file(Operation::GraphiQl, "graphiql", "/graphiql"),
    file(Operation::GraphiQlFolder, "graphiql-folder", "/graphiql/"),
    file(Operation::GraphiQlFile, "graphiql-file", "/graphiql/{*file}"),
    get(Operation::ListProblems, "list-problems", "/problems", Access::Open),
    get(Operation::GetProblem, "get-problem", "/problems/{slug}", Access::Open),
    get(Operation::GraphQlGet, "graphql-get", "/graphql", Access::Fields),
    post(Operation::GraphQlPost, "graphql-post", "/graphql", Access::Fields),
    get(Operation::GraphQlStreamGet, "graphql-stream-get", "/graphql/stream", Access::Fields),
    post(Operation::GraphQlStreamPost, "graphql-stream-post", "/graphql/stream", Access::Fields),
    file(Operation::GraphQlSchema, "graphql-schema", "/graphql/schema.graphql"),
    post(Operation::Batch, "batch", "/api/v1/batches", Access::Command),
    get(
        Operation::ListChains,
        "list-chains",
        "/api/v1/chains",
        Access::Public(Permission::ChainRead),
    ),
    post(Operation::InitialiseGenesis, "initialise-genesis", "/api/v1/chains", Access::Command),
    get(
        Operation::GetChain,
        "get-chain",
        "/api/v1/chains/{chain}",
        Access::Public(Permission::ChainRead),
    ),
    post(
        Operation::CommandChain,
        "command-chain",
        "/api/v1/chains/{chain}/{command}",
        Access::Command,
    ),
    get(
        Operation::ListHeaders,
        "list-headers",
        "/api/v1/chains/{chain}/headers",
        Access::Public(Permission::ChainRead),
    ),
    get(
        Operation::GetHeader,
        "get-header",
        "/api/v1/chains/{chain}/headers/{height}",
        Access::Public(Permission::ChainRead),
    ),
    get(
        Operation::ListForks,
        "list-forks",
        "/api/v1/chains/{chain}/forks",
        Access::Public(Permission::ChainRead),
    ),
    get(
        Operation::ListRejections,
        "list-rejections",
        "/api/v1/chains/{chain}/rejections",
        Access::Public(Permission::ChainRead),
    ),
    get(
        Operation::GetHeaderByHash,
        "get-header-by-hash",
        "/api/v1/headers/{hash}",
        Access::Public(Permission::ChainRead),
    ),
    get(
        Operation::GetLightBlock,
        "get-light-block",
        "/api/v1/chains/{chain}/light-blocks/{height}",
        Access::Public(Permission::ChainRead),
    ),
    post(Operation::CallRpc, "call-rpc", "/rpc", Access::Public(Permission::ChainRead)),
    get(Operation::AskRpc, "ask-rpc", "/rpc/{method}", Access::Public(Permission::ChainRead)),
    get(
        Operation::ListValidators,
        "list-validators",
        "/api/v1/validators",
        Access::Public(Permission::ValidatorRead),
    ),
    post(Operation::RegisterValidator, "register-validator", "/api/v1/validators", Access::Command),
    get(
        Operation::GetValidator,
        "get-validator",
        "/api/v1/validators/{address}",
        Access::Public(Permission::ValidatorRead),
    ),
    post(
        Operation::CommandValidator,
        "command-validator",
        "/api/v1/validators/{address}/{command}",
        Access::Command,
    ),
    post(
        Operation::TakeHeartbeat,
        "take-heartbeat",
        "/api/v1/validators/{address}/heartbeat",
        Access::Needs(Permission::NetworkHeartbeat),
    ),
    get(
        Operation::ListHeartbeats,
        "list-heartbeats",
        "/api/v1/heartbeats",
        Access::Public(Permission::NetworkRead),
    ),
    get(
        Operation::ListValidatorDelegations,
        "list-validator-delegations",
        "/api/v1/validators/{address}/delegations",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListValidatorSlashings,
        "list-validator-slashings",
        "/api/v1/validators/{address}/slashings",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListValidatorReputation,
        "list-validator-reputation",
        "/api/v1/validators/{address}/reputation",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListValidatorPerformances,
        "list-validator-performances",
        "/api/v1/validators/{address}/performances",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListValidatorUnbondings,
        "list-validator-unbondings",
        "/api/v1/validators/{address}/unbondings",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::GetValidatorSet,
        "get-validator-set",
        "/api/v1/validator-sets/{chain}",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::GetValidatorSetOfEpoch,
        "get-validator-set-of-epoch",
        "/api/v1/validator-sets/{chain}/epochs/{epoch}",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListValidatorSets,
        "list-validator-sets",
        "/api/v1/validator-sets/{chain}/epochs",
        Access::Public(Permission::ValidatorRead),
    ),
    post(
        Operation::CommandValidatorSet,
        "command-validator-set",
        "/api/v1/validator-sets/{chain}/{command}",
        Access::Command,
    ),
    post(
        Operation::SubmitTransactions,
        "submit-transactions",
        "/api/v1/transactions",
        Access::Needs(Permission::TxSubmit),
    ),
    get(
        Operation::ListTransactions,
        "list-transactions",
        "/api/v1/transactions",
        Access::Public(Permission::TxRead),
    ),
    get(
        Operation::GetTransaction,
        "get-transaction",
        "/api/v1/transactions/{hash}",
        Access::Public(Permission::TxRead),
    ),
    get(
        Operation::GetMempool,
        "get-mempool",
        "/api/v1/mempool",
        Access::Public(Permission::TxRead),
    ),
    get(
        Operation::ListMempool,
        "list-mempool",
        "/api/v1/mempool/transactions",
        Access::Public(Permission::TxRead),
    ),
    get(
        Operation::ListAccounts,
        "list-accounts",
        "/api/v1/accounts",
        Access::Public(Permission::TxRead),
    ),
    get(
        Operation::GetAccount,
        "get-account",
        "/api/v1/accounts/{address}",
        Access::Public(Permission::TxRead),
    ),
    get(
        Operation::ListAccountTransactions,
        "list-account-transactions",
        "/api/v1/accounts/{address}/transactions",
        Access::Public(Permission::TxRead),
    ),
    post(
        Operation::CommandAccount,
        "command-account",
        "/api/v1/accounts/{address}/{command}",
        Access::Command,
    ),
    get(
        Operation::ListAnchors,
        "list-anchors",
        "/api/v1/anchors",
        Access::Public(Permission::TxRead),
    ),
    get(
        Operation::GetAnchor,
        "get-anchor",
        "/api/v1/anchors/{digest}",
        Access::Public(Permission::TxRead),
    ),
    post(Operation::ProposeBlock, "propose-block", "/api/v1/blocks", Access::Command),
    get(
        Operation::ListBlocks,
        "list-blocks",
        "/api/v1/blocks",
        Access::Public(Permission::BlockRead),
    ),
    get(
        Operation::GetBlock,
        "get-block",
        "/api/v1/blocks/{hash}",
        Access::Public(Permission::BlockRead),
    ),
    get(
        Operation::ListBlockTransactions,
        "list-block-transactions",
        "/api/v1/blocks/{hash}/transactions",
        Access::Public(Permission::BlockRead),
    ),
    post(
        Operation::CommandBlock,
        "command-block",
        "/api/v1/blocks/{hash}/{command}",
        Access::Command,
    ),
    get(
        Operation::GetBlockAtHeight,
        "get-block-at-height",
        "/api/v1/chains/{chain}/blocks/{height}",
        Access::Public(Permission::BlockRead),
    ),
    get(
        Operation::GetFinality,
        "get-finality",
        "/api/v1/chains/{chain}/finality",
        Access::Public(Permission::BlockRead),
    ),
    get(
        Operation::ListHeights,
        "list-heights",
        "/api/v1/chains/{chain}/heights",
        Access::Public(Permission::ConsensusRead),
    ),
    get(
        Operation::GetLeaderboard,
        "get-leaderboard",
        "/api/v1/chains/{chain}/leaderboard",
        Access::Public(Permission::ConsensusRead),
    ),
    get(
        Operation::GetHeight,
        "get-height",
        "/api/v1/heights/{chain_height}",
        Access::Public(Permission::ConsensusRead),
    ),
    post(
        Operation::CommandHeight,
        "command-height",
        "/api/v1/heights/{chain_height}/{command}",
        Access::Command,
    ),
    get(Operation::Search, "search", "/api/v1/search", Access::Public(Permission::ChainRead)),
    get(
        Operation::ListDelegations,
        "list-delegations",
        "/api/v1/delegations",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListUnbondings,
        "list-unbondings",
        "/api/v1/unbondings",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListSlashings,
        "list-slashings",
        "/api/v1/slashings",
        Access::Public(Permission::ValidatorRead),
    ),
    get(
        Operation::ListActivity,
        "list-activity",
        "/api/v1/activity",
        Access::Public(Permission::ChainRead),
    ),
    get(
        Operation::ListEvents,
        "list-events",
        "/api/v1/events",
        Access::Needs(Permission::EventRead),
    ),
    Entry {
        form: Form::Events,
        ..get(
            Operation::FollowEvents,
            "follow-events",
            "/api/v1/events/stream",
            Access::Needs(Permission::EventRead),
        )
    },
    Entry {
        form: Form::Events,
        ..get(
            Operation::FollowConsensus,
            "follow-consensus",
            "/api/v1/consensus/stream",
            Access::Needs(Permission::ConsensusRead),
        )
    },
    Entry {
        form: Form::Any,
        ..get(
            Operation::GetBlob,
            "get-blob",
            "/api/v1/blobs/{hash}",
            Access::Public(Permission::ChainRead),
        )
    },
    get(
        Operation::GetEvent,
        "get-event",
        "/api/v1/events/{position}",
        Access::Needs(Permission::EventRead),
    ),
    get(
        Operation::ReadStream,
        "read-stream",
        "/api/v1/streams/{stream}",
        Access::Needs(Permission::EventRead),
    ),
    get(
        Operation::GetDifference,
        "get-difference",
        "/api/v1/difference",
        Access::Needs(Permission::EventReplay),
    ),
    file(Operation::GetCheckpoint, "get-checkpoint", "/log/checkpoint"),
    file(Operation::GetTile, "get-tile", "/log/tile/{level}/{*index}"),
    Entry {
        access: Access::Needs(Permission::EventRead),
        ..file(Operation::GetEntries, "get-entries", "/log/tile/entries/{*index}")
    },
    get(Operation::GetLog, "get-log", "/api/v1/log", Access::Public(Permission::ChainRead)),
    get(
        Operation::ProveInclusion,
        "prove-inclusion",
        "/api/v1/log/inclusion/{position}",
        Access::Needs(Permission::EventProve),
    ),
    get(
        Operation::ProveConsistency,
        "prove-consistency",
        "/api/v1/log/consistency",
        Access::Needs(Permission::EventProve),
    ),
    Entry {
        access: Access::Needs(Permission::EventProve),
        ..file(Operation::GetReceipt, "get-receipt", "/api/v1/log/receipts/{position}")
    },
    get(Operation::GetAudit, "get-audit", "/api/v1/audit", Access::Needs(Permission::EventReplay)),
    get(
        Operation::ListProcesses,
        "list-processes",
        "/api/v1/processes",
        Access::Public(Permission::MonitorRead),
    ),
    get(
        Operation::GetProcess,
        "get-process",
        "/api/v1/processes/{process}",
        Access::Public(Permission::MonitorRead),
    ),
    get(
        Operation::ListProcessRuns,
        "list-process-runs",
        "/api/v1/processes/{process}/runs",
        Access::Public(Permission::MonitorRead),
    ),
    get(
        Operation::GetProcessRun,
        "get-process-run",
        "/api/v1/processes/{process}/runs/{cause}",
        Access::Public(Permission::MonitorRead),
    ),
    post(
        Operation::ResumeProcess,
        "resume-process",
        "/api/v1/processes/{process}/resume",
        Access::Needs(Permission::ChainManage),
    ),
    get(
        Operation::ListProjections,
        "list-projections",
        "/api/v1/projections",
        Access::Needs(Permission::ProjectionRead),
    ),
    post(
        Operation::RebuildProjection,
        "rebuild-projection",
        "/api/v1/projections/{name}/rebuild",
        Access::Needs(Permission::ProjectionManage),
    ),
    get(
        Operation::ListReplays,
        "list-replays",
        "/api/v1/replays",
        Access::Needs(Permission::EventReplay),
    ),
    post(
        Operation::BuildReplay,
        "build-replay",
        "/api/v1/replays",
        Access::Needs(Permission::EventReplay),
    ),
    get(
        Operation::GetReplay,
        "get-replay",
        "/api/v1/replays/{replay}",
        Access::Needs(Permission::EventReplay),
    ),
    post(
        Operation::CancelReplay,
        "cancel-replay",
        "/api/v1/replays/{replay}/cancel",
        Access::Needs(Permission::EventReplay),
    ),
    post(Operation::SetUp, "set-up", "/api/v1/auth/set-up", Access::Open),
    post(Operation::Login, "login", "/api/v1/auth/login", Access::Open),
    post(Operation::Refresh, "refresh", "/api/v1/auth/refresh", Access::Open),
    post(Operation::Logout, "logout", "/api/v1/auth/logout", Access::SignedIn),
    post(
        Operation::LogoutEverywhere,
        "logout-everywhere",
        "/api/v1/auth/logout-everywhere",
        Access::SignedIn,
    ),
    post(Operation::BrowserLogin, "browser-login", "/api/v1/auth/browser/login", Access::Open),
    post(
        Operation::BrowserRefresh,
        "browser-refresh",
        "/api/v1/auth/browser/refresh",
        Access::Open,
    ),
    post(
        Operation::BrowserLogout,
        "browser-logout",
        "/api/v1/auth/browser/logout",
        Access::SignedIn,
    ),
    file(Operation::OidcBegin, "oidc-begin", "/api/v1/auth/oidc/begin"),
    file(Operation::OidcCallback, "oidc-callback", "/api/v1/auth/oidc/callback"),
    post(Operation::OidcLink, "oidc-link", "/api/v1/auth/oidc/link", Access::SignedIn),
    post(Operation::OidcRegister, "oidc-register", "/api/v1/auth/oidc/register", Access::Open),
    get(Operation::Myself, "get-myself", "/api/v1/auth/me", Access::SignedIn),
    get(Operation::ListOwnSessions, "list-own-sessions", "/api/v1/auth/sessions", Access::SignedIn),
    post(
        Operation::RevokeOwnSession,
        "revoke-own-session",
        "/api/v1/auth/revoke-session",
        Access::SignedIn,
    ),
    post(Operation::Register, "register", "/api/v1/auth/register", Access::Open),
    post(
        Operation::ChangePassword,
        "change-password",
        "/api/v1/auth/change-password",
        Access::SignedIn,
    ),
    post(
        Operation::RequestPasswordReset,
        "request-password-reset",
        "/api/v1/auth/request-password-reset",
        Access::Open,
    ),
    post(Operation::ResetPassword, "reset-password", "/api/v1/auth/reset-password", Access::Open),
    post(
        Operation::RequestEmailVerification,
        "request-email-verification",
        "/api/v1/auth/request-email-verification",
        Access::SignedIn,
    ),
    post(Operation::VerifyEmail, "verify-email", "/api/v1/auth/verify-email", Access::Open),
    post(
        Operation::BeginSecondFactor,
        "begin-second-factor",
        "/api/v1/auth/second-factor/begin",
        Access::SignedIn,
    ),
    post(
        Operation::EnrolSecondFactor,
        "enrol-second-factor",
        "/api/v1/auth/second-factor/enrol",
        Access::SignedIn,
    ),
    post(
        Operation::RemoveSecondFactor,
        "remove-second-factor",
        "/api/v1/auth/second-factor/remove",
        Access::SignedIn,
    ),
    get(
        Operation::ListPrincipals,
        "list-principals",
        "/api/v1/principals",
        Access::Needs(Permission::IdentityRead),
    ),
    post(
        Operation::InvitePrincipal,
        "invite-principal",
        "/api/v1/principals",
        Access::Needs(Permission::IdentityInvite),
    ),
    get(
        Operation::GetPrincipal,
        "get-principal",
        "/api/v1/principals/{principal}",
        Access::Needs(Permission::IdentityRead),
    ),
    get(
        Operation::GetErasureCertificate,
        "get-erasure-certificate",
        "/api/v1/principals/{principal}/erasure-certificate",
        Access::Needs(Permission::IdentityRead),
    ),
    get(
        Operation::ListSessions,
        "list-sessions",
        "/api/v1/principals/{principal}/sessions",
        Access::Needs(Permission::IdentityRead),
    ),
    get(
        Operation::ListApiKeys,
        "list-api-keys",
        "/api/v1/principals/{principal}/api-keys",
        Access::Needs(Permission::IdentityRead),
    ),
    post(
        Operation::CommandPrincipal,
        "command-principal",
        "/api/v1/principals/{principal}/{command}",
        Access::Command,
    ),
    get(
        Operation::ListAccessRecords,
        "list-access-records",
        "/api/v1/access-records",
        Access::Needs(Permission::IdentityRead),
    ),
    get(
        Operation::ListRoles,
        "list-roles",
        "/api/v1/roles",
        Access::Needs(Permission::IdentityRead),
    ),
    post(Operation::CommandRole, "command-role", "/api/v1/roles/{role}/{command}", Access::Command),
    get(Operation::ListFlags, "list-flags", "/api/v1/flags", Access::Needs(Permission::ConfigRead)),
    get(
        Operation::GetFlag,
        "get-flag",
        "/api/v1/flags/{key}",
        Access::Needs(Permission::ConfigRead),
    ),
    get(
        Operation::EvaluateFlag,
        "evaluate-flag",
        "/api/v1/flags/{key}/evaluation",
        Access::Needs(Permission::ConfigRead),
    ),
    post(Operation::CommandFlag, "command-flag", "/api/v1/flags/{key}/{command}", Access::Command),
    post(
        Operation::TakeAlerts,
        "take-alerts",
        "/api/v1/alertmanager",
        Access::Needs(Permission::MonitorManage),
    ),
    get(Operation::GetNoticeKey, "get-notice-key", "/.well-known/notice-key.json", Access::Open),
    get(
        Operation::ListSettings,
        "list-settings",
        "/api/v1/settings",
        Access::Needs(Permission::ConfigRead),
    ),
    get(
        Operation::GetSetting,
        "get-setting",
        "/api/v1/settings/{key}",
        Access::Needs(Permission::ConfigRead),
    ),
    get(
        Operation::ListSettingVersions,
        "list-setting-versions",
        "/api/v1/settings/{key}/versions",
        Access::Needs(Permission::ConfigRead),
    ),
    post(
        Operation::CommandSetting,
        "command-setting",
        "/api/v1/settings/{key}/{command}",
        Access::Command,
    ),
    get(
        Operation::ListAlertRules,
        "list-alert-rules",
        "/api/v1/alert-rules",
        Access::Needs(Permission::MonitorRead),
    ),
    get(
        Operation::GetAlertRule,
        "get-alert-rule",
        "/api/v1/alert-rules/{rule}",
        Access::Needs(Permission::MonitorRead),
    ),
    post(
        Operation::CommandAlertRule,
        "command-alert-rule",
        "/api/v1/alert-rules/{rule}/{command}",
        Access::Command,
    ),
    get(
        Operation::ListAlerts,
        "list-alerts",
        "/api/v1/alerts",
        Access::Needs(Permission::MonitorRead),
    ),
    get(
        Operation::GetAlert,
        "get-alert",
        "/api/v1/alerts/{alert}",
        Access::Needs(Permission::MonitorRead),
    ),
    post(
        Operation::CommandAlert,
        "command-alert",
        "/api/v1/alerts/{alert}/{command}",
        Access::Command,
    ),
    get(Operation::ListSlos, "list-slos", "/api/v1/slos", Access::Needs(Permission::MonitorRead)),
    get(Operation::GetSlo, "get-slo", "/api/v1/slos/{slo}", Access::Needs(Permission::MonitorRead)),
    post(Operation::CommandSlo, "command-slo", "/api/v1/slos/{slo}/{command}", Access::Command),
    get(
        Operation::GetTopology,
        "get-topology",
        "/api/v1/chains/{chain}/topology",
        Access::Public(Permission::NetworkRead),
    ),
    get(
        Operation::ListPeers,
        "list-peers",
        "/api/v1/peers",
        Access::Public(Permission::NetworkRead),
    ),
    get(
        Operation::GetPeer,
        "get-peer",
        "/api/v1/peers/{peer}",
        Access::Public(Permission::NetworkRead),
    ),
    post(Operation::CommandPeer, "command-peer", "/api/v1/peers/{peer}/{command}", Access::Command),
    get(
        Operation::ListPartitions,
        "list-partitions",
        "/api/v1/partitions",
        Access::Public(Permission::NetworkRead),
    ),
    get(
        Operation::GetPartition,
        "get-partition",
        "/api/v1/partitions/{chain}",
        Access::Public(Permission::NetworkRead),
    ),
    post(
        Operation::CommandPartition,
        "command-partition",
        "/api/v1/partitions/{chain}/{command}",
        Access::Command,
    ),
    post(
        Operation::SetUpService,
        "set-up-service",
        "/api/v1/services",
        Access::Needs(Permission::IdentityManage),
    ),
    post(
        Operation::IssueApiKey,
        "issue-api-key",
        "/api/v1/api-keys",
        Access::Needs(Permission::IdentityManage),
    ),
    post(Operation::IssueOwnApiKey, "issue-own-api-key", "/api/v1/auth/api-keys", Access::SignedIn),
    get(Operation::KeySet, "get-key-set", "/.well-known/jwks.json", Access::Open),
];

// Every operation has exactly its own line.
const _: () = {
    let mut line = 0;
    while line < TABLE.len() {
        assert!(TABLE[line].operation as usize == line, "a line is not at its operation's place");
        line += 1;
    }
    assert!(TABLE.len() == Operation::KeySet as usize + 1, "an operation has no line");
};

const fn get(operation: Operation, id: &'static str, path: &'static str, access: Access) -> Entry {
    let form = match access {
        Access::Fields => Form::GraphQl,
        Access::Open
        | Access::Public(_)
        | Access::SignedIn
        | Access::Needs(_)
        | Access::Command => Form::Json,
    };
    Entry { operation, id, method: Verb::Get, path, access, form }
}

const fn post(operation: Operation, id: &'static str, path: &'static str, access: Access) -> Entry {
    Entry { method: Verb::Post, ..get(operation, id, path, access) }
}

const fn file(operation: Operation, id: &'static str, path: &'static str) -> Entry {
    Entry { form: Form::Any, ..get(operation, id, path, Access::Open) }
}

impl Operation {
    /// Its line of the table.
    pub fn entry(self) -> &'static Entry {
        &TABLE[self as usize]
    }

    /// Whether it answers with one thing that may be asked for as it was.
    pub fn has_a_past(self) -> bool {
        matches!(
            self,
            Operation::GetChain
                | Operation::GetHeader
                | Operation::GetHeaderByHash
                | Operation::GetValidator
                | Operation::GetValidatorSet
                | Operation::GetValidatorSetOfEpoch
                | Operation::GetTransaction
                | Operation::GetAccount
                | Operation::GetAnchor
                | Operation::GetBlock
                | Operation::GetBlockAtHeight
                | Operation::GetHeight
                | Operation::GetFlag
                | Operation::GetSetting
                | Operation::GetAlertRule
                | Operation::GetAlert
                | Operation::GetSlo
                | Operation::GetPeer
                | Operation::GetPartition
                | Operation::GetPrincipal
                | Operation::GetProcessRun
        )
    }

    /// Whether it is answered from read models alone, and so may be asked of a replay.
    pub fn reads_models(self) -> bool {
        // Principals are read from the log.
        (self.has_a_past() && self != Operation::GetPrincipal)
            || matches!(
                self,
                Operation::GraphQlGet
                    | Operation::GraphQlPost
                    | Operation::ListChains
                    | Operation::ListHeaders
                    | Operation::ListForks
                    | Operation::ListRejections
                    | Operation::ListValidators
                    | Operation::ListValidatorDelegations
                    | Operation::ListValidatorSlashings
                    | Operation::ListValidatorReputation
                    | Operation::ListValidatorPerformances
                    | Operation::ListValidatorUnbondings
                    | Operation::ListValidatorSets
                    | Operation::ListTransactions
                    | Operation::GetMempool
                    | Operation::ListMempool
                    | Operation::ListAccounts
                    | Operation::ListAccountTransactions
                    | Operation::ListAnchors
                    | Operation::ListBlocks
                    | Operation::ListBlockTransactions
                    | Operation::GetFinality
                    | Operation::ListHeights
                    | Operation::GetLeaderboard
                    | Operation::ListDelegations
                    | Operation::ListUnbondings
                    | Operation::ListSlashings
                    | Operation::ListActivity
                    | Operation::ListProcessRuns
                    | Operation::ListFlags
                    | Operation::EvaluateFlag
                    | Operation::ListSettings
                    | Operation::ListSettingVersions
                    | Operation::ListAlertRules
                    | Operation::ListAlerts
                    | Operation::ListSlos
                    | Operation::ListPeers
                    | Operation::ListPartitions
            )
    }

    /// What it is for.
    pub fn class(self) -> Class {
        let asks_with_a_body = matches!(
            self,
            Operation::GraphQlPost | Operation::GraphQlStreamPost | Operation::CallRpc
        );
        let agrees = matches!(
            self,
            Operation::ProposeBlock
                | Operation::CommandBlock
                | Operation::CommandHeight
                | Operation::TakeHeartbeat
                | Operation::FollowConsensus
        );
        let proves = matches!(
            self,
            Operation::SetUp
                | Operation::Login
                | Operation::Refresh
                | Operation::BrowserLogin
                | Operation::BrowserRefresh
                | Operation::OidcBegin
                | Operation::OidcCallback
                | Operation::OidcRegister
                | Operation::Register
                | Operation::RequestPasswordReset
                | Operation::ResetPassword
                | Operation::VerifyEmail
        );
        match self.entry().method {
            _ if matches!(self, Operation::Live | Operation::Ready | Operation::Metrics) => {
                Class::Vital
            }
            _ if agrees => Class::Consensus,
            _ if proves => Class::SignIn,
            _ if asks_with_a_body => Class::Query,
            Verb::Get => Class::Query,
            Verb::Post => Class::Command,
        }
    }
}
