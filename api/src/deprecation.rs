//! Operations that will go: since when nobody should begin to use them, until when they answer, and
//! what takes their place. Every reply of one says so (RFC 9745, RFC 8594).
//!
//! Does not refuse anything.

use axum::http::{HeaderMap, HeaderName, HeaderValue, header};

use crate::operations::Operation;

const DEPRECATION: HeaderName = HeaderName::from_static("deprecation");
const SUNSET: HeaderName = HeaderName::from_static("sunset");

/// That an operation will go.
#[derive(Clone, Copy, Debug)]
pub struct Deprecation {
    /// Which.
    pub operation: Operation,
    /// Since when nobody should begin to use it, in seconds since 1970.
    pub since_s: u32,
    /// Until when it answers, as an HTTP date.
    pub sunset: &'static str,
    /// The path that takes its place.
    pub successor: &'static str,
}

/// Every operation that will go: none now.
pub const DEPRECATED: &[Deprecation] = &[];

/// That this operation will go.
pub fn of(operation: Operation) -> Option<&'static Deprecation> {
    DEPRECATED.iter().find(|one| one.operation == operation)
}

impl Deprecation {
    /// Says so in the headers of a reply.
    pub fn write(&self, headers: &mut HeaderMap) {
        let since = HeaderValue::from_str(&format!("@{}", self.since_s));
        headers.extend(since.ok().map(|value| (DEPRECATION, value)));
        headers.insert(SUNSET, HeaderValue::from_static(self.sunset));
        let successor = format!("<{}>; rel=\"successor-version\"", self.successor);
        if let Ok(link) = HeaderValue::from_str(&successor) {
            headers.append(header::LINK, link);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_of_what_will_go_says_since_when_until_when_and_what_comes() {
        let going = Deprecation {
            operation: Operation::ListFlags,
            since_s: 1_798_761_600,
            sunset: "Thu, 01 Jul 2027 00:00:00 GMT",
            successor: "/api/v2/flags",
        };
        let mut headers = HeaderMap::new();
        headers.insert(header::LINK, HeaderValue::from_static("</next>; rel=\"next\""));
        going.write(&mut headers);
        assert_eq!(headers["deprecation"], "@1798761600");
        assert_eq!(headers["sunset"], "Thu, 01 Jul 2027 00:00:00 GMT");
        let links: Vec<_> = headers.get_all(header::LINK).iter().collect();
        assert_eq!(links.len(), 2, "the link to the next page stays");
    }
}
