//! What else happens in a history: to flags, settings, rules, alerts, objectives, nodes and
//! partitions, in turn.
//!
//! Does not take part in the chances of the rest.

use std::{collections::BTreeMap, str::FromStr};

use domain::{
    configuration::{
        Key,
        flag::{self, Flag},
        setting::{self, Rule, Setting},
    },
    monitoring::{
        AlertId, RuleId, SloId,
        alert::{self, Alert},
        rule::{self, AlertRule},
        slo::{self, Slo},
    },
    network::{
        partition::{self, Partitions},
        peer::{self, Peer},
    },
    values::{ChainId, Moment, PeerId, Power, PrincipalId},
};
use projections::event::{Configured, Fact, Monitored, Networked};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::history::History;

/// Every aggregate beside the rest, by its id.
#[derive(Default)]
pub struct Beside {
    pub flags: BTreeMap<Key, Flag>,
    pub settings: BTreeMap<Key, Setting>,
    pub rules: BTreeMap<RuleId, AlertRule>,
    pub alerts: BTreeMap<AlertId, Alert>,
    pub slos: BTreeMap<SloId, Slo>,
    pub peers: BTreeMap<PeerId, Peer>,
    pub partitions: BTreeMap<ChainId, Partitions>,
}

fn named<T: FromStr<Err: std::fmt::Debug>>(text: &str) -> T {
    text.parse().unwrap()
}

fn command<C: DeserializeOwned>(value: Value) -> C {
    serde_json::from_value(value).unwrap()
}

/// Who asks: one of two, in turn.
fn actor(turn: u16) -> Option<PrincipalId> {
    Some(named(["principal-one", "principal-two"][usize::from(turn % 2)]))
}

fn of_flag(turn: u16) -> Value {
    let targets: Vec<String> = (0..turn % 3).map(|n| format!("who-{n}")).collect();
    match turn % 5 {
        0 => json!({"command": "create-flag", "description": "what it switches"}),
        4 => json!({"command": "kill", "reason": "it went wrong"}),
        _ => {
            json!({"command": "set-rollout", "bps": turn.wrapping_mul(977) % 10_001, "targets": targets})
        }
    }
}

fn of_setting(turn: u16, state: &Setting) -> Value {
    let proposal = state.proposals;
    match turn % 7 {
        0 | 3 => json!({"command": "propose", "reason": "it is slow", "value": {"watch_s": turn}}),
        1 | 4 => json!({"command": "approve", "proposal": proposal}),
        2 => json!({"command": "apply", "proposal": proposal}),
        5 if turn.is_multiple_of(2) => {
            json!({"command": "reject", "proposal": proposal, "reason": "not now"})
        }
        5 => json!({"command": "apply", "proposal": proposal}),
        _ => json!({"command": "rollback", "reason": "it is slower", "version": state.current / 2}),
    }
}

fn of_rule(turn: u16) -> Value {
    match turn % 4 {
        0 => json!({
            "command": "define-rule", "comparison": "above", "for_s": turn, "severity": "warning",
            "signal": "projection-lag-ms", "threshold": "1000", "title": "behind",
        }),
        3 => json!({"command": "disable-rule", "reason": "replaced"}),
        _ => json!({"command": "enable-rule"}),
    }
}

fn of_alert(turn: u16, now: Moment) -> Value {
    let severity = ["warning", "critical"][usize::from(turn / 6 % 2)];
    let fire = |pending: bool| {
        json!({
            "command": "fire", "pending": pending, "severity": severity,
            "source": {"kind": "program"}, "summary": format!("measured {turn}"),
        })
    };
    let until = now.plus_seconds(60).to_string();
    match turn % 6 {
        0 => fire(true),
        1 | 3 => fire(false),
        2 => json!({"command": "acknowledge", "note": "looking into it"}),
        4 => json!({"command": "silence", "reason": "known", "until": until}),
        _ => json!({"command": "resolve", "reason": "over"}),
    }
}

fn of_slo(turn: u16) -> Value {
    let windows = [300, 1_800, 3_600, 21_600, 259_200, 2_592_000].map(|window_s: u32| {
        let bad = u32::from(turn % 4) * window_s / 300;
        json!({"bad": bad.to_string(), "total": window_s.to_string(), "window_s": window_s})
    });
    match turn % 9 {
        0 => json!({
            "command": "define-slo", "days": 30, "indicator": {"kind": "availability"},
            "objective_bps": 9_990 + turn / 9 % 2, "title": "answered",
        }),
        _ => json!({"command": "record-slo-state", "windows": windows}),
    }
}

fn of_peer(turn: u16) -> Value {
    match turn % 7 {
        0 => json!({
            "command": "announce", "address": format!("node.example:{}", 26_000 + turn),
            "chain_id": "node0-local",
        }),
        1 | 3 => json!({"command": "connect"}),
        2 => json!({"command": "disconnect", "reason": "stale"}),
        4 => json!({"command": "ban", "reason": "floods"}),
        5 => json!({"command": "connect"}),
        _ => json!({"command": "unban"}),
    }
}

fn of_partition(turn: u16) -> Value {
    match turn % 4 {
        3 => json!({"command": "heal-partition"}),
        1 => json!({"command": "report-partition", "groups": [["a"], ["b"], ["c"]]}),
        _ => json!({"command": "report-partition", "groups": [["a", "b"], ["c"]]}),
    }
}

impl History {
    /// One command to one of two of each kind, in turn.
    pub fn beside(&mut self, turn: u16) {
        let which = usize::from(turn / 14 % 2);
        let key: Key = named(["server.one", "server.two"][which]);
        let now = self.now();
        let mut beside = std::mem::take(&mut self.beside);
        {
            let state = beside.flags.entry(key.clone()).or_default();
            let known = flag::Known { key: key.clone() };
            let of = |event| Fact::Configuration(Configured::Flag(key.clone(), event));
            self.decide::<Flag>(state, &key, &command(of_flag(turn)), &known, of);
        }
        {
            let state = beside.settings.entry(key.clone()).or_default();
            let rule = Some(Rule { faults: Vec::new(), four_eyes: true });
            let known = setting::Known { actor: actor(turn), key: key.clone(), rule };
            let of = |event| Fact::Configuration(Configured::Setting(key.clone(), event));
            let command = command(of_setting(turn, state));
            self.decide::<Setting>(state, &key, &command, &known, of);
        }
        self.monitored(&mut beside, turn, now);
        self.networked(&mut beside, turn, now);
        self.beside = beside;
    }

    fn monitored(&mut self, beside: &mut Beside, turn: u16, now: Moment) {
        let name = ["one", "two"][usize::from(turn / 14 % 2)];
        let id: RuleId = named(name);
        let state = beside.rules.entry(id.clone()).or_default();
        let of = |event| Fact::Monitoring(Monitored::Rule(id.clone(), event));
        let known = rule::Known { id: id.clone() };
        self.decide::<AlertRule>(state, &id, &command(of_rule(turn)), &known, of);

        let id: AlertId = named(name);
        let state = beside.alerts.entry(id.clone()).or_default();
        let of = |event| Fact::Monitoring(Monitored::Alert(id.clone(), event));
        let known = alert::Known { actor: actor(turn), id: id.clone(), now, rule_enabled: false };
        self.decide::<Alert>(state, &id, &command(of_alert(turn, now)), &known, of);

        let id: SloId = named(name);
        let state = beside.slos.entry(id.clone()).or_default();
        let of = |event| Fact::Monitoring(Monitored::Slo(id.clone(), event));
        let known = slo::Known { id: id.clone() };
        self.decide::<Slo>(state, &id, &command(of_slo(turn)), &known, of);
    }

    fn networked(&mut self, beside: &mut Beside, turn: u16, now: Moment) {
        let id: PeerId = named(["node1", "node2"][usize::from(turn / 14 % 2)]);
        let state = beside.peers.entry(id.clone()).or_default();
        let of = |event| Fact::Network(Networked::Peer(id.clone(), event));
        let known = peer::Known {
            id: id.clone(),
            last_seen: None,
            now,
            peer_stale_ms: 0,
            validator_registered: false,
        };
        self.decide::<Peer>(state, &id, &command(of_peer(turn)), &known, of);

        let id: ChainId = named("node0-local");
        let state = beside.partitions.entry(id.clone()).or_default();
        let of = |event| Fact::Network(Networked::Partition(id.clone(), event));
        let connected = ["a", "b", "c"].map(|peer| (named(peer), Power::new(1).unwrap()));
        let total = Power::new(3).unwrap();
        let known = partition::Known { connected: connected.into(), total };
        self.decide::<Partitions>(state, &id, &command(of_partition(turn)), &known, of);
    }
}
