//! Nodes: whoever was not heard of for too long is disconnected, and whoever is heard of again is
//! connected.
//!
//! Does not listen to any network: validators send signs of life to the server.

use std::collections::HashMap;

use commands::{Actor, RequestContext, Role, settings::PeerWatch};
use domain::{
    network::peer::{Command, Departure, Peer, Refusal},
    values::{Address, Moment},
};
use projections::peers::{self, PeerStanding};

use super::{Memory, rules};
use crate::{heartbeats, problem::Problem, server::App};

/// How the process is named in events.
const ACTOR: &str = "process:peer-watch";

/// Compares what nodes are with when each was last heard of.
pub(super) async fn look(app: &App, memory: &mut Memory) -> Result<(), Problem> {
    let context = RequestContext::new(Actor::new(ACTOR, Role::Admin));
    let now = context.at;
    let watch: PeerWatch = app.commands.in_force().await?;
    let stale = |seen: Moment| seen.plus_millis(watch.peer_stale_ms) <= now;
    // Whoever has just begun to watch waits as long as nodes may be silent.
    let begun = *memory.watches_since.get_or_insert(now);
    let beats = heartbeats::newest(&app.vital).await?;
    let seen: HashMap<Address, Moment> =
        beats.iter().map(|beat| (beat.validator, beat.at)).collect();
    for peer in rules::all::<peers::Peer>(app).await? {
        // Observers' nodes send no signs of life: they say themselves when they go.
        let Some(validator) = peer.validator else { continue };
        let seen = seen.get(&validator).copied();
        let command = match peer.standing {
            PeerStanding::Connected => {
                let since = peer.connected_since.unwrap_or(begun);
                let last = seen.map_or(since, |seen| seen.max(since)).max(begun);
                stale(last).then_some(Command::Disconnect { reason: Departure::Stale })
            }
            PeerStanding::Known | PeerStanding::Disconnected => {
                let is_back = seen.is_some_and(|seen| !stale(seen) && seen > peer.changed_at);
                is_back.then_some(Command::Connect {})
            }
            PeerStanding::Banned => None,
        };
        let Some(command) = command else { continue };
        let done = app.commands.execute::<Peer>(peer.peer, command, context.clone()).await;
        match done {
            Ok(_) | Err(commands::CommandError::Refused(Refusal::NotStale { .. })) => {}
            Err(error) => return Err(Problem::of_command(error)),
        }
    }
    Ok(())
}
