//! Content negotiation: which of the offered media types a client accepts.
//!
//! Does not know what is behind the types.

use axum::http::{HeaderMap, header};

use crate::problem::{Kind, Problem};

/// Refuses a request that accepts none of the offered types.
pub fn require(headers: &HeaderMap, offered: &[&'static str]) -> Result<(), Problem> {
    choose(headers, offered).map(drop)
}

/// The offered type the client likes best; the first offered one when it does not say.
pub fn choose(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, Problem> {
    let mut best: Option<(&'static str, u16)> = None;
    let mut asked = false;
    for value in headers.get_all(header::ACCEPT) {
        asked = true;
        let Ok(value) = value.to_str() else { continue };
        for range in value.split(',') {
            let (range, weight) = weighed(range);
            for (order, one) in offered.iter().enumerate() {
                if !matches(range, one) {
                    continue;
                }
                // Among equals the first named wins; a wildcard names them in the order offered.
                let better = best.is_none_or(|(_, than)| weight > than);
                if weight > 0 && better {
                    best = Some((offered[order], weight));
                }
            }
        }
    }
    match best {
        Some((one, _)) => Ok(one),
        None if !asked => Ok(offered[0]),
        None => Err(Problem::new(
            Kind::NotAcceptable,
            format!("this reply can be {}", offered.join(" or ")),
        )
        .with("offered", offered.to_vec())),
    }
}

/// A range and its weight in thousandths.
fn weighed(range: &str) -> (&str, u16) {
    let mut parts = range.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts
        .filter_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")))
        .find_map(|weight| weight.trim().parse::<f32>().ok())
        .unwrap_or(1.0);
    // Between 0 and 1000 after clamping, so the cast keeps the value.
    (name, (weight.clamp(0.0, 1.0) * 1_000.0) as u16)
}

fn matches(range: &str, one: &str) -> bool {
    if range == "*/*" || range.eq_ignore_ascii_case(one) {
        return true;
    }
    match (range.split_once('/'), one.split_once('/')) {
        (Some((kind, "*")), Some((offered, _))) => kind.eq_ignore_ascii_case(offered),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFERED: &[&str] = &["application/graphql-response+json", "application/json"];

    fn chosen(accept: Option<&str>) -> Result<&'static str, Kind> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(header::ACCEPT, accept.parse().unwrap());
        }
        choose(&headers, OFFERED).map_err(|problem| problem.kind())
    }

    #[test]
    fn the_heaviest_accepted_type_wins_and_the_first_named_among_equals() {
        assert_eq!(chosen(None), Ok(OFFERED[0]));
        assert_eq!(chosen(Some("*/*")), Ok(OFFERED[0]));
        assert_eq!(chosen(Some("application/*")), Ok(OFFERED[0]));
        assert_eq!(chosen(Some("application/json")), Ok(OFFERED[1]));
        assert_eq!(chosen(Some("application/JSON; charset=utf-8")), Ok(OFFERED[1]));
        assert_eq!(chosen(Some("text/html, application/json;q=0.9, */*;q=0.8")), Ok(OFFERED[1]));
        assert_eq!(
            chosen(Some("application/json;q=0.2, application/graphql-response+json")),
            Ok(OFFERED[0])
        );
    }

    #[test]
    fn what_is_not_offered_is_refused() {
        for accept in ["text/html", "image/*", "application/json;q=0", "nonsense", ""] {
            assert_eq!(chosen(Some(accept)), Err(Kind::NotAcceptable), "{accept}");
        }
    }
}
