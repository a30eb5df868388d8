//! From where a request comes: its peer's address, or the one that a trusted proxy tells.
//!
//! Does not know who asks.

use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// What proxies tell: the addresses that a request came through, the nearest last.
const FORWARDED_FOR: &str = "x-forwarded-for";
/// How many leading bits of an IPv6 address are one caller's: what is handed out to one site.
const V6_SITE_BITS: u32 = 64;

/// The other end of a connection.
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The address that a request comes from: of the addresses that it came through the nearest that is
/// no trusted proxy's. What others tell is not believed.
pub fn address(peer: Option<Peer>, headers: &HeaderMap, trusted: &[IpAddr]) -> Option<IpAddr> {
    let mut nearest = peer?.0.ip().to_canonical();
    let told = headers.get_all(FORWARDED_FOR).iter().rev();
    let texts = told.filter_map(|value| value.to_str().ok()).flat_map(|text| text.rsplit(','));
    for text in texts {
        if !trusted.contains(&nearest) {
            break;
        }
        let Ok(further) = text.trim().parse::<IpAddr>() else { break };
        nearest = further.to_canonical();
    }
    Some(nearest)
}

/// By what an address is counted.
pub fn site(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => {
            let bits = u128::from(address) >> (u128::BITS - V6_SITE_BITS);
            format!("{bits:016x}::/{V6_SITE_BITS}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(peer: &str, told: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for value in told {
            headers.append(FORWARDED_FOR, value.parse().unwrap());
        }
        let peer = Peer(SocketAddr::new(peer.parse().unwrap(), 1));
        let trusted = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        address(Some(peer), &headers, &trusted).unwrap().to_string()
    }

    #[test]
    fn only_what_trusted_proxies_tell_is_believed() {
        assert_eq!(from("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(from("10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1", &["203.0.113.9, 198.51.100.7, 10.0.0.2"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1", &["203.0.113.9", "198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1", &["nonsense"]), "10.0.0.1");
        assert_eq!(from("::ffff:10.0.0.1", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(from("10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn a_site_is_one_caller() {
        let site = |text: &str| site(text.parse().unwrap());
        assert_eq!(site("2001:db8:1:2::1"), site("2001:db8:1:2:ffff::9"));
        assert_ne!(site("2001:db8:1:2::1"), site("2001:db8:1:3::1"));
        assert_eq!(site("192.0.2.1"), "192.0.2.1");
    }
}
