//! Where a notice may go: to public addresses, so that nobody makes this server speak to what only
//! it can reach (CWE-918, server-side request forgery).
//!
//! Does not speak to anybody.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::Untaken;

/// The host of an address and where it is to be reached: where it has many places, the first that
/// may be spoken to.
pub(super) async fn of(url: &str, private: bool) -> Result<(String, SocketAddr), Untaken> {
    let url = reqwest::Url::parse(url).map_err(|error| Untaken::ForGood(error.to_string()))?;
    let nowhere = || Untaken::ForGood("it names no host".to_owned());
    let host = url.host_str().ok_or_else(nowhere)?.to_owned();
    let port = url.port_or_known_default().ok_or_else(nowhere)?;
    let name = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let found = tokio::net::lookup_host((name, port)).await;
    let found = found.map_err(|error| Untaken::ForNow(error.to_string()))?;
    let mut allowed = found.filter(|address| private || is_public(address.ip()));
    let refused = || Untaken::ForGood("its address is not a public one".to_owned());
    Ok((host, allowed.next().ok_or_else(refused)?))
}

/// Whether an address is reached from everywhere (IANA's registries of special-purpose addresses).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_broadcast()
        || address.is_documentation()
        || address.is_multicast()
        || first == 0
        // Shared by the customers of a carrier (RFC 6598), and for benchmarks (RFC 2544).
        || (first == 100 && (64..128).contains(&second))
        || (first == 198 && (18..20).contains(&second))
        // For protocols (RFC 6890), and for what is to come (RFC 1112).
        || (first == 192 && second == 0 && third == 0)
        || first >= 240;
    !special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(mapped) = address.to_ipv4_mapped() {
        return is_public_v4(mapped);
    }
    let segments = address.segments();
    // What is given out at all, without documentation, Teredo, 6to4 and others that hold a version
    // 4 address (RFC 3849, RFC 9637, RFC 4380, RFC 3056).
    let global_unicast = segments[0] & 0xe000 == 0x2000;
    let special = (segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8))
        || segments[0] == 0x2002
        || (segments[0] == 0x3fff && segments[1] < 0x1000);
    global_unicast && !special
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_only_this_server_can_reach_is_not_public() {
        for address in [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "192.0.0.8",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001::1",
            "2001:db8::1",
        ] {
            assert!(!is_public(address.parse().unwrap()), "{address}");
        }
        for address in ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1"] {
            assert!(is_public(address.parse().unwrap()), "{address}");
        }
    }
}
