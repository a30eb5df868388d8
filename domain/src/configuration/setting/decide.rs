//! How a command to a setting is decided.
//!
//! Does not change anything: it answers with the facts that would follow, or with the reason why
//! not.

use super::{
    Command, Event, Known, Proposal, Refusal, Rule, Setting, SettingApplied, SettingApproved,
    SettingProposed, SettingRejected, SettingRolledBack,
};
use crate::{configuration::Document, values::Reason};

/// Decides a command.
pub(super) fn decide(
    setting: &Setting,
    command: &Command,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let unknown = || Refusal::KeyUnknown { key: known.key.clone() };
    let rule = known.rule.as_ref().ok_or_else(unknown)?;
    match command {
        Command::Propose { reason, value } => propose(setting, reason, value, (rule, known)),
        Command::Approve { proposal } => approve(setting, *proposal, (rule, known)),
        Command::Reject { proposal, reason } => reject(setting, *proposal, reason, known),
        Command::Apply { proposal } => apply(setting, *proposal, rule),
        Command::Rollback { reason, version } => {
            roll_back(setting, *version, reason, (rule, known))
        }
    }
}

/// Refuses a value that the key's schema has something against.
fn in_schema(rule: &Rule) -> Result<(), Refusal> {
    if rule.faults.is_empty() {
        return Ok(());
    }
    Err(Refusal::SchemaViolated { count: rule.faults.len(), faults: rule.faults.clone() })
}

fn propose(
    setting: &Setting,
    reason: &Reason,
    value: &Document,
    (rule, known): (&Rule, &Known),
) -> Result<Vec<Event>, Refusal> {
    // Before anything that would show the value.
    if let Some(pointer) = value.secret(known.key.as_str()) {
        return Err(Refusal::SecretRefused { pointer });
    }
    if let Some(open) = &setting.proposal {
        return Err(Refusal::ProposalOpen { proposal: open.number });
    }
    in_schema(rule)?;
    if setting.value() == Some(value) {
        return Err(Refusal::NothingChanges { version: setting.current });
    }
    Ok(vec![Event::SettingProposed(SettingProposed {
        base_version: setting.current,
        proposal: setting.proposals.saturating_add(1),
        proposed_by: known.actor.clone(),
        reason: reason.clone(),
        value: value.clone(),
    })])
}

/// The open proposal, when that is its number.
fn open(setting: &Setting, proposal: u32) -> Result<&Proposal, Refusal> {
    let open = setting.proposal.as_ref().filter(|open| open.number == proposal);
    open.ok_or(Refusal::ProposalUnknown { proposal })
}

/// Refuses when another version is in force than the one the proposal was compared with.
fn base_stands(setting: &Setting, open: &Proposal) -> Result<(), Refusal> {
    let (base, version) = (open.base, setting.current);
    if base == version { Ok(()) } else { Err(Refusal::BaseMoved { base, version }) }
}

fn approve(
    setting: &Setting,
    proposal: u32,
    (rule, known): (&Rule, &Known),
) -> Result<Vec<Event>, Refusal> {
    let open = open(setting, proposal)?;
    if open.approved {
        return Ok(Vec::new());
    }
    base_stands(setting, open)?;
    if rule.four_eyes {
        let approver = known.actor.as_ref().ok_or(Refusal::ApproverMissing { proposal })?;
        if open.proposed_by.as_ref() == Some(approver) {
            return Err(Refusal::OwnProposal { proposal });
        }
    }
    let approved_by = known.actor.clone();
    Ok(vec![Event::SettingApproved(SettingApproved { approved_by, proposal })])
}

fn reject(
    setting: &Setting,
    proposal: u32,
    reason: &Reason,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    open(setting, proposal)?;
    let (reason, rejected_by) = (reason.clone(), known.actor.clone());
    Ok(vec![Event::SettingRejected(SettingRejected { proposal, reason, rejected_by })])
}

fn apply(setting: &Setting, proposal: u32, rule: &Rule) -> Result<Vec<Event>, Refusal> {
    if setting.proposal.is_none() && proposal > 0 && setting.applied == proposal {
        return Ok(Vec::new());
    }
    let open = open(setting, proposal)?;
    if !open.approved {
        return Err(Refusal::NotApproved { proposal });
    }
    base_stands(setting, open)?;
    // The schema may have changed since.
    in_schema(rule)?;
    Ok(vec![Event::SettingApplied(SettingApplied {
        proposal,
        value: open.value.clone(),
        version: next_version(setting),
    })])
}

fn next_version(setting: &Setting) -> u32 {
    setting.current.saturating_add(1)
}

fn roll_back(
    setting: &Setting,
    restored: u32,
    reason: &Reason,
    (rule, known): (&Rule, &Known),
) -> Result<Vec<Event>, Refusal> {
    if restored == setting.current {
        return Err(Refusal::NothingChanges { version: restored });
    }
    let unknown = Refusal::VersionUnknown { newest: setting.current, version: restored };
    let value = setting.version(restored).ok_or(unknown)?;
    in_schema(rule)?;
    Ok(vec![Event::SettingRolledBack(SettingRolledBack {
        reason: reason.clone(),
        restored,
        rolled_back_by: known.actor.clone(),
        value: value.cloned(),
        version: next_version(setting),
    })])
}
