//! What nodes and partitions must know beyond their own history.
//!
//! Does not decide anything, and listens to no network.

use std::collections::BTreeMap;

use domain::{
    network::{
        partition::{self, Partitions},
        peer::{self, Departure, Peer},
    },
    validator::Validator,
    values::{Address, ChainId, PeerId, Power, PrincipalId},
};
use event_store::StoreError;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    policy::{self, Permission},
    request::RequestContext,
    settings::PeerWatch,
};

impl Handled for Peer {
    fn permission(command: &peer::Command) -> Permission {
        policy::peer(command)
    }

    /// A validator's node is named by the validator's address. What has another name belongs to
    /// whoever manages the network, and is no validator's.
    fn owner(id: &PeerId) -> Option<PrincipalId> {
        let address = id.as_str().to_ascii_uppercase().parse::<Address>();
        Some(address.map_or_else(|_| nobody(), PrincipalId::of_validator))
    }

    async fn prepare(
        commands: &Commands,
        id: &PeerId,
        _: &Peer,
        command: &peer::Command,
        context: &RequestContext,
    ) -> Result<peer::Known, StoreError> {
        use peer::Command;
        let validator_registered = match command {
            Command::Announce { validator: Some(address), .. } => {
                let theirs = PrincipalId::of_validator(*address);
                !context.actor.is_kept_from(&theirs)
                    && commands.state::<Validator>(address).await?.state.record().is_some()
            }
            Command::Announce { validator: None, .. }
            | Command::Connect {}
            | Command::Disconnect { .. }
            | Command::Ban { .. }
            | Command::Unban {} => false,
        };
        let (last_seen, watch) = match command {
            Command::Disconnect { reason: Departure::Stale } => {
                let last_seen = commands.rooms.sightings.last_seen(id).await?;
                (last_seen, commands.in_force::<PeerWatch>().await?)
            }
            Command::Disconnect { reason: Departure::Closed | Departure::Misbehaved }
            | Command::Announce { .. }
            | Command::Connect {}
            | Command::Ban { .. }
            | Command::Unban {} => (None, PeerWatch::default()),
        };
        Ok(peer::Known {
            id: id.clone(),
            last_seen,
            now: context.at,
            peer_stale_ms: watch.peer_stale_ms,
            validator_registered,
        })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Peer> {
        &rooms.peers
    }
}

/// Whose nodes are that no validator has.
fn nobody() -> PrincipalId {
    "observers".parse().expect("it keeps the rule of principals")
}

impl Handled for Partitions {
    fn permission(command: &partition::Command) -> Permission {
        policy::partition(command)
    }

    async fn prepare(
        commands: &Commands,
        chain_id: &ChainId,
        _: &Partitions,
        command: &partition::Command,
        _: &RequestContext,
    ) -> Result<partition::Known, StoreError> {
        use partition::Command;
        let named = match command {
            Command::ReportPartition { groups } => groups.iter().flatten(),
            Command::HealPartition {} => [].iter().flatten(),
        };
        let parameters = commands.parameters(Some(chain_id)).await?;
        let epoch = commands.epoch(chain_id).await?;
        let set = commands.active_set(chain_id, epoch, parameters.power_reduction).await?;
        let powers: BTreeMap<Address, Power> =
            set.candidates.iter().map(|one| (one.address, one.power)).collect();
        let mut connected = BTreeMap::new();
        for id in named.take(partition::PEERS_MAX) {
            let folded = commands.state::<Peer>(id).await?;
            let Some(said) = &folded.state.announced else { continue };
            if folded.state.connected_since.is_some() && said.chain_id == *chain_id {
                let power = said.validator.and_then(|address| powers.get(&address).copied());
                connected.insert(id.clone(), power.unwrap_or(Power::ZERO));
            }
        }
        let total = powers.values().fold(Power::ZERO, |sum, power| sum.and(*power));
        Ok(partition::Known { connected, total })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Partitions> {
        &rooms.partitions
    }
}
