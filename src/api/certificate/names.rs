//! The names of a certificate: host names and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use rcgen::SanType;
use rcgen::string::Ia5String;
use url::Host;

use crate::model::Failure;

/// The longest host name, and the longest part between two dots.
const LONGEST_NAME: usize = 253;
const LONGEST_LABEL: usize = 63;

/// A host name in its ASCII form, or an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Name(SanType);

impl Name {
    pub(super) fn parse(given: &str) -> Result<Self, Failure> {
        if let Ok(address) = given.parse() {
            return Ok(Self(SanType::IpAddress(address)));
        }
        let wrong =
            || Failure::usage(format!("\"{given}\" is neither a host name nor an IP address"));
        if given.parse::<std::net::SocketAddr>().is_ok() || given.starts_with('[') {
            return Err(wrong().hint("write an address alone: \"10.0.0.7\", \"::1\""));
        }
        if given.contains("://") {
            return Err(wrong().hint("write the host name alone: \"example.org\""));
        }
        let (wildcard, name) = given.strip_prefix("*.").map_or(("", given), |name| ("*.", name));
        if name.contains('*') {
            return Err(wrong().hint("a \"*\" stands for the whole first part: \"*.example.org\""));
        }
        // A URL's host is decoded and may contain more characters. It also accepts "127.1" as an
        // address.
        let is_plain = |c: char| !c.is_ascii() || c.is_ascii_alphanumeric() || "-_.".contains(c);
        let parsed = if name.chars().all(is_plain) { Host::parse(name).ok() } else { None };
        let Some(Host::Domain(ascii)) = parsed else { return Err(wrong()) };
        let full = format!("{wildcard}{ascii}");
        let is_label = |label: &str| {
            (1..=LONGEST_LABEL).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        if full.len() > LONGEST_NAME || !ascii.split('.').all(is_label) {
            return Err(wrong().hint(format!(
                "each part between dots has 1 to {LONGEST_LABEL} characters and does not begin or end with \"-\"; the whole name has at most {LONGEST_NAME}"
            )));
        }
        Ok(Self(SanType::DnsName(Ia5String::try_from(full).map_err(|_| wrong())?)))
    }

    pub(super) fn as_alternative(&self) -> &SanType {
        &self.0
    }
}

/// The address in 4 or 16 bytes.
pub(super) fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).ok().map(|bytes| IpAddr::V4(Ipv4Addr::from(bytes)));
    v4().or_else(|| <[u8; 16]>::try_from(bytes).ok().map(|bytes| IpAddr::V6(Ipv6Addr::from(bytes))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(given: &str) -> Result<String, Failure> {
        Name::parse(given).map(|name| match name.0 {
            SanType::DnsName(name) => format!("DNS:{name}"),
            SanType::IpAddress(address) => format!("IP:{address}"),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn host_names_differ_from_addresses() {
        let long = format!("{}.example", "a".repeat(63));
        for (given, expected) in [
            ("localhost", "DNS:localhost"),
            ("SPC.Example", "DNS:spc.example"),
            ("my_service.internal", "DNS:my_service.internal"),
            ("1.example", "DNS:1.example"),
            ("*.example.org", "DNS:*.example.org"),
            ("bücher.example", "DNS:xn--bcher-kva.example"),
            ("*.例え.jp", "DNS:*.xn--r8jz45g.jp"),
            ("xn--bcher-kva.example", "DNS:xn--bcher-kva.example"),
            (&long, &format!("DNS:{long}")),
            ("127.0.0.1", "IP:127.0.0.1"),
            ("::1", "IP:::1"),
            ("0:0:0:0:0:0:0:1", "IP:::1"),
            ("::ffff:10.0.0.7", "IP:::ffff:10.0.0.7"),
        ] {
            assert_eq!(parsed(given), Ok(expected.to_owned()), "{given}");
        }
    }

    #[test]
    fn an_invalid_host_name_or_address_is_rejected() {
        let (label, name) = ("a".repeat(64), "abc.".repeat(64) + "example");
        let given = [
            "",
            " ",
            "a b",
            " localhost",
            "localhost ",
            "a..b",
            ".a",
            "a.",
            "-a.example",
            "a-.example",
            "a/b",
            "http://a.example/",
            "a.example:443",
            "127.0.0.1:443",
            "[::1]",
            "::1%eth0",
            "127.1",
            "0x7f000001",
            "1.2.3.256",
            "1.2.3.4.5",
            "*",
            "*.",
            "*example",
            "a.*.example",
            "**.a",
            "a%62",
            "user@example.org",
            "a\nb",
            "a\0b",
            "\u{202e}",
            "a_b!",
            &label,
            &name,
        ];
        for given in given {
            let failure = parsed(given).expect_err(given);
            assert_eq!(
                failure.message,
                format!("\"{given}\" is neither a host name nor an IP address")
            );
        }
    }

    #[test]
    fn an_address_has_4_or_16_bytes() {
        assert_eq!(address(&[10, 0, 0, 7]), Some("10.0.0.7".parse().unwrap()));
        assert_eq!(address(&[0; 16]), Some("::".parse().unwrap()));
        assert_eq!(address(&[1, 2, 3]), None);
    }
}
