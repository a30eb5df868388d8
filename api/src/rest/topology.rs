//! The network of a chain as one picture: its nodes, whose they are, when each was last heard of,
//! and into which groups it is torn.
//!
//! Does not find out whether nodes see one another: partitions are reported.

use std::collections::HashMap;

use ::projections::{
    keyed::{self, Filter},
    partitions::{self, Partitions},
    peers::{self, Peer, PeerStanding},
    validators,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::{
    validator::StandingName,
    values::{Address, ChainId, Moniker, PeerAddress, PeerId, Power},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Asked, read_problem};
use crate::{
    graphql::Component,
    heartbeats::{self, Beat},
    params::{self, PathParams},
    problem::Problem,
    server::App,
};

/// The read models that are asked.
pub const MODELS: &[&str] = &[peers::NAME, partitions::NAME, validators::NAME];

/// The network of a chain.
#[derive(Debug, Serialize, ToSchema)]
pub struct Topology {
    /// The chain.
    pub chain_id: ChainId,
    /// The power of the active validators whose nodes are connected.
    pub connected_power: Power,
    /// The power of the active validators whose nodes are known.
    pub known_power: Power,
    /// The nodes, by id.
    pub nodes: Vec<TopologyNode>,
    /// The partition that lasts; null while the network is whole.
    pub partition: Option<Partitions>,
}

/// A node of a network.
#[derive(Debug, Serialize, ToSchema)]
pub struct TopologyNode {
    /// Its id.
    pub peer: PeerId,
    /// What it is.
    pub standing: PeerStanding,
    /// Where it listens; null before it announced itself.
    pub address: Option<PeerAddress>,
    /// Whose it is; null for an observer's.
    pub validator: Option<Address>,
    /// What that validator is called; null when it is not registered.
    pub moniker: Option<Moniker>,
    /// That validator's power; null while it is not active.
    pub power: Option<Power>,
    /// Its group among those of the partition that lasts, from 0; null when it is in none.
    pub group: Option<u32>,
    /// When it was heard of last, and what it said; null when that is long ago.
    pub heartbeat: Option<Beat>,
}

impl Component for Topology {
    const SCHEMA: &'static str = "Topology";
}

/// `GET /api/v1/chains/{chain}/topology`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let chain: ChainId = path.get("chain")?;
    let asked = Asked::of(&app, &parts, MODELS).await?;
    asked.one(&of(&app, chain).await?)
}

/// The network of a chain. One that is not known has no nodes.
pub async fn of(app: &App, chain_id: ChainId) -> Result<Topology, Problem> {
    let filter = Filter { standing: None, class: Some(chain_id.to_string()) };
    let peers: Vec<Peer> = keyed::all(&app.pool, &filter).await.map_err(read_problem)?;
    let partition = keyed::get::<Partitions>(&app.pool, chain_id.as_str()).await;
    let partition = partition.map_err(read_problem)?.filter(|last| last.healed_at.is_none());
    let addresses: Vec<Address> = peers.iter().filter_map(|peer| peer.validator).collect();
    let registered = validators::by_keys(&app.pool, &addresses).await.map_err(read_problem)?;
    let registered: HashMap<Address, validators::Validator> =
        registered.into_iter().map(|validator| (validator.address, validator)).collect();
    let beats = heartbeats::newest(&app.pool).await?.into_iter();
    let mut beats: HashMap<Address, Beat> = beats.map(|beat| (beat.validator, beat)).collect();
    let group = |peer: &PeerId| {
        let groups = &partition.as_ref()?.groups;
        let found = groups.iter().position(|group| group.peers.contains(peer))?;
        u32::try_from(found).ok()
    };
    let nodes: Vec<TopologyNode> = peers
        .into_iter()
        .map(|peer| {
            let validator = peer.validator.and_then(|address| registered.get(&address));
            TopologyNode {
                group: group(&peer.peer),
                heartbeat: peer.validator.and_then(|address| beats.remove(&address)),
                moniker: validator.map(|validator| validator.moniker.clone()),
                power: validator
                    .filter(|validator| validator.standing == StandingName::Active)
                    .map(|validator| validator.power),
                peer: peer.peer,
                standing: peer.standing,
                address: peer.address,
                validator: peer.validator,
            }
        })
        .collect();
    let power = |wanted: &dyn Fn(&TopologyNode) -> bool| {
        let powers = nodes.iter().filter(|node| wanted(node)).filter_map(|node| node.power);
        Power::new(powers.map(Power::value).sum()).map_err(Problem::internal)
    };
    Ok(Topology {
        connected_power: power(&|node| node.standing == PeerStanding::Connected)?,
        known_power: power(&|_| true)?,
        chain_id,
        nodes,
        partition,
    })
}
