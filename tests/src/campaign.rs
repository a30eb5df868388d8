//! Campaigns: the same tests with larger numbers.
//!
//! Does not know what is counted.

use std::str::FromStr;

/// What a variable says, or the number for every day.
///
/// # Panics
/// When it is set to something that is no such number.
pub fn number<N: FromStr>(name: &str, default: N) -> N {
    let text = std::env::var(name).ok();
    text.map_or(default, |text| {
        text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}"))
    })
}
