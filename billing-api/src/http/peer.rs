//! Where a request really comes from.
//!
//! The connection's other end, unless that is a proxy the operator trusts: then the address
//! the proxy wrote down. Only one header is believed, the one the operator's proxies write:
//! most proxies pass on the other as the client sent it.

use std::net::IpAddr;

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use ipnetwork::IpNetwork;

use super::Web;
use crate::config::ProxyHeader;
use crate::domain::access::Visitor;

/// The address of the client.
pub(crate) fn address(request: &HttpRequest, web: &Web) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    let peer = peer.to_canonical();
    let is_trusted = |address: IpAddr| contains(&web.trusted_proxies, address);
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    let (name, read): (&str, fn(&str) -> Option<IpAddr>) = match web.proxy_header {
        ProxyHeader::XForwardedFor => ("x-forwarded-for", read_plain),
        ProxyHeader::Forwarded => ("forwarded", read_forwarded),
    };
    let lines: Vec<&str> =
        request.headers().get_all(name).filter_map(|value| value.to_str().ok()).collect();
    let hops: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).collect();
    // From the nearest hop backwards: what stands before the first stranger is the stranger's
    // own word.
    for hop in hops.into_iter().rev() {
        let Some(address) = read(hop.trim()) else { break };
        client = address.to_canonical();
        if !is_trusted(client) {
            break;
        }
    }
    client
}

/// Whether one of some prefixes holds an address.
pub(super) fn contains(nets: &[IpNetwork], address: IpAddr) -> bool {
    nets.iter().any(|net| net.contains(address))
}

/// Whether a proxy says that it passes somebody on, trusted or not.
pub(super) fn is_proxied(request: &HttpRequest) -> bool {
    ["x-forwarded-for", "forwarded"].iter().any(|name| request.headers().contains_key(*name))
}

/// An address, with a port or without.
fn read_plain(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(socket) = text.parse::<std::net::SocketAddr>() {
        return Some(socket.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse().ok()
}

/// The `for` of an element (RFC 7239 §5.2, §6).
fn read_forwarded(element: &str) -> Option<IpAddr> {
    let pair = element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim())
    });
    read_plain(pair?.trim_matches('"'))
}

/// Who knocks, for the rules of signing in.
pub(crate) fn visitor(
    request: &HttpRequest,
    web: &Web,
    browser: Option<String>,
    session: Option<String>,
) -> Visitor {
    let user_agent = request.headers().get(USER_AGENT).and_then(|value| value.to_str().ok());
    let user_agent = user_agent.unwrap_or("").to_owned();
    Visitor { address: address(request, web), user_agent, browser, session }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn seen(web: &Web, peer: &str, headers: &[(&'static str, &'static str)]) -> String {
        let mut request = TestRequest::get().peer_addr(format!("{peer}:9").parse().unwrap());
        for header in headers {
            request = request.append_header(*header);
        }
        address(&request.to_http_request(), web).to_string()
    }

    fn behind(proxy_header: ProxyHeader) -> Web {
        let nets = ["10.0.0.0/8", "127.0.0.1"].map(|net| net.parse().unwrap());
        Web { trusted_proxies: nets.to_vec(), proxy_header, ..Web::default() }
    }

    #[test]
    fn a_stranger_cannot_claim_another_address() {
        let claims = [("x-forwarded-for", "192.0.2.1"), ("forwarded", "for=192.0.2.1")];
        assert_eq!(seen(&Web::default(), "203.0.113.9", &claims), "203.0.113.9");
        assert_eq!(
            seen(&behind(ProxyHeader::XForwardedFor), "203.0.113.9", &claims),
            "203.0.113.9"
        );
        let spoofed = [("x-forwarded-for", "192.0.2.1, 203.0.113.9")];
        let web = behind(ProxyHeader::XForwardedFor);
        assert_eq!(seen(&web, "10.0.0.1", &spoofed), "203.0.113.9", "what the proxy saw counts");
        let twice = [("x-forwarded-for", "192.0.2.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(seen(&web, "10.0.0.1", &twice), "203.0.113.9");
        let other = [("forwarded", "for=192.0.2.1"), ("x-forwarded-for", "203.0.113.9")];
        assert_eq!(seen(&web, "10.0.0.1", &other), "203.0.113.9", "one header is believed");
        assert_eq!(seen(&web, "10.0.0.1", &[("forwarded", "for=192.0.2.1")]), "10.0.0.1");
    }

    #[test]
    fn a_trusted_proxy_names_the_client() {
        let web = behind(ProxyHeader::XForwardedFor);
        let chain = [("x-forwarded-for", "203.0.113.9:4711, 10.1.1.1, 10.2.2.2")];
        assert_eq!(seen(&web, "127.0.0.1", &chain), "203.0.113.9");
        assert_eq!(seen(&web, "10.0.0.1", &[("x-forwarded-for", "[2001:db8::1]")]), "2001:db8::1");
        for unreadable in ["unknown", "", "203.0.113.9, x"] {
            let header = [("x-forwarded-for", unreadable)];
            assert_eq!(seen(&web, "10.0.0.1", &header), "10.0.0.1", "{unreadable}");
        }
        let web = behind(ProxyHeader::Forwarded);
        let element = [("forwarded", r#"for=192.0.2.1, For="[2001:db8::1]:443";proto=https"#)];
        assert_eq!(seen(&web, "10.0.0.1", &element), "2001:db8::1");
        assert_eq!(seen(&web, "10.0.0.1", &[("forwarded", "by=1.2.3.4")]), "10.0.0.1");
        assert_eq!(seen(&web, "10.0.0.1", &[("forwarded", "for=_hidden")]), "10.0.0.1");
    }
}
