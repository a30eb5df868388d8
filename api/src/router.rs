//! The contents page of the whole surface: every path and the function that answers it.
//!
//! Who may come in stands in [`crate::operations`]; what happens at the door in [`crate::door`].

use ::projections as rows;
use axum::{
    Router,
    middleware::from_fn_with_state,
    routing::{get, post},
};
use domain::{
    block::Block,
    chain::Chain,
    configuration::{flag::Flag, setting::Setting},
    consensus::ConsensusHeight,
    identity::{principal::Principal, role::RoleDefinition},
    monitoring::{alert::Alert, rule::AlertRule, slo::Slo},
    network::{partition::Partitions, peer::Peer},
    transaction::Account,
    validator::Validator,
    validator_set::ValidatorSet,
};

use tower_http::{CompressionLevel, compression::CompressionLayer};

use crate::{
    cross_origin,
    door::door,
    graphql::{http as graphql, sse},
    problem::{Kind, Problem},
    replays,
    rest::{
        access_records, activity, alertmanager, anchors, audit,
        auth::{self, browser},
        blobs, blocks, chains, delegations, difference, documents, events, flags, follow, graphiql,
        headers, health, heartbeats, keyed, light_blocks, log, principals, processes, projections,
        replays as of_replays, search, settings, slashings, topology, transactions, validator_sets,
        validators,
    },
    rpc,
    server::App,
    submit::{self, batch, command, create},
};

/// The whole surface.
pub fn router(app: App) -> Router {
    paths()
        .layer(from_fn_with_state(app.clone(), replays::surface::answer))
        .layer(from_fn_with_state(app.clone(), door))
        .layer(CompressionLayer::new().quality(CompressionLevel::Fastest))
        .layer(cross_origin::layer(app.clone()))
        .with_state(app)
}

/// Every path, without a door.
pub fn paths() -> Router<App> {
    Router::new()
        // Health and documents
        .route("/", get(documents::index))
        .route("/livez", get(health::live))
        .route("/readyz", get(health::ready))
        .route("/metrics", get(health::metrics))
        .route("/version", get(health::version))
        .route("/api/openapi.json", get(documents::openapi))
        .route("/docs", get(documents::docs))
        .route("/docs/", get(documents::docs))
        .route("/docs/{*file}", get(documents::docs_file))
        .route("/graphiql", get(graphiql::page))
        .route("/graphiql/", get(graphiql::page))
        .route("/graphiql/{*file}", get(graphiql::file))
        .route("/problems", get(documents::list_problems))
        .route("/problems/{slug}", get(documents::get_problem))
        // GraphQL
        .route("/graphql", get(graphql::get).post(graphql::post))
        .route("/graphql/stream", get(sse::get).post(sse::post))
        .route("/graphql/schema.graphql", get(documents::graphql_schema))
        // Many commands at once
        .route("/api/v1/batches", post(batch::batch))
        // Chains and their headers
        .route("/api/v1/chains", get(chains::list).post(create::<Chain>))
        .route("/api/v1/chains/{chain}", get(chains::get))
        .route("/api/v1/chains/{chain}/{command}", post(command::<Chain>))
        .route("/api/v1/chains/{chain}/headers", get(headers::list))
        .route("/api/v1/chains/{chain}/headers/{height}", get(headers::get))
        .route("/api/v1/chains/{chain}/forks", get(chains::forks))
        .route("/api/v1/chains/{chain}/rejections", get(headers::rejections))
        .route("/api/v1/headers/{hash}", get(headers::get_by_hash))
        // Our own chain as light clients of others read it
        .route("/api/v1/chains/{chain}/light-blocks/{height}", get(light_blocks::get))
        .route("/rpc", post(rpc::post))
        .route("/rpc/{method}", get(rpc::get))
        // Validators and what happened to them
        .route("/api/v1/validators", get(validators::list).post(create::<Validator>))
        .route("/api/v1/validators/{address}", get(validators::get))
        .route("/api/v1/validators/{address}/{command}", post(command::<Validator>))
        .route("/api/v1/validators/{address}/heartbeat", post(heartbeats::take))
        .route("/api/v1/heartbeats", get(heartbeats::list))
        .route("/api/v1/validators/{address}/delegations", get(delegations::of_validator))
        .route("/api/v1/validators/{address}/slashings", get(slashings::of_validator))
        .route("/api/v1/validators/{address}/reputation", get(validators::reputation))
        .route("/api/v1/validators/{address}/performances", get(validators::performances))
        .route("/api/v1/validators/{address}/unbondings", get(delegations::unbondings_of_validator))
        .route("/api/v1/validator-sets/{chain}", get(validator_sets::current))
        .route("/api/v1/validator-sets/{chain}/epochs", get(validator_sets::list))
        .route("/api/v1/validator-sets/{chain}/epochs/{epoch}", get(validator_sets::of_epoch))
        .route("/api/v1/validator-sets/{chain}/{command}", post(command::<ValidatorSet>))
        // Transactions and the accounts they are sent from
        .route("/api/v1/transactions", get(transactions::list).post(submit::transactions::submit))
        .route("/api/v1/transactions/{hash}", get(transactions::get))
        .route("/api/v1/mempool", get(transactions::mempool))
        .route("/api/v1/mempool/transactions", get(transactions::waiting))
        .route("/api/v1/accounts", get(transactions::accounts))
        .route("/api/v1/accounts/{address}", get(transactions::account))
        .route("/api/v1/accounts/{address}/transactions", get(transactions::of_account))
        .route("/api/v1/accounts/{address}/{command}", post(command::<Account>))
        .route("/api/v1/anchors", get(anchors::list))
        .route("/api/v1/anchors/{digest}", get(anchors::get))
        // Blocks, and the heights at which they are agreed on
        .route("/api/v1/blocks", get(blocks::list).post(create::<Block>))
        .route("/api/v1/blocks/{hash}", get(blocks::get))
        .route("/api/v1/blocks/{hash}/transactions", get(blocks::transactions))
        .route("/api/v1/blocks/{hash}/{command}", post(command::<Block>))
        .route("/api/v1/chains/{chain}/blocks/{height}", get(blocks::at))
        .route("/api/v1/chains/{chain}/finality", get(blocks::finality))
        .route("/api/v1/chains/{chain}/heights", get(blocks::heights))
        .route("/api/v1/chains/{chain}/leaderboard", get(blocks::leaderboard))
        .route("/api/v1/chains/{chain}/topology", get(topology::get))
        .route("/api/v1/heights/{chain_height}", get(blocks::height))
        .route("/api/v1/heights/{chain_height}/{command}", post(command::<ConsensusHeight>))
        .route("/api/v1/blobs/{hash}", get(blobs::get))
        // What is staked, and what was burned
        .route("/api/v1/delegations", get(delegations::list))
        .route("/api/v1/unbondings", get(delegations::unbondings))
        .route("/api/v1/slashings", get(slashings::list))
        // What something is
        .route("/api/v1/search", get(search::search))
        // What happened
        .route("/api/v1/activity", get(activity::list))
        .route("/api/v1/events", get(events::list))
        .route("/api/v1/events/stream", get(follow::follow))
        .route("/api/v1/consensus/stream", get(follow::follow_consensus))
        .route("/api/v1/events/{position}", get(events::get))
        .route("/api/v1/streams/{stream}", get(events::stream))
        .route("/api/v1/difference", get(difference::get))
        // What proves it
        .route("/log/checkpoint", get(log::checkpoint))
        .route("/log/tile/{level}/{*index}", get(log::tile))
        .route("/log/tile/entries/{*index}", get(log::entries))
        .route("/api/v1/audit", get(audit::get))
        .route("/api/v1/log", get(log::get))
        .route("/api/v1/log/inclusion/{position}", get(log::get_inclusion))
        .route("/api/v1/log/consistency", get(log::get_consistency))
        .route("/api/v1/log/receipts/{position}", get(log::get_receipt))
        // Processes
        .route("/api/v1/processes", get(processes::list))
        .route("/api/v1/processes/{process}", get(processes::get))
        .route("/api/v1/processes/{process}/runs", get(processes::runs))
        .route("/api/v1/processes/{process}/runs/{cause}", get(processes::run))
        .route("/api/v1/processes/{process}/resume", post(processes::resume))
        // Who is who
        .route("/.well-known/jwks.json", get(auth::jwks))
        .route("/api/v1/auth/set-up", post(auth::set_up))
        .route("/api/v1/auth/login", post(auth::login))
        .route("/api/v1/auth/refresh", post(auth::refresh))
        .route("/api/v1/auth/logout", post(auth::logout))
        .route("/api/v1/auth/logout-everywhere", post(auth::logout_everywhere))
        .route("/api/v1/auth/browser/login", post(browser::login))
        .route("/api/v1/auth/browser/refresh", post(browser::refresh))
        .route("/api/v1/auth/browser/logout", post(browser::logout))
        .route("/api/v1/auth/oidc/begin", get(browser::begin))
        .route("/api/v1/auth/oidc/callback", get(browser::callback))
        .route("/api/v1/auth/oidc/link", post(browser::link))
        .route("/api/v1/auth/oidc/register", post(browser::register))
        .route("/api/v1/auth/me", get(auth::me))
        .route("/api/v1/auth/sessions", get(auth::own_sessions))
        .route("/api/v1/auth/revoke-session", post(auth::revoke_own_session))
        .route("/api/v1/auth/register", post(auth::register))
        .route("/api/v1/auth/change-password", post(auth::change_password))
        .route("/api/v1/auth/request-password-reset", post(auth::request_password_reset))
        .route("/api/v1/auth/reset-password", post(auth::reset_password))
        .route("/api/v1/auth/request-email-verification", post(auth::request_email_verification))
        .route("/api/v1/auth/verify-email", post(auth::verify_email))
        .route("/api/v1/auth/second-factor/begin", post(auth::begin_second_factor))
        .route("/api/v1/auth/second-factor/enrol", post(auth::enrol_second_factor))
        .route("/api/v1/auth/second-factor/remove", post(auth::remove_second_factor))
        .route("/api/v1/auth/api-keys", post(auth::issue_own_api_key))
        .route("/api/v1/principals", get(principals::list).post(principals::invite))
        .route("/api/v1/principals/{principal}", get(principals::get))
        .route("/api/v1/principals/{principal}/sessions", get(principals::sessions))
        .route("/api/v1/principals/{principal}/api-keys", get(principals::api_keys))
        .route(
            "/api/v1/principals/{principal}/erasure-certificate",
            get(principals::erasure_certificate),
        )
        .route("/api/v1/principals/{principal}/{command}", post(command::<Principal>))
        .route("/api/v1/access-records", get(access_records::list))
        .route("/api/v1/roles", get(principals::roles))
        .route("/api/v1/roles/{role}/{command}", post(command::<RoleDefinition>))
        .route("/api/v1/services", post(principals::set_up_service))
        .route("/api/v1/api-keys", post(principals::issue_api_key))
        // What is in force
        .route("/api/v1/flags", get(flags::list))
        .route("/api/v1/flags/{key}", get(flags::get))
        .route("/api/v1/flags/{key}/evaluation", get(flags::evaluate))
        .route("/api/v1/flags/{key}/{command}", post(command::<Flag>))
        .route("/api/v1/settings", get(settings::list))
        .route("/api/v1/settings/{key}", get(settings::get))
        .route("/api/v1/settings/{key}/versions", get(settings::versions))
        .route("/api/v1/settings/{key}/{command}", post(command::<Setting>))
        // Whether it is well, and who is connected
        .route("/api/v1/alertmanager", post(alertmanager::take))
        .route("/.well-known/notice-key.json", get(alertmanager::notice_key))
        .route("/api/v1/alert-rules", get(keyed::list::<rows::alert_rules::AlertRule>))
        .route("/api/v1/alert-rules/{rule}", get(keyed::get::<rows::alert_rules::AlertRule>))
        .route("/api/v1/alert-rules/{rule}/{command}", post(command::<AlertRule>))
        .route("/api/v1/alerts", get(keyed::list::<rows::alerts::Alert>))
        .route("/api/v1/alerts/{alert}", get(keyed::get::<rows::alerts::Alert>))
        .route("/api/v1/alerts/{alert}/{command}", post(command::<Alert>))
        .route("/api/v1/slos", get(keyed::list::<rows::slos::Slo>))
        .route("/api/v1/slos/{slo}", get(keyed::get::<rows::slos::Slo>))
        .route("/api/v1/slos/{slo}/{command}", post(command::<Slo>))
        .route("/api/v1/peers", get(keyed::list::<rows::peers::Peer>))
        .route("/api/v1/peers/{peer}", get(keyed::get::<rows::peers::Peer>))
        .route("/api/v1/peers/{peer}/{command}", post(command::<Peer>))
        .route("/api/v1/partitions", get(keyed::list::<rows::partitions::Partitions>))
        .route("/api/v1/partitions/{chain}", get(keyed::get::<rows::partitions::Partitions>))
        .route("/api/v1/partitions/{chain}/{command}", post(command::<Partitions>))
        // Read models
        .route("/api/v1/projections", get(projections::list))
        .route("/api/v1/projections/{name}/rebuild", post(projections::rebuild))
        .route("/api/v1/replays", get(of_replays::list).post(of_replays::build))
        .route("/api/v1/replays/{replay}", get(of_replays::get))
        .route("/api/v1/replays/{replay}/cancel", post(of_replays::cancel))
        .fallback(unknown_path)
}

async fn unknown_path() -> Problem {
    Problem::new(Kind::NotFound, "there is no such path; see /api/openapi.json")
}
