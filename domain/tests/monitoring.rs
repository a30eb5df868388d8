//! Rules, alerts and objectives: given / when / then.

use domain::{
    aggregate::Aggregate as _,
    monitoring::{
        Count, RuleId, Severity,
        alert::{
            Alert, AlertAcknowledged, AlertFired, AlertPending, AlertResolved, AlertSilenced,
            Command, Event, Known, Refusal, SILENCE_S_MAX, Source, Standing,
        },
        rule::{
            self, AlertRule, Comparison, FOR_S_MAX, RuleDefinition, RuleDisabled, RuleEnabled,
            Signal, Verdict,
        },
        slo::{
            self, DAYS_MAX, DAYS_MIN, Indicator, Slo, SloDefinition, SloStateRecorded, TIERS,
            Urgency, WINDOWS_S, Window, assess,
        },
    },
    values::{Bps, Label, Moment, PrincipalId, Reason},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    fixture::moment,
    spec::{Given, given},
};

const NOON: &str = "2026-01-01T12:00:00Z";
const DAY_S: u32 = 86_400;

fn count(number: u64) -> Count {
    Count::new(number).unwrap()
}

fn reason() -> Reason {
    "maintenance".parse().unwrap()
}

fn ann() -> PrincipalId {
    "ann".parse().unwrap()
}

fn lag() -> RuleId {
    "projection-lag".parse().unwrap()
}

fn definition() -> RuleDefinition {
    RuleDefinition {
        comparison: Comparison::Above,
        for_s: 60,
        runbook: Some("https://north.example/runbooks/lag".parse().unwrap()),
        severity: Severity::Warning,
        signal: Signal::ProjectionLagMs,
        threshold: count(1_000),
        title: "read models are behind".parse().unwrap(),
    }
}

fn no_rule() -> Given<AlertRule> {
    given(rule::Known { id: lag() })
}

fn define() -> rule::Command {
    rule::Command::DefineRule(definition())
}

fn disable() -> rule::Command {
    rule::Command::DisableRule { reason: reason() }
}

#[test]
fn a_rule_is_defined_taken_in_use_and_out_of_use() {
    use rule::{Command, Event, Refusal};
    let unknown = Refusal::RuleUnknown { rule: lag() };
    no_rule().when(Command::EnableRule {}).refused(unknown.clone());
    no_rule().when(disable()).refused(unknown);
    let story = no_rule().when(define()).then(vec![Event::RuleDefined(definition())]);
    story.clone().when(define()).then(vec![]);
    story.clone().when(disable()).refused(Refusal::NotEnabled { rule: lag() });
    let enabled = Event::RuleEnabled(RuleEnabled {});
    let story = story.when(Command::EnableRule {}).then(vec![enabled]);
    story.clone().when(Command::EnableRule {}).then(vec![]);
    let other = RuleDefinition { threshold: count(2_000), ..definition() };
    let changed = story.clone().when(Command::DefineRule(other)).then_named(&["rule-defined"]);
    assert_eq!(changed.state.standing, rule::Standing::Enabled);
    let disabled = Event::RuleDisabled(RuleDisabled { reason: reason() });
    let story = story.when(disable()).then(vec![disabled]);
    story.clone().when(disable()).then(vec![]);
    story.when(Command::EnableRule {}).then_named(&["rule-enabled"]);
    let (for_s, maximum) = (FOR_S_MAX + 1, FOR_S_MAX);
    let slow = RuleDefinition { for_s, ..definition() };
    let refusal = Refusal::WaitTooLong { for_s, maximum };
    no_rule().when(Command::DefineRule(slow)).refused(refusal);
}

#[test]
fn a_rule_speaks_after_a_measure_was_out_of_bounds_for_long_enough() {
    let (rule, now) = (definition(), moment(NOON));
    let ago = |seconds: i64| Moment::from_micros(now.micros() - seconds * 1_000_000);
    assert_eq!(rule.verdict(count(1_000), Some(ago(600)), now), Verdict::Quiet);
    assert_eq!(rule.verdict(count(1_001), None, now), Verdict::Pending { since: now });
    let since = ago(59);
    assert_eq!(rule.verdict(count(1_001), Some(since), now), Verdict::Pending { since });
    let since = ago(60);
    assert_eq!(rule.verdict(count(1_001), Some(since), now), Verdict::Firing { since });
    let below = RuleDefinition { comparison: Comparison::Below, for_s: 0, ..definition() };
    assert_eq!(below.verdict(count(1_000), None, now), Verdict::Quiet);
    assert_eq!(below.verdict(count(999), None, now), Verdict::Firing { since: now });
    // A clock that went back does not make it wait for longer than it says.
    assert_eq!(below.verdict(count(999), Some(ago(-60)), now), Verdict::Firing { since: now });
}

fn alert() -> Given<Alert> {
    given(Known {
        actor: Some(ann()),
        id: "1a30ba71cca2921f".parse().unwrap(),
        now: moment(NOON),
        rule_enabled: true,
    })
}

fn by_rule() -> Source {
    Source::Rule { rule: lag() }
}

fn summary() -> Label {
    "read models are 4,210 ms behind".parse().unwrap()
}

fn raise(pending: bool, severity: Severity, source: Source) -> Command {
    Command::Fire { pending, severity, source, summary: summary() }
}

fn fire() -> Command {
    raise(false, Severity::Critical, by_rule())
}

fn silence(until: &str) -> Command {
    Command::Silence { reason: reason(), until: moment(until) }
}

fn acknowledge() -> Command {
    Command::Acknowledge { note: None }
}

fn resolve() -> Command {
    Command::Resolve { reason: None }
}

fn fired(occurrence: u32, severity: Severity, silenced: bool) -> Vec<Event> {
    let (source, summary) = (by_rule(), summary());
    vec![Event::AlertFired(AlertFired { occurrence, severity, silenced, source, summary })]
}

#[test]
fn an_alert_may_come_is_there_is_looked_after_and_is_over() {
    let severity = Severity::Critical;
    let pending = || raise(true, severity, by_rule());
    let (source, summary) = (by_rule(), summary());
    let coming = AlertPending { occurrence: 1, severity, source, summary };
    let story = alert().when(pending()).then(vec![Event::AlertPending(coming)]);
    story.clone().when(pending()).then(vec![]);
    story.clone().when(acknowledge()).refused(Refusal::StandingForbids {
        command: "be acknowledged",
        standing: Standing::Pending,
    });
    let story = story.when(fire()).then(fired(1, severity, false));
    story.clone().when(fire()).then(vec![]);
    // What is there does not become less by being measured again.
    story.clone().when(pending()).then(vec![]);
    let note: Option<Reason> = Some("looking into it".parse().unwrap());
    let looked = AlertAcknowledged { acknowledged_by: ann(), note: note.clone(), occurrence: 1 };
    let program = story.clone().knowing(|known| known.actor = None);
    program.when(acknowledge()).refused(Refusal::NobodyAcknowledges);
    let story =
        story.when(Command::Acknowledge { note }).then(vec![Event::AlertAcknowledged(looked)]);
    story.clone().when(acknowledge()).then(vec![]);
    story.clone().when(fire()).then(vec![]);
    let over = AlertResolved { occurrence: 1, reason: None };
    let story = story.when(resolve()).then(vec![Event::AlertResolved(over)]);
    story.clone().when(resolve()).then(vec![]);
    story.clone().when(acknowledge()).refused_as("standing-forbids");
    story.when(fire()).then(fired(2, severity, false));
}

#[test]
fn nothing_is_done_about_an_alert_that_never_was() {
    alert().when(acknowledge()).refused_as("standing-forbids");
    alert().when(resolve()).refused_as("standing-forbids");
    alert().when(silence("2026-01-02T00:00:00Z")).refused_as("standing-forbids");
    alert()
        .and(raise(true, Severity::Info, by_rule()))
        .when(resolve())
        .then_named(&["alert-resolved"]);
}

#[test]
fn an_alert_that_gets_worse_is_told_again() {
    let worse = alert().and(raise(false, Severity::Warning, by_rule())).and(acknowledge());
    let story = worse.when(fire()).then(fired(1, Severity::Critical, false));
    assert_eq!(story.state.standing, Standing::Firing);
}

#[test]
fn only_an_enabled_rule_raises_alerts_and_others_raise_their_own() {
    let disabled = alert().knowing(|known| known.rule_enabled = false);
    disabled.clone().when(fire()).refused(Refusal::RuleNotEnabled { rule: lag() });
    for source in [Source::Alertmanager {}, Source::Program {}] {
        let raised = disabled.clone().when(raise(false, Severity::Critical, source));
        // It is over even when the rule is not in use any more.
        raised.then_named(&["alert-fired"]).when(resolve()).then_named(&["alert-resolved"]);
    }
}

#[test]
fn a_silenced_alert_is_recorded_all_the_same() {
    let until = moment("2026-01-02T00:00:00Z");
    let (now, latest) = (moment(NOON), moment(NOON).plus_seconds(SILENCE_S_MAX));
    let story = alert().and(fire());
    story.clone().when(silence(NOON)).refused(Refusal::SilenceOutside { latest, now, until: now });
    story.clone().when(silence("2026-02-01T00:00:00Z")).refused_as("silence-outside");
    let silenced = AlertSilenced { reason: reason(), silenced_by: Some(ann()), until };
    let story =
        story.when(silence("2026-01-02T00:00:00Z")).then(vec![Event::AlertSilenced(silenced)]);
    story.clone().when(silence("2026-01-02T00:00:00Z")).then(vec![]);
    assert!(story.state.is_silenced_at(now));
    assert!(!story.state.is_silenced_at(until));
    let again = story.and(resolve());
    again.clone().when(fire()).then(fired(2, Severity::Critical, true));
    let late = again.knowing(|known| known.now = until);
    late.when(fire()).then(fired(2, Severity::Critical, false));
}

fn objective() -> SloDefinition {
    SloDefinition {
        days: 30,
        indicator: Indicator::Availability {},
        objective_bps: Bps::try_from(9_990).unwrap(),
        title: "requests are answered".parse().unwrap(),
    }
}

fn no_slo() -> Given<Slo> {
    given(slo::Known { id: "availability".parse().unwrap() })
}

fn slo() -> Given<Slo> {
    no_slo().and(slo::Command::DefineSlo(objective()))
}

/// The same rate of faults, bad of a thousand each second, over every window.
fn steady(bad_per_million: u64) -> Vec<Window> {
    let lengths = WINDOWS_S.into_iter().chain([30 * DAY_S]);
    let window = |window_s: u32| Window {
        bad: count(u64::from(window_s) * bad_per_million),
        total: count(u64::from(window_s) * 1_000_000),
        window_s,
    };
    lengths.map(window).collect()
}

fn record(windows: Vec<Window>) -> slo::Command {
    slo::Command::RecordSloState { windows }
}

/// Changes the counts of one window.
fn with_window(mut windows: Vec<Window>, window_s: u32, bad: u64, total: u64) -> Vec<Window> {
    for window in windows.iter_mut().filter(|window| window.window_s == window_s) {
        (window.bad, window.total) = (count(bad), count(total));
    }
    windows
}

#[test]
fn an_objective_leaves_something_to_burn_over_a_week_at_least() {
    use slo::{Command, Event, Refusal};
    let defined = vec![Event::SloDefined(objective())];
    let story = no_slo().when(Command::DefineSlo(objective())).then(defined);
    story.when(Command::DefineSlo(objective())).then(vec![]);
    for objective_bps in [Bps::ZERO, Bps::WHOLE] {
        let wanted = Command::DefineSlo(SloDefinition { objective_bps, ..objective() });
        no_slo().when(wanted).refused(Refusal::ObjectiveWithoutBudget { objective: objective_bps });
    }
    for days in [DAYS_MIN - 1, DAYS_MAX + 1] {
        let refusal = Refusal::DaysOutside { days, maximum: DAYS_MAX, minimum: DAYS_MIN };
        let wanted = Command::DefineSlo(SloDefinition { days, ..objective() });
        no_slo().when(wanted).refused(refusal);
    }
    let slo = "availability".parse().unwrap();
    no_slo().when(record(steady(0))).refused(Refusal::SloUnknown { slo });
}

/// The table of the SRE workbook, chapter 5: long windows, burn rates, and the part of the budget
/// of 30 days that is used when the long window is over.
#[test]
fn the_tiers_are_those_of_the_workbook() {
    let used_bps = |tier: &slo::Tier| {
        u64::from(tier.long_s) * u64::from(tier.burn_milli) * 10 / u64::from(30 * DAY_S)
    };
    let table: Vec<_> =
        TIERS.iter().map(|tier| (tier.long_s / 3_600, tier.burn_milli, used_bps(tier))).collect();
    assert_eq!(table, [(1, 14_400, 200), (6, 6_000, 500), (72, 1_000, 1_000)]);
    for tier in TIERS {
        assert_eq!(tier.short_s * 12, tier.long_s);
        assert!(WINDOWS_S.contains(&tier.long_s) && WINDOWS_S.contains(&tier.short_s));
    }
}

#[test]
fn urgency_follows_the_burn_rate_in_both_windows_of_a_tier() {
    // One in a thousand may go wrong: 14,400 of a million is a burn rate of 14.4.
    let urgency = |windows: &[Window]| assess(&objective(), windows).unwrap().urgency;
    for (bad, expected) in [
        (0, Urgency::None),
        (1_000, Urgency::None),
        (1_001, Urgency::Ticket),
        (6_000, Urgency::Ticket),
        (6_001, Urgency::Page),
        (14_401, Urgency::Page),
        (1_000_000, Urgency::Page),
    ] {
        assert_eq!(urgency(&steady(bad)), expected, "{bad}");
    }
    // Over an hour it burnt, over the last five minutes it no longer does: it is over.
    let hour = with_window(steady(0), 3_600, 72_000_000, 3_600_000_000);
    let longer = [(21_600, 72_000_000), (259_200, 72_000_000), (30 * DAY_S, 72_000_000)];
    let hour = longer.into_iter().fold(hour, |windows, (window_s, bad)| {
        with_window(windows, window_s, bad, u64::from(window_s) * 1_000_000)
    });
    assert_eq!(urgency(&hour), Urgency::None);
    let still = with_window(hour, 300, 6_000_000, 300_000_000);
    let still = with_window(still, 1_800, 6_000_000, 1_800_000_000);
    assert_eq!(urgency(&still), Urgency::Page);
}

#[test]
fn the_budget_that_is_left_and_the_burn_rate_are_exact() {
    let of = |bad| assess(&objective(), &steady(bad)).unwrap();
    assert_eq!((of(0).budget_left, of(0).burn_milli), (Bps::WHOLE, 0));
    assert_eq!((of(250).budget_left.value(), of(250).burn_milli), (7_500, 250));
    assert_eq!((of(1_000).budget_left, of(1_000).burn_milli), (Bps::ZERO, 1_000));
    let all = of(1_000_000);
    assert_eq!((all.budget_left, all.burn_milli), (Bps::ZERO, 1_000_000));
    let nothing: Vec<_> = steady(0)
        .into_iter()
        .map(|window| Window { bad: count(0), total: count(0), ..window })
        .collect();
    let quiet = assess(&objective(), &nothing).unwrap();
    assert_eq!(
        (quiet.budget_left, quiet.burn_milli, quiet.urgency),
        (Bps::WHOLE, 0, Urgency::None)
    );
}

#[test]
fn counts_become_an_event_only_when_something_changes() {
    let recorded = |budget: u16, burn_milli, urgency| {
        let budget_left_bps = Bps::try_from(budget).unwrap();
        let state = SloStateRecorded { budget_left_bps, burn_milli, urgency };
        vec![slo::Event::SloStateRecorded(state)]
    };
    let story = slo().when(record(steady(10))).then(recorded(9_900, 10, Urgency::None));
    let story = story.when(record(steady(90))).then(vec![]);
    let story = story.when(record(steady(110))).then(recorded(8_900, 110, Urgency::None));
    let story = story.when(record(steady(2_000))).then(recorded(0, 2_000, Urgency::Ticket));
    let story = story.when(record(steady(3_000))).then(vec![]);
    let story = story.when(record(steady(7_000))).then(recorded(0, 7_000, Urgency::Page));
    // Another objective begins anew.
    let stricter = Bps::try_from(9_900).unwrap();
    let other = SloDefinition { objective_bps: stricter, ..objective() };
    let story = story.and(slo::Command::DefineSlo(other));
    assert_eq!(story.state.state, None);
    story.when(record(steady(7_000))).then(recorded(3_000, 700, Urgency::None));
}

#[test]
fn counts_that_cannot_be_are_refused() {
    use slo::Refusal;
    let broken = with_window(steady(0), 300, 2, 1);
    let refusal = Refusal::CountsImpossible { bad: count(2), total: count(1), window_s: 300 };
    slo().when(record(broken)).refused(refusal);
    for window_s in WINDOWS_S.into_iter().chain([30 * DAY_S]) {
        let rest = steady(0).into_iter().filter(|window| window.window_s != window_s).collect();
        slo().when(record(rest)).refused(Refusal::WindowMissing { window_s });
        let mut twice = steady(0);
        twice.extend(steady(0).into_iter().filter(|window| window.window_s == window_s));
        slo().when(record(twice)).refused(Refusal::WindowUnexpected { window_s });
    }
    let mut strange = steady(0);
    strange.push(Window { bad: count(0), total: count(0), window_s: 7 });
    slo().when(record(strange)).refused(Refusal::WindowUnexpected { window_s: 7 });
    let less = with_window(steady(0), 3_600, 0, 1);
    let refusal = Refusal::WindowsContradict { long_s: 3_600, short_s: 1_800 };
    slo().when(record(less)).refused(refusal);
}

#[test]
fn a_count_is_a_plain_decimal_string() {
    assert!("9007199254740991".parse::<Count>().is_ok());
    for text in ["", "-1", "01", "1.0", "9007199254740992", "99999999999999999999999"] {
        assert!(text.parse::<Count>().is_err(), "{text}");
    }
    assert!(serde_json::from_str::<Count>("5").is_err());
}

proptest! {
    /// More faults never make it less urgent, nor leave more of the budget.
    #[test]
    fn more_faults_are_never_better(
        bps in 1..10_000_u16,
        steps in vec((0..2_000_u64, 0..2_000_u64), 6),
    ) {
        let definition =
            SloDefinition { objective_bps: Bps::try_from(bps).unwrap(), ..objective() };
        let lengths = WINDOWS_S.into_iter().chain([30 * DAY_S]);
        let (mut better, mut worse) = (Vec::new(), Vec::new());
        let (mut bad, mut more) = (0, 0);
        for (window_s, (faults, further)) in lengths.zip(steps) {
            (bad, more) = (bad + faults, more + further);
            let total = count(10 * u64::from(window_s) + 30_000);
            better.push(Window { bad: count(bad), total, window_s });
            worse.push(Window { bad: count(bad + more), total, window_s });
        }
        let better = assess(&definition, &better).unwrap();
        let worse = assess(&definition, &worse).unwrap();
        prop_assert!(worse.urgency >= better.urgency);
        prop_assert!(worse.budget_left <= better.budget_left);
        prop_assert!(worse.burn_milli >= better.burn_milli);
    }

    /// An alert's occurrences count up by one, and each ends before the next begins.
    #[test]
    fn occurrences_follow_one_another(steps in vec(0..5_u8, 1..60)) {
        let mut story = alert();
        let mut open = false;
        for kind in steps {
            let command = match kind {
                0 => raise(true, Severity::Warning, by_rule()),
                1 => raise(false, Severity::Warning, by_rule()),
                2 => fire(),
                3 => acknowledge(),
                _ => resolve(),
            };
            let before = story.state.occurrence;
            let Ok(events) = story.state.decide(&command, &story.known) else { continue };
            events.iter().for_each(|event| story.state.evolve(event));
            let after = story.state.occurrence;
            prop_assert_eq!(after, before + u32::from(!open && kind < 3));
            open = match story.state.standing {
                Standing::Unknown | Standing::Resolved => false,
                Standing::Pending | Standing::Firing | Standing::Acknowledged => true,
            };
        }
    }
}

/// A story in which everything happens to a rule.
pub fn one_of_each_of_a_rule() -> Vec<rule::Event> {
    let enable = || rule::Command::EnableRule {};
    let mut events = no_rule().when(define()).events();
    events.extend(no_rule().and(define()).when(enable()).events());
    events.extend(no_rule().and(define()).and(enable()).when(disable()).events());
    events
}

/// A story in which everything happens to an alert.
pub fn one_of_each_of_an_alert() -> Vec<Event> {
    let mut events = alert().when(raise(true, Severity::Critical, by_rule())).events();
    events.extend(alert().when(fire()).events());
    let story = alert().and(fire());
    let note = Some("looking into it".parse().unwrap());
    events.extend(story.clone().when(Command::Acknowledge { note }).events());
    events.extend(story.clone().when(silence("2026-01-02T00:00:00Z")).events());
    events.extend(story.when(Command::Resolve { reason: Some(reason()) }).events());
    events
}

/// Both events of an objective.
pub fn both_of_an_slo() -> Vec<slo::Event> {
    let finality =
        SloDefinition { indicator: Indicator::Finality { within_ms: 5_000 }, ..objective() };
    let mut events = no_slo().when(slo::Command::DefineSlo(finality)).events();
    events.extend(slo().when(record(steady(7_000))).events());
    events
}

/// The examples of the contract, carried out one after the other.
#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    alert()
        .and(example("fire"))
        .and(example("acknowledge"))
        .and(example("silence"))
        .and(example("resolve"));
    let example = |name: &str| -> rule::Command {
        serde_json::from_value(rule::Command::example(name).unwrap()).unwrap()
    };
    no_rule().and(example("define-rule")).and(example("enable-rule")).and(example("disable-rule"));
    let example = |name: &str| -> slo::Command {
        serde_json::from_value(slo::Command::example(name).unwrap()).unwrap()
    };
    let judged = no_slo().and(example("define-slo")).and(example("record-slo-state"));
    assert!(judged.state.state.is_some());
}
