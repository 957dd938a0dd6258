//! `x-spc-verify`: a request that a new container has to answer before it counts as ready.

use std::collections::BTreeMap;

use url::{Host, Url};

use super::reader::Field;
use crate::model::Failure;

/// A GET request to a new container itself, and the expected answer: a status of 200 to 299, and
/// these headers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// As described.
    pub url: String,
    /// The header `Host`: the described host and port.
    pub host: String,
    /// The URL inside the container.
    pub inside: String,
    /// Name → value; names in any case, values exactly.
    pub header: BTreeMap<String, String>,
}

impl Verification {
    /// Reads `{ url, header }` of the service `name`.
    pub(super) fn read(field: &Field<'_>, name: &str) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let url = map.required("url")?;
        let (host, inside) = read_url(&url, name)?;
        let header = map.read("header", read_header)?.unwrap_or_default();
        map.finish(&[])?;
        Ok(Self { url: url.text()?, host, inside, header })
    }
}

/// The header `Host` and the URL inside the container. The name of the service would lead to any of
/// its containers, and `localhost` may be an IPv6 address that the server does not listen on.
fn read_url(field: &Field<'_>, service: &str) -> Result<(String, String), Failure> {
    let text = field.name_text()?;
    let hint = format!("write it like \"http://localhost:8080/health\" or \"http://{service}/\"");
    let url = Url::parse(&text)
        .map_err(|error| field.fail(format!("\"{text}\" is not a URL: {error}")).hint(&*hint))?;
    if url.scheme() != "http" {
        return Err(field
            .fail(format!(
                "\"{text}\" has to begin with \"http://\": the request stays in the container"
            ))
            .hint(hint));
    }
    let is_own = match url.host() {
        Some(Host::Domain(host)) => host == "localhost" || host == service.to_ascii_lowercase(),
        Some(Host::Ipv4(address)) => address.is_loopback(),
        _ => false,
    };
    if !is_own || !url.username().is_empty() || url.password().is_some() {
        return Err(field
            .fail(format!(
                "\"{text}\" has to name \"localhost\" or the service \"{service}\", without a user"
            ))
            .hint(hint));
    }
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    let host = format!("{}{port}", url.host_str().unwrap_or_default());
    let mut path = url.path().to_owned();
    if let Some(query) = url.query() {
        path = format!("{path}?{query}");
    }
    Ok((host, format!("http://127.0.0.1{port}{path}")))
}

fn read_header(field: &Field<'_>) -> Result<BTreeMap<String, String>, Failure> {
    let mut header = BTreeMap::new();
    for (name, field) in field.entries()? {
        let is_token =
            |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if name.is_empty() || !name.bytes().all(is_token) {
            return Err(field.fail_key(format!("\"{name}\" can't be the name of a header")));
        }
        let value = field.scalar()?;
        if value.chars().any(char::is_control) || value.trim() != value {
            return Err(field.fail(format!(
                "The value of the header \"{name}\" has a control character, or a space at its beginning or end"
            )));
        }
        header.insert(name, value);
    }
    Ok(header)
}
