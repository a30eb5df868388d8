//! Peers and partitions: given / when / then.

use std::collections::BTreeMap;

use domain::{
    aggregate::Aggregate as _,
    network::{
        is_quorum_lost,
        partition::{self, Group, PEERS_MAX, PartitionDetected, PartitionHealed, Partitions},
        peer::{
            BAN_S_MAX, Command, Departure, Event, Known, Peer, PeerAnnounced, PeerBanned,
            PeerConnected, PeerDisconnected, PeerUnbanned, Refusal,
        },
    },
    values::{Address, Moment, PeerAddress, PeerId, Power, Reason},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    fixture::{address, moment},
    spec::{Given, given},
};

const NOON: &str = "2026-01-01T12:00:00Z";

fn peer(name: &str) -> PeerId {
    name.parse().unwrap()
}

fn reason() -> Reason {
    "floods its neighbours".parse().unwrap()
}

fn node() -> Given<Peer> {
    given(Known {
        id: peer("node1"),
        last_seen: None,
        now: moment(NOON),
        peer_stale_ms: 15_000,
        validator_registered: true,
    })
}

fn announce(validator: Option<Address>) -> Command {
    Command::Announce {
        address: "node.north.example:26656".parse().unwrap(),
        chain_id: "node0-local".parse().unwrap(),
        validator,
    }
}

fn disconnect(reason: Departure) -> Command {
    Command::Disconnect { reason }
}

fn ban(until: Option<Moment>) -> Command {
    Command::Ban { reason: reason(), until }
}

fn connected() -> Given<Peer> {
    node().and(announce(None)).and(Command::Connect {})
}

fn later(story: Given<Peer>, millis: u64) -> Given<Peer> {
    story.knowing(|known| known.now = known.now.plus_millis(millis))
}

#[test]
fn a_node_says_what_it_is_before_it_connects() {
    let said = |validator| {
        vec![Event::PeerAnnounced(PeerAnnounced {
            address: "node.north.example:26656".parse().unwrap(),
            chain_id: "node0-local".parse().unwrap(),
            validator,
        })]
    };
    let unknown = Refusal::NotAnnounced { peer: peer("node1") };
    node().when(Command::Connect {}).refused(unknown.clone());
    node().when(disconnect(Departure::Closed)).refused(unknown);
    let story = node().when(announce(None)).then(said(None));
    story.clone().when(announce(None)).then(vec![]);
    let stranger = story.clone().knowing(|known| known.validator_registered = false);
    let refusal = Refusal::ValidatorUnknown { address: address(1) };
    stranger.when(announce(Some(address(1)))).refused(refusal);
    let story = story.when(announce(Some(address(1)))).then(said(Some(address(1))));
    let since = moment(NOON);
    let story =
        story.when(Command::Connect {}).then(vec![Event::PeerConnected(PeerConnected { since })]);
    story.clone().when(Command::Connect {}).then(vec![]);
    let reason = Departure::Closed;
    let gone = vec![Event::PeerDisconnected(PeerDisconnected { reason })];
    let story = story.when(disconnect(reason)).then(gone);
    story.clone().when(disconnect(reason)).then(vec![]);
    story.when(Command::Connect {}).then_named(&["peer-connected"]);
}

#[test]
fn a_node_is_stale_only_when_it_was_not_heard_of_for_long_enough() {
    let stale = || disconnect(Departure::Stale);
    let refusal = |last_seen: &str, stale_at: &str| Refusal::NotStale {
        last_seen: moment(last_seen),
        stale_at: moment(stale_at),
    };
    let early = later(connected(), 14_999);
    early.when(stale()).refused(refusal(NOON, "2026-01-01T12:00:15Z"));
    later(connected(), 15_000).when(stale()).then_named(&["peer-disconnected"]);
    let heard = later(connected(), 20_000)
        .knowing(|known| known.last_seen = Some(moment("2026-01-01T12:00:10Z")));
    heard.clone().when(stale()).refused(refusal("2026-01-01T12:00:10Z", "2026-01-01T12:00:25Z"));
    later(heard.clone(), 5_000).when(stale()).then_named(&["peer-disconnected"]);
    heard.when(disconnect(Departure::Misbehaved)).then_named(&["peer-disconnected"]);
    // What was heard before it connected does not count against it.
    let old = later(connected(), 14_000)
        .knowing(|known| known.last_seen = Some(moment("2026-01-01T11:00:00Z")));
    old.when(stale()).refused(refusal(NOON, "2026-01-01T12:00:15Z"));
}

#[test]
fn a_banned_node_stays_out_until_the_ban_ends_or_is_lifted() {
    let until = Some(moment("2026-01-01T13:00:00Z"));
    let banned = |disconnected, until| {
        vec![Event::PeerBanned(PeerBanned { disconnected, reason: reason(), until })]
    };
    let story = connected().when(ban(until)).then(banned(true, until));
    assert_eq!(story.state.connected_since, None);
    story.clone().when(ban(until)).then(vec![]);
    story.clone().when(ban(None)).then(banned(false, None));
    story.clone().when(Command::Connect {}).refused(Refusal::Banned { until });
    story.clone().when(announce(Some(address(1)))).refused(Refusal::Banned { until });
    let over = later(story.clone(), 3_600_000);
    over.clone().when(Command::Connect {}).then_named(&["peer-connected"]);
    let nothing = Refusal::NotBanned { peer: peer("node1") };
    over.when(Command::Unban {}).refused(nothing.clone());
    let lifted = Event::PeerUnbanned(PeerUnbanned {});
    let story = story.when(Command::Unban {}).then(vec![lifted]);
    story.clone().when(Command::Unban {}).refused(nothing);
    story.when(Command::Connect {}).then_named(&["peer-connected"]);
    let for_good = later(node().and(ban(None)), 1_000_000_000_000);
    for_good.when(announce(None)).refused(Refusal::Banned { until: None });
}

#[test]
fn a_ban_ends_after_now_and_within_a_year() {
    let (now, latest) = (moment(NOON), moment(NOON).plus_seconds(BAN_S_MAX));
    let outside = |until| Refusal::BanOutside { latest, now, until };
    node().when(ban(Some(now))).refused(outside(now));
    let beyond = now.plus_seconds(BAN_S_MAX + 1);
    node().when(ban(Some(beyond))).refused(outside(beyond));
    node().when(ban(Some(latest))).then_named(&["peer-banned"]);
}

#[test]
fn a_peers_address_is_a_host_and_a_port() {
    for good in ["node.north.example:26656", "192.0.2.7:1", "[2001:db8::1]:65535"] {
        assert!(good.parse::<PeerAddress>().is_ok(), "{good}");
    }
    let bad = ["", "host", "host:", ":1", "host:0", "host:01", "host:65536", "a b:1", "::1:80"];
    for text in bad.into_iter().chain(["[::g]:1", "[]:1", "http://host:1", "host:+1"]) {
        assert!(text.parse::<PeerAddress>().is_err(), "{text}");
    }
    assert!("".parse::<PeerId>().is_err());
    assert!("a-b".parse::<PeerId>().is_err());
    assert!("a".repeat(65).parse::<PeerId>().is_err());
}

fn power(number: u64) -> Power {
    Power::new(number).unwrap()
}

/// Four nodes whose validators have a power of 10 each, and one that looks on.
fn network() -> Given<Partitions> {
    let mut connected: BTreeMap<PeerId, Power> =
        (1..=4).map(|number| (peer(&format!("node{number}")), power(10))).collect();
    connected.insert(peer("observer"), Power::ZERO);
    given(partition::Known { connected, total: power(40) })
}

fn report(groups: &[&[&str]]) -> partition::Command {
    let group = |names: &&[&str]| names.iter().map(|name| peer(name)).collect();
    partition::Command::ReportPartition { groups: groups.iter().map(group).collect() }
}

fn group(names: &[&str], units: u64) -> Group {
    Group { peers: names.iter().map(|name| peer(name)).collect(), power: power(units) }
}

#[test]
fn a_partition_is_known_by_its_groups_and_whether_one_can_go_on() {
    let detected = |groups: Vec<Group>, number, quorum| {
        let total_power = power(40);
        let data = PartitionDetected { groups, number, quorum, total_power };
        vec![partition::Event::PartitionDetected(data)]
    };
    let three = [group(&["node1", "node2", "node3"], 30), group(&["node4", "observer"], 10)];
    let story = network()
        .when(report(&[&["observer", "node4"], &["node3", "node1", "node2"]]))
        .then(detected(three.to_vec(), 1, true));
    // The same groups in another order are the same partition.
    let same: &[&[&str]] = &[&["node2", "node1", "node3"], &["node4", "observer"]];
    story.clone().when(report(same)).then(vec![]);
    let halves = vec![group(&["node1", "node2"], 20), group(&["node3", "node4"], 20)];
    let story = story.when(report(&[&["node1", "node2"], &["node3", "node4"]])).then(detected(
        halves.clone(),
        1,
        false,
    ));
    let healed = partition::Event::PartitionHealed(PartitionHealed { number: 1 });
    let heal = || partition::Command::HealPartition {};
    let story = story.when(heal()).then(vec![healed]);
    story.clone().when(heal()).refused(partition::Refusal::NotPartitioned { partitions: 1 });
    let again = report(&[&["node1", "node2"], &["node3", "node4"]]);
    story.when(again).then(detected(halves, 2, false));
}

#[test]
fn groups_are_two_at_least_and_share_nobody() {
    use partition::Refusal;
    network().when(report(&[&["node1"]])).refused(Refusal::GroupsTooFew { found: 1 });
    network().when(report(&[&["node1"], &[]])).refused(Refusal::GroupEmpty { index: 1 });
    let twice = Refusal::PeerTwice { peer: peer("node1") };
    network().when(report(&[&["node1"], &["node2", "node1"]])).refused(twice);
    let absent = Refusal::PeerNotConnected { peer: peer("node9") };
    network().when(report(&[&["node1"], &["node9"]])).refused(absent);
    let many = vec!["node1"; PEERS_MAX];
    let (found, maximum) = (PEERS_MAX + 1, PEERS_MAX);
    let refusal = Refusal::PeersTooMany { found, maximum };
    network().when(report(&[&many, &["node2"]])).refused(refusal);
}

#[test]
fn exactly_two_thirds_of_the_power_are_not_enough() {
    assert!(is_quorum_lost(power(20), power(30)));
    assert!(!is_quorum_lost(power(21), power(30)));
    assert!(is_quorum_lost(Power::ZERO, Power::ZERO));
}

proptest! {
    /// At most one side of a partition can go on: the two could otherwise disagree.
    #[test]
    fn never_two_groups_can_go_on(
        powers in vec(0..1_000_u64, 2..12),
        sides in vec(0..3_usize, 12),
    ) {
        let names: Vec<String> = (0..powers.len()).map(|number| format!("node{number}")).collect();
        let connected = names.iter().zip(&powers);
        let connected = connected.map(|(name, units)| (peer(name), power(*units))).collect();
        let total = powers.iter().sum();
        let story = given::<Partitions>(partition::Known { connected, total: power(total) });
        let mut groups = vec![Vec::new(); 3];
        for (name, side) in names.iter().zip(&sides) {
            groups[*side].push(peer(name));
        }
        groups.retain(|group| !group.is_empty());
        prop_assume!(groups.len() >= 2);
        let events = story.when(partition::Command::ReportPartition { groups }).events();
        let partition::Event::PartitionDetected(data) = &events[0] else {
            panic!("{events:?}");
        };
        let strong = data.groups.iter().filter(|group| 3 * group.power.value() > 2 * total);
        prop_assert!(strong.clone().count() <= 1);
        prop_assert_eq!(strong.count() == 1, data.quorum);
    }

    /// Whatever happens to a node, it is never connected while it is banned.
    #[test]
    fn a_banned_node_is_never_connected(steps in vec((0..6_u8, 0..100_000_u64), 1..60)) {
        let mut story = node();
        for (kind, wait) in steps {
            story = later(story, wait);
            let command = match kind {
                0 => announce(None),
                1 | 2 => Command::Connect {},
                3 => disconnect(Departure::Closed),
                4 => ban(Some(story.known.now.plus_seconds(60))),
                _ => Command::Unban {},
            };
            if story.state.decide(&command, &story.known).is_ok() {
                story = story.and(command);
            }
            let banned = story.state.ban_at(story.known.now).is_some();
            prop_assert!(!(banned && story.state.connected_since.is_some()));
        }
    }
}

/// A story in which everything happens to a peer.
pub fn one_of_each_of_a_peer() -> Vec<Event> {
    let mut events = node().when(announce(Some(address(1)))).events();
    events.extend(node().and(announce(None)).when(Command::Connect {}).events());
    events.extend(connected().when(disconnect(Departure::Closed)).events());
    let until = Some(moment("2026-02-01T00:00:00Z"));
    events.extend(connected().when(ban(until)).events());
    events.extend(connected().and(ban(until)).when(Command::Unban {}).events());
    events
}

/// Both events of a chain's partitions.
pub fn both_of_a_partition() -> Vec<partition::Event> {
    let torn = || report(&[&["node1", "node2", "node3"], &["node4", "observer"]]);
    let mut events = network().when(torn()).events();
    events.extend(network().and(torn()).when(partition::Command::HealPartition {}).events());
    events
}

/// The examples of the contract, carried out one after the other.
#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    node()
        .and(example("announce"))
        .and(example("connect"))
        .and(example("disconnect"))
        .and(example("ban"))
        .and(example("unban"));
    let example = |name: &str| -> partition::Command {
        serde_json::from_value(partition::Command::example(name).unwrap()).unwrap()
    };
    network().and(example("report-partition")).and(example("heal-partition"));
}
