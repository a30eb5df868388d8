//! Settings and flags: given / when / then.

use std::collections::BTreeSet;

use domain::{
    aggregate::Aggregate as _,
    configuration::{
        DEPTH_MAX, DOCUMENT_BYTES_MAX, Document, Key, Subject,
        diff::{Change, diff},
        flag::{self, Flag, FlagChanged, FlagCreated, FlagKilled, TARGETS_MAX, bucket},
        setting::{
            Command, Event, Known, Refusal, Rule, SchemaFault, Setting, SettingApplied,
            SettingApproved, SettingProposed, SettingRejected, SettingRolledBack, VERSIONS_KEPT,
        },
    },
    values::{Bps, PrincipalId, Reason},
};
use proptest::{collection::vec, prelude::*};
use serde_json::{Value, json};

use crate::spec::{Given, assert_survives_storage, given};

fn key(name: &str) -> Key {
    name.parse().unwrap()
}

fn actor(name: &str) -> Option<PrincipalId> {
    Some(name.parse().unwrap())
}

fn document(value: Value) -> Document {
    Document::try_from(value).unwrap()
}

fn reason() -> Reason {
    "larger blocks".parse().unwrap()
}

fn setting() -> Given<Setting> {
    given(Known {
        actor: actor("ann"),
        key: key("protocol.parameters"),
        rule: Some(Rule { faults: Vec::new(), four_eyes: true }),
    })
}

fn by(story: Given<Setting>, name: &str) -> Given<Setting> {
    story.knowing(|known| known.actor = actor(name))
}

fn propose(number: u64) -> Command {
    Command::Propose { reason: reason(), value: document(json!({"block_txs_max": number})) }
}

fn approve(proposal: u32) -> Command {
    Command::Approve { proposal }
}

fn apply(proposal: u32) -> Command {
    Command::Apply { proposal }
}

fn reject(proposal: u32) -> Command {
    Command::Reject { proposal, reason: reason() }
}

fn roll_back(version: u32) -> Command {
    Command::Rollback { reason: reason(), version }
}

/// A value that is in force, after Ann proposed it and Bob approved it.
fn in_force(story: Given<Setting>, number: u64) -> Given<Setting> {
    let story = by(story, "ann").and(propose(number));
    let proposal = story.state.proposals;
    by(story, "bob").and(approve(proposal)).and(apply(proposal))
}

fn violate(known: &mut Known) {
    let sentence = "is less than 1".to_owned();
    let fault = SchemaFault { pointer: "/block_txs_max".to_owned(), sentence };
    known.rule = Some(Rule { faults: vec![fault], four_eyes: true });
}

#[test]
fn a_value_is_proposed_approved_by_another_and_applied() {
    let value = document(json!({"block_txs_max": 20_000}));
    let story =
        setting().when(propose(20_000)).then(vec![Event::SettingProposed(SettingProposed {
            base_version: 0,
            proposal: 1,
            proposed_by: actor("ann"),
            reason: reason(),
            value: value.clone(),
        })]);
    assert_eq!(story.state.value(), None);
    story.clone().when(apply(1)).refused(Refusal::NotApproved { proposal: 1 });
    story.clone().when(approve(1)).refused(Refusal::OwnProposal { proposal: 1 });
    let nobody = story.clone().knowing(|known| known.actor = None);
    nobody.when(approve(1)).refused(Refusal::ApproverMissing { proposal: 1 });
    story.clone().when(approve(2)).refused(Refusal::ProposalUnknown { proposal: 2 });
    let approved_by = actor("bob");
    let story = by(story, "bob")
        .when(approve(1))
        .then(vec![Event::SettingApproved(SettingApproved { approved_by, proposal: 1 })]);
    story.clone().when(approve(1)).then(vec![]);
    let applied = SettingApplied { proposal: 1, value: value.clone(), version: 1 };
    let story = story.when(apply(1)).then(vec![Event::SettingApplied(applied)]);
    assert_eq!(story.state.value(), Some(&value));
    story.clone().when(apply(1)).then(vec![]);
    story.clone().when(apply(0)).refused(Refusal::ProposalUnknown { proposal: 0 });
    story.when(propose(20_000)).refused(Refusal::NothingChanges { version: 1 });
}

#[test]
fn who_proposed_may_approve_where_the_key_does_not_ask_for_another() {
    let story = setting().knowing(|known| known.rule = Some(Rule::default())).and(propose(7));
    story.clone().when(approve(1)).then_named(&["setting-approved"]);
    let program = story.knowing(|known| known.actor = None);
    program.when(approve(1)).then_named(&["setting-approved"]);
}

#[test]
fn one_proposal_is_open_at_a_time_and_may_be_rejected() {
    let story = setting().and(propose(7));
    story.clone().when(propose(8)).refused(Refusal::ProposalOpen { proposal: 1 });
    let rejected = SettingRejected { proposal: 1, reason: reason(), rejected_by: actor("ann") };
    let story = story.when(reject(1)).then(vec![Event::SettingRejected(rejected)]);
    story.clone().when(reject(1)).refused(Refusal::ProposalUnknown { proposal: 1 });
    story.clone().when(approve(1)).refused(Refusal::ProposalUnknown { proposal: 1 });
    story.clone().when(apply(1)).refused(Refusal::ProposalUnknown { proposal: 1 });
    let events = story.when(propose(8)).events();
    let numbered = matches!(&events[0], Event::SettingProposed(data) if data.proposal == 2);
    assert!(numbered, "{events:?}");
}

#[test]
fn a_value_keeps_its_schema_when_proposed_applied_and_rolled_back_to() {
    let refused = |story: Given<Setting>, command: Command| match story
        .knowing(violate)
        .when(command)
        .refused_as("schema-violated")
    {
        Refusal::SchemaViolated { count, faults } => {
            assert_eq!((count, faults[0].pointer.as_str()), (1, "/block_txs_max"));
        }
        other => panic!("{other}"),
    };
    refused(setting(), propose(0));
    refused(by(setting().and(propose(7)), "bob").and(approve(1)), apply(1));
    refused(in_force(setting(), 7), roll_back(0));
    let unknown = setting().knowing(|known| known.rule = None);
    for command in [propose(1), approve(1), apply(1), reject(1), roll_back(1)] {
        let key = key("protocol.parameters");
        unknown.clone().when(command).refused(Refusal::KeyUnknown { key });
    }
}

#[test]
fn an_earlier_value_comes_back_as_a_new_version() {
    let story = in_force(in_force(setting(), 7), 8);
    let value = Some(document(json!({"block_txs_max": 7})));
    let rolled_back = |restored, value, version| {
        let rolled_back_by = actor("bob");
        let reason = reason();
        let data = SettingRolledBack { reason, restored, rolled_back_by, value, version };
        vec![Event::SettingRolledBack(data)]
    };
    story.clone().when(roll_back(2)).refused(Refusal::NothingChanges { version: 2 });
    let unknown = Refusal::VersionUnknown { newest: 2, version: 3 };
    story.clone().when(roll_back(3)).refused(unknown);
    let story = story.when(roll_back(1)).then(rolled_back(1, value.clone(), 3));
    assert_eq!(story.state.value(), value.as_ref());
    let story = story.when(roll_back(0)).then(rolled_back(0, None, 4));
    assert_eq!((story.state.value(), story.state.current), (None, 4));
    story.when(roll_back(2)).then_named(&["setting-rolled-back"]);
}

#[test]
fn a_proposal_stands_only_on_the_version_it_was_compared_with() {
    let story = by(in_force(setting(), 7).and(propose(8)), "ann");
    let moved = story.clone().and(roll_back(0));
    let refusal = Refusal::BaseMoved { base: 1, version: 2 };
    moved.when(approve(2)).refused(refusal.clone());
    let moved = by(story, "cem").and(approve(2)).and(roll_back(0));
    moved.clone().when(apply(2)).refused(refusal);
    moved.and(reject(2)).when(propose(8)).then_named(&["setting-proposed"]);
}

#[test]
fn only_the_last_versions_are_kept() {
    let count = u32::try_from(VERSIONS_KEPT).unwrap() + 5;
    let story = (1..=count).fold(setting(), |story, number| in_force(story, number.into()));
    let oldest = count - u32::try_from(VERSIONS_KEPT).unwrap();
    let gone = Refusal::VersionUnknown { newest: count, version: oldest - 1 };
    story.clone().when(roll_back(oldest - 1)).refused(gone);
    story.clone().when(roll_back(oldest)).then_named(&["setting-rolled-back"]);
    story.when(roll_back(0)).then_named(&["setting-rolled-back"]);
}

#[test]
fn secrets_are_no_settings() {
    let propose = |value: Value| Command::Propose { reason: reason(), value: document(value) };
    for (value, pointer) in [
        (json!({"smtp": {"password": "hunter2"}}), "/smtp/password"),
        (json!({"hooks": [{"url": "x"}, {"Signing-Secret": "s3"}]}), "/hooks/1/Signing-Secret"),
        (json!({"tokens": ["abc"]}), "/tokens/0"),
        (json!({"tls": "-----BEGIN PRIVATE KEY-----"}), "/tls"),
    ] {
        let refusal = Refusal::SecretRefused { pointer: pointer.to_owned() };
        assert!(!refusal.to_string().contains("hunter2"));
        setting().when(propose(value)).refused(refusal);
    }
    // A number about secrets is none.
    let lifetime = json!({"token_lifetime_s": 900, "password": ""});
    setting().when(propose(lifetime)).then_named(&["setting-proposed"]);
    let named = setting().knowing(|known| known.key = key("smtp.password"));
    named
        .when(propose(json!("hunter2")))
        .refused(Refusal::SecretRefused { pointer: String::new() });
}

#[test]
fn a_value_is_json_of_one_form() {
    let read = |value: Value| Document::try_from(value);
    for value in [json!(1.5), json!(1_u64 << 53), json!(-(1_i64 << 53)), json!({"a b": 1})] {
        assert!(read(value.clone()).is_err(), "{value}");
    }
    assert!(read(json!((1_u64 << 53) - 1)).is_ok());
    assert!(read(json!("x".repeat(DOCUMENT_BYTES_MAX))).is_err());
    let nested = |depth: usize| (0..depth).fold(json!(1), |inner, _| json!([inner]));
    assert!(read(nested(DEPTH_MAX)).is_ok());
    assert!(read(nested(DEPTH_MAX + 1)).is_err());
    for name in ["", "A", "a..b", ".a", "a.", "1a", "a b", &"a".repeat(65)] {
        assert!(name.parse::<Key>().is_err(), "{name}");
    }
    assert!("a b".parse::<Subject>().is_err());
}

#[test]
fn a_difference_names_what_came_went_and_changed() {
    let (before, after) =
        (json!({"a": 1, "b": {"c": 2, "d": [1]}}), json!({"b": {"c": 3, "d": [1]}, "e/f": 4}));
    let change = |pointer: &str, from: Option<Value>, to: Option<Value>| Change {
        from,
        pointer: pointer.to_owned(),
        to,
    };
    assert_eq!(
        diff(Some(&before), Some(&after)),
        [
            change("/a", Some(json!(1)), None),
            change("/b/c", Some(json!(2)), Some(json!(3))),
            change("/e~1f", None, Some(json!(4))),
        ]
    );
    assert_eq!(diff(None, Some(&json!(1))), [change("", None, Some(json!(1)))]);
    assert_eq!(diff(None, None), []);
}

fn new_flag() -> Given<Flag> {
    given(flag::Known { key: key("dashboard") })
}

fn create() -> flag::Command {
    flag::Command::CreateFlag { description: "the new dashboard".parse().unwrap() }
}

fn kill() -> flag::Command {
    flag::Command::Kill { reason: "it shows the wrong figures".parse().unwrap() }
}

fn subject(name: &str) -> Subject {
    name.parse().unwrap()
}

fn roll_out(bps: u16, targets: &[&str]) -> flag::Command {
    let targets = targets.iter().map(|name| subject(name)).collect();
    flag::Command::SetRollout { bps: Bps::try_from(bps).unwrap(), targets }
}

#[test]
fn a_flag_is_off_until_it_is_rolled_out_and_after_it_was_killed() {
    let flag = key("dashboard");
    let description = "the new dashboard".parse().unwrap();
    new_flag().when(roll_out(1, &[])).refused(flag::Refusal::FlagUnknown { key: flag.clone() });
    new_flag().when(kill()).refused(flag::Refusal::FlagUnknown { key: flag.clone() });
    assert!(!Flag::default().is_on(&flag, &subject("ann")));
    let created = flag::Event::FlagCreated(FlagCreated { description });
    let story = new_flag().when(create()).then(vec![created]);
    story.clone().when(create()).refused(flag::Refusal::FlagKnown { key: flag.clone() });
    assert!(!story.state.is_on(&flag, &subject("ann")));
    let changed = FlagChanged { bps: Bps::ZERO, targets: vec![subject("ann"), subject("bob")] };
    let story = story
        .when(roll_out(0, &["bob", "ann", "bob"]))
        .then(vec![flag::Event::FlagChanged(changed)]);
    story.clone().when(roll_out(0, &["ann", "bob"])).then(vec![]);
    assert!(story.state.is_on(&flag, &subject("ann")));
    assert!(!story.state.is_on(&flag, &subject("cem")));
    let reason = "it shows the wrong figures".parse().unwrap();
    let killed = flag::Event::FlagKilled(FlagKilled { reason });
    let story = story.and(roll_out(10_000, &[])).when(kill()).then(vec![killed]);
    story.clone().when(kill()).then(vec![]);
    assert!(!story.state.is_on(&flag, &subject("ann")));
    story.clone().when(roll_out(1, &[])).refused(flag::Refusal::FlagKilled { key: flag.clone() });
    let anew = story.when(create()).then_named(&["flag-created"]);
    assert!(!anew.state.is_on(&flag, &subject("ann")));
}

#[test]
fn a_rollout_names_only_so_many() {
    let names: Vec<String> = (0..=TARGETS_MAX).map(|number| format!("subject-{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let (found, maximum) = (TARGETS_MAX + 1, TARGETS_MAX);
    let refusal = flag::Refusal::TargetsTooMany { found, maximum };
    new_flag().and(create()).when(roll_out(0, &names)).refused(refusal);
}

/// The places are a promise to every process, of today and of later: they never change.
#[test]
fn the_place_of_a_subject_is_written_down() {
    // SHA-256 of the text in the documentation of `bucket`, computed elsewhere.
    assert_eq!(bucket(&key("dashboard"), &subject("principal-north")), PLACE_NORTH);
    assert_eq!(bucket(&key("dashboard"), &subject("principal-south")), PLACE_SOUTH);
    assert_eq!(bucket(&key("search"), &subject("principal-north")), PLACE_SEARCH);
}

const PLACE_NORTH: u16 = 3_383;
const PLACE_SOUTH: u16 = 6_127;
const PLACE_SEARCH: u16 = 2_235;

#[test]
fn a_fifth_is_about_a_fifth() {
    let flag = new_flag().and(create()).and(roll_out(2_000, &[])).state;
    let is_on = |number: &u32| flag.is_on(&key("dashboard"), &subject(&format!("s{number}")));
    let on = (0..20_000).filter(is_on).count();
    // Ten standard deviations on either side: a shifted or lumpy distribution falls outside.
    assert!((3_434..4_566).contains(&on), "{on} of 20000");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_i64..9).prop_map(Value::from),
        "[a-z é\"\\\\]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(Value::from),
            vec(("[a-d._-]{1,2}", inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// Puts a change into effect, as a reader of the difference would.
fn patch(whole: Option<Value>, change: &Change) -> Option<Value> {
    let Some((parent, name)) = change.pointer.rsplit_once('/') else { return change.to.clone() };
    let mut whole = whole.unwrap();
    let members = whole.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    let name = name.replace("~1", "/").replace("~0", "~");
    match &change.to {
        Some(value) => members.insert(name, value.clone()),
        None => members.remove(&name),
    };
    Some(whole)
}

proptest! {
    #[test]
    fn a_difference_leads_from_one_value_to_the_other(from in values(), to in values()) {
        let changes = diff(Some(&from), Some(&to));
        prop_assert_eq!(changes.is_empty(), from == to);
        let arrived = changes.iter().fold(Some(from), patch);
        prop_assert_eq!(arrived, Some(to));
    }

    #[test]
    fn every_value_that_is_read_is_stored_canonically(value in values()) {
        let value = document(value);
        assert_survives_storage(&Event::SettingApplied(SettingApplied {
            proposal: 1,
            value,
            version: 1,
        }));
    }

    /// Whoever has a flag keeps it while the rollout grows, and the answer is the same each time.
    #[test]
    fn a_greater_rollout_only_adds_subjects(
        name in "[a-z]{1,9}",
        subjects in vec("[!-~]{1,20}", 1..30),
        mut steps in vec(0..=10_000_u16, 2..6),
    ) {
        steps.sort_unstable();
        let key = key(&name);
        let mut story = given::<Flag>(flag::Known { key: key.clone() }).and(create());
        let mut before: BTreeSet<Subject> = BTreeSet::new();
        for bps in steps {
            story = story.and(roll_out(bps, &[]));
            let subjects = subjects.iter().map(|text| text.parse::<Subject>().unwrap());
            let now: BTreeSet<Subject> =
                subjects.filter(|subject| story.state.is_on(&key, subject)).collect();
            prop_assert!(before.is_subset(&now));
            prop_assert!(now.iter().all(|subject| bucket(&key, subject) < bps));
            before = now;
        }
    }

    /// However proposals, approvals and rollbacks come, nobody puts a value of their own in force.
    #[test]
    fn nothing_is_in_force_that_only_its_proposer_wanted(
        steps in vec((0..5_u8, 0..3_u8, 0..4_u32), 1..60),
    ) {
        let mut story = setting();
        let mut proposed_by = None;
        let mut approved_by = None;
        for (kind, who, number) in steps {
            let name = ["ann", "bob", "cem"][usize::from(who)];
            story = by(story, name);
            let proposal = story.state.proposals;
            let command = match kind {
                0 => propose(number.into()),
                1 => approve(proposal),
                2 => apply(proposal),
                3 => reject(proposal),
                _ => roll_back(number),
            };
            let events = story.state.decide(&command, &story.known).unwrap_or_default();
            for event in &events {
                match event {
                    Event::SettingProposed(_) => {
                        (proposed_by, approved_by) = (Some(name), None);
                    }
                    Event::SettingApproved(_) => approved_by = Some(name),
                    Event::SettingApplied(_) => {
                        prop_assert!(approved_by.is_some());
                        prop_assert_ne!(proposed_by, approved_by);
                    }
                    Event::SettingRejected(_) | Event::SettingRolledBack(_) => {}
                }
            }
            if !events.is_empty() {
                let version = story.state.current;
                story = story.and(command);
                prop_assert!(story.state.current == version || story.state.current == version + 1);
            }
        }
    }
}

/// A story in which everything happens to a setting.
pub fn one_of_each_of_a_setting() -> Vec<Event> {
    let mut events = setting().when(propose(20_000)).events();
    let open = by(setting().and(propose(20_000)), "bob");
    events.extend(open.clone().when(reject(1)).events());
    events.extend(open.clone().when(approve(1)).events());
    events.extend(open.clone().and(approve(1)).when(apply(1)).events());
    let story = in_force(in_force(setting(), 20_000), 30_000);
    events.extend(story.when(roll_back(1)).events());
    events
}

/// A story in which everything happens to a flag.
pub fn one_of_each_of_a_flag() -> Vec<flag::Event> {
    let mut events = new_flag().when(create()).events();
    events.extend(new_flag().and(create()).when(roll_out(2_000, &["ann"])).events());
    events.extend(new_flag().and(create()).when(kill()).events());
    events
}

/// The examples of the contract, carried out one after the other.
#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    by(setting().and(example("propose")), "bob").and(example("reject"));
    by(setting().and(example("propose")), "bob")
        .and(example("approve"))
        .and(example("apply"))
        .and(example("rollback"));
    let example = |name: &str| -> flag::Command {
        serde_json::from_value(flag::Command::example(name).unwrap()).unwrap()
    };
    new_flag().and(example("create-flag")).and(example("set-rollout")).and(example("kill"));
}
