use std::net::{IpAddr, SocketAddr};

use axum::http::HeaderMap;

/// The address a request comes from. Behind one of our proxies it is what the nearest of them says it is: the last
/// address of `X-Forwarded-For` that is no proxy of ours. What others write into that header is not believed.
pub(super) fn client_of(peer: IpAddr, headers: &HeaderMap, proxies: &[IpAddr]) -> IpAddr {
    let mut client = peer.to_canonical();
    let said: Vec<&str> = headers
        .get_all("x-forwarded-for")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .collect();
    for hop in said.iter().rev() {
        if !proxies.contains(&client) {
            break;
        }
        match address(hop.trim()) {
            Some(address) => client = address.to_canonical(),
            None => break,
        }
    }
    client
}

/// An address as proxies write it: alone, with a port, or in brackets.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']'));
    bare.unwrap_or(text)
        .parse()
        .ok()
        .or_else(|| Some(text.parse::<SocketAddr>().ok()?.ip()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(peer: &str, said: &[&str], proxies: &[&str]) -> String {
        let mut headers = HeaderMap::new();
        for line in said {
            headers.append("x-forwarded-for", line.parse().unwrap());
        }
        let proxies: Vec<IpAddr> = proxies.iter().map(|text| text.parse().unwrap()).collect();
        client_of(peer.parse().unwrap(), &headers, &proxies).to_string()
    }

    #[test]
    fn only_our_proxies_are_believed() {
        assert_eq!(client("10.0.0.9", &["1.2.3.4"], &[]), "10.0.0.9");
        assert_eq!(client("10.0.0.9", &["1.2.3.4"], &["10.0.0.8"]), "10.0.0.9");
        assert_eq!(client("10.0.0.8", &["1.2.3.4"], &["10.0.0.8"]), "1.2.3.4");
        assert_eq!(client("::ffff:10.0.0.8", &["1.2.3.4"], &["10.0.0.8"]), "1.2.3.4");
    }

    #[test]
    fn what_a_client_wrote_itself_is_left_of_what_the_proxy_wrote() {
        assert_eq!(client("10.0.0.8", &["6.6.6.6, 1.2.3.4"], &["10.0.0.8"]), "1.2.3.4");
        assert_eq!(
            client("10.0.0.8", &["6.6.6.6", "1.2.3.4, 10.0.0.7"], &["10.0.0.8", "10.0.0.7"]),
            "1.2.3.4"
        );
    }

    #[test]
    fn ports_brackets_and_nonsense() {
        let proxies = ["10.0.0.8"];
        assert_eq!(client("10.0.0.8", &["1.2.3.4:555"], &proxies), "1.2.3.4");
        assert_eq!(client("10.0.0.8", &["[2001:db8::1]:555"], &proxies), "2001:db8::1");
        assert_eq!(client("10.0.0.8", &["[2001:db8::1]"], &proxies), "2001:db8::1");
        assert_eq!(client("10.0.0.8", &["unknown"], &proxies), "10.0.0.8");
        assert_eq!(client("10.0.0.8", &[], &proxies), "10.0.0.8");
    }
}
