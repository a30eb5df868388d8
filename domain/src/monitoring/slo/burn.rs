//! How fast an error budget is used up, over several windows, in integers.
//!
//! Does not know what was counted.

use super::{Refusal, SloDefinition, Urgency, Window};
use crate::values::Bps;

/// Seconds in a day.
const DAY_S: u32 = 86_400;
/// The whole in basis points.
const WHOLE_BPS: u128 = 10_000;
/// Burn rates are kept in thousandths.
const MILLI: u128 = 1_000;

/// A pair of windows and the burn rate above which it is urgent in both.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tier {
    /// The burn rate in thousandths.
    pub burn_milli: u32,
    /// The long window in seconds.
    pub long_s: u32,
    /// The short window in seconds: a twelfth of the long one.
    pub short_s: u32,
    /// How urgent.
    pub urgency: Urgency,
}

/// The tiers of the SRE workbook, from the most urgent: of the budget of 30 days 2 % in an hour,
/// 5 % in six hours, 10 % in three days.
pub const TIERS: [Tier; 3] = [
    Tier { burn_milli: 14_400, long_s: 3_600, short_s: 300, urgency: Urgency::Page },
    Tier { burn_milli: 6_000, long_s: 21_600, short_s: 1_800, urgency: Urgency::Page },
    Tier { burn_milli: 1_000, long_s: 259_200, short_s: 21_600, urgency: Urgency::Ticket },
];

/// The windows that are needed besides the objective's own days, in seconds, ascending.
pub const WINDOWS_S: [u32; 5] = [300, 1_800, 3_600, 21_600, 259_200];

/// What the counts come to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Assessment {
    /// Which part of the error budget is left; rounded down.
    pub budget_left: Bps,
    /// The burn rate over the last hour in thousandths; rounded down.
    pub burn_milli: u32,
    /// How urgent it is.
    pub urgency: Urgency,
}

/// The burn rate in thousandths, and what is left over of it: `bad / total` through the part that
/// may go wrong. Nothing asked is nothing burnt.
fn burn(window: &Window, budget_bps: u128) -> (u128, u128) {
    let (total, bad) = (u128::from(window.total.value()), u128::from(window.bad.value()));
    // At most 2^53 * 10^7: far from overflow.
    let (above, below) = (bad * WHOLE_BPS * MILLI, total * budget_bps);
    above.checked_div(below).map_or((0, 0), |rate| (rate, above % below))
}

/// Whether the burn rate is above a limit, exactly.
fn is_above(window: &Window, budget_bps: u128, limit_milli: u32) -> bool {
    let (whole, rest) = burn(window, budget_bps);
    let limit = u128::from(limit_milli);
    whole > limit || (whole == limit && rest > 0)
}

/// Judges the counts of every window.
pub fn assess(definition: &SloDefinition, windows: &[Window]) -> Result<Assessment, Refusal> {
    let days_s = u32::from(definition.days) * DAY_S;
    let counted = check(windows, days_s)?;
    let of = |window_s: u32| {
        let found = counted.iter().find(|window| window.window_s == window_s);
        found.copied().ok_or(Refusal::WindowMissing { window_s })
    };
    let objective = u128::from(definition.objective_bps.value());
    let budget_bps = WHOLE_BPS.saturating_sub(objective);
    let mut urgency = Urgency::None;
    for tier in TIERS.iter().rev() {
        let (long, short) = (of(tier.long_s)?, of(tier.short_s)?);
        let burns = |window| is_above(window, budget_bps, tier.burn_milli);
        if burns(long) && burns(short) {
            urgency = tier.urgency;
        }
    }
    let (burn_milli, _) = burn(of(TIERS[0].long_s)?, budget_bps);
    Ok(Assessment {
        budget_left: budget_left(of(days_s)?, budget_bps),
        burn_milli: u32::try_from(burn_milli).unwrap_or(u32::MAX),
        urgency,
    })
}

/// The part of the budget that is left at the end of these days.
fn budget_left(window: &Window, budget_bps: u128) -> Bps {
    let allowed = u128::from(window.total.value()) * budget_bps;
    let used = u128::from(window.bad.value()) * WHOLE_BPS;
    let left = (allowed.saturating_sub(used) * WHOLE_BPS).checked_div(allowed).unwrap_or(WHOLE_BPS);
    u16::try_from(left).ok().and_then(|bps| Bps::try_from(bps).ok()).unwrap_or(Bps::ZERO)
}

/// The needed windows in ascending order, when each is there once and they agree: a longer one
/// holds what a shorter one holds.
fn check(windows: &[Window], days_s: u32) -> Result<Vec<&Window>, Refusal> {
    let mut counted: Vec<&Window> = windows.iter().collect();
    counted.sort_by_key(|window| window.window_s);
    for window in &counted {
        let Window { bad, total, window_s } = **window;
        if bad > total {
            return Err(Refusal::CountsImpossible { bad, total, window_s });
        }
        if window_s != days_s && !WINDOWS_S.contains(&window_s) {
            return Err(Refusal::WindowUnexpected { window_s });
        }
    }
    for pair in counted.windows(2) {
        let [short, long] = pair else { continue };
        let (long_s, short_s) = (long.window_s, short.window_s);
        if long_s == short_s {
            return Err(Refusal::WindowUnexpected { window_s: long_s });
        }
        if long.total < short.total || long.bad < short.bad {
            return Err(Refusal::WindowsContradict { long_s, short_s });
        }
    }
    Ok(counted)
}
