//! Published ports: `"8000:80"`, `"127.0.0.1:5432:5432/udp"`, or the long form.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::reader::Field;
use crate::model::Failure;

/// One published port of a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Port {
    /// In the container.
    pub target: u16,
    /// On the host; the engine chooses a port if this is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub published: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host_ip: Option<String>,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
}

impl Port {
    /// Docker's key of a container port: `80/tcp`.
    pub fn key(&self) -> String {
        format!("{}/{}", self.target, self.protocol)
    }

    /// Reads one item of `ports`; a range results in several ports.
    pub(super) fn read(field: &Field<'_>) -> Result<Vec<Self>, Failure> {
        match field.value {
            Value::Number(_) => Ok(vec![Self {
                target: port(field, &field.number()?.to_string())?,
                published: None,
                host_ip: None,
                protocol: "tcp".into(),
            }]),
            Value::String(text) => Self::short(field, text),
            _ => Self::long(field),
        }
    }

    fn short(field: &Field<'_>, text: &str) -> Result<Vec<Self>, Failure> {
        let wrong = || {
            let too_large = text
                .split(|c: char| !c.is_ascii_digit() && c != '.')
                .find(|number| number.parse().is_ok_and(|number: u64| number > u16::MAX.into()));
            if let Some(number) = too_large {
                return field
                    .fail(format!("\"{text}\" is not a port: {number} is too large"))
                    .hint("ports are numbers from 1 to 65535");
            }
            field
                .fail(format!("\"{text}\" is not a port"))
                .hint("write \"HOST:CONTAINER\", \"IP:HOST:CONTAINER\" or \"CONTAINER\"; a range is \"8000-8003\"")
        };
        let (rest, protocol) = match text.rsplit_once('/') {
            // Docker reads an empty protocol of `80/${PROTOCOL}` in this way.
            Some((rest, "")) => (rest, "tcp"),
            Some((rest, protocol)) if ["tcp", "udp", "sctp"].contains(&protocol) => {
                (rest, protocol)
            }
            Some(_) => return Err(wrong()),
            None => (text, "tcp"),
        };
        let (rest, target) =
            rest.rsplit_once(':').map_or(("", rest), |(rest, target)| (rest, target));
        let (host_ip, published) = match rest.rsplit_once(':') {
            // An empty address, such as `${BIND_IP:-}:8000:80` without a value, means all
            // addresses.
            Some((ip, published)) => {
                (Some(ip.trim_matches(['[', ']'])).filter(|ip| !ip.is_empty()), published)
            }
            None => (None, rest),
        };
        if host_ip.is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_err()) {
            return Err(wrong());
        }
        let targets = range(target).ok_or_else(wrong)?;
        let published: Vec<Option<u16>> = if published.is_empty() {
            vec![None; targets.len()]
        } else {
            range(published).ok_or_else(wrong)?.into_iter().map(Some).collect()
        };
        if published.len() > 1 && targets.len() == 1 {
            let failure = field.fail(format!(
                "A choice of several host ports, as in \"{text}\", is not supported yet"
            ));
            return Err(failure.hint(format!(
                "name one host port, or none: \"{target}\" publishes on any free one"
            )));
        }
        if published.len() != targets.len() {
            return Err(field.fail(format!("The two ranges of \"{text}\" have different lengths")));
        }
        Ok(targets
            .into_iter()
            .zip(published)
            .map(|(target, published)| Self {
                target,
                published,
                host_ip: host_ip.map(str::to_owned),
                protocol: protocol.to_owned(),
            })
            .collect())
    }

    fn long(field: &Field<'_>) -> Result<Vec<Self>, Failure> {
        let mut map = field.long_form("a port, a string like \"HOST:CONTAINER\" or a map")?;
        let target = map.required("target")?;
        let target = port(&target, &target.scalar()?)?;
        let published = map.read_filled("published", |field| port(field, &field.scalar()?))?;
        let host_ip = map.read("host_ip", |field| {
            let text = field.name_text()?;
            match text.parse::<std::net::IpAddr>() {
                Ok(_) => Ok(text),
                Err(_) => Err(field
                    .fail(format!("\"{text}\" is not an address of this machine"))
                    .hint("write it like \"127.0.0.1\"")),
            }
        })?;
        let protocol = map
            .read_filled("protocol", |field| field.one_of(&["tcp", "udp", "sctp"]))?
            .unwrap_or_else(|| "tcp".into());
        map.read_filled("mode", |field| field.one_of(&["host", "ingress"]))?;
        map.finish(&["name", "app_protocol"])?;
        Ok(vec![Self { target, published, host_ip, protocol }])
    }
}

fn port(field: &Field<'_>, text: &str) -> Result<u16, Failure> {
    text.trim()
        .parse()
        .ok()
        .filter(|&port| port > 0)
        .ok_or_else(|| field.fail(format!("\"{text}\" is not a port: a number from 1 to 65535")))
}

fn range(text: &str) -> Option<Vec<u16>> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let (first, last): (u16, u16) = (first.parse().ok()?, last.parse().ok()?);
    (first > 0 && first <= last).then(|| (first..=last).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(value: Value) -> Result<Vec<String>, String> {
        Port::read(&Field::root(&value))
            .map(|ports| {
                ports
                    .iter()
                    .map(|p| {
                        format!(
                            "{}:{}:{}/{}",
                            p.host_ip.as_deref().unwrap_or(""),
                            p.published.unwrap_or(0),
                            p.target,
                            p.protocol
                        )
                    })
                    .collect()
            })
            .map_err(|failure| failure.message)
    }

    #[test]
    fn every_form_of_compose_is_read() {
        assert_eq!(read(json!("8000:80")).unwrap(), [":8000:80/tcp"]);
        assert_eq!(read(json!("80")).unwrap(), [":0:80/tcp"]);
        assert_eq!(read(json!(80)).unwrap(), [":0:80/tcp"]);
        assert_eq!(read(json!("127.0.0.1:5432:5432/udp")).unwrap(), ["127.0.0.1:5432:5432/udp"]);
        assert_eq!(read(json!("[::1]:80:80")).unwrap(), ["::1:80:80/tcp"]);
        assert_eq!(read(json!("127.0.0.1::80")).unwrap(), ["127.0.0.1:0:80/tcp"]);
        assert_eq!(
            read(json!(":8000:80")).unwrap(),
            [":8000:80/tcp"],
            "of an address that is not set"
        );
        assert_eq!(read(json!(":8000-8001:80-81/udp")).unwrap(), [":8000:80/udp", ":8001:81/udp"]);
        assert_eq!(read(json!("::80")).unwrap(), [":0:80/tcp"]);
        assert_eq!(read(json!("8000-8001:80-81")).unwrap(), [":8000:80/tcp", ":8001:81/tcp"]);
        assert_eq!(
            read(json!({"target": 80, "published": "8080", "protocol": "udp"})).unwrap(),
            [":8080:80/udp"]
        );
    }

    #[test]
    fn an_invalid_port_is_reported() {
        for wrong in ["", "a:b", "70000", "0", "80/http", "1.2.3:80:80", "8000-8002:80-81"] {
            assert!(read(json!(wrong)).unwrap_err().contains(wrong), "{wrong}");
        }
    }
}
