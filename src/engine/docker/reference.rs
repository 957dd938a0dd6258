//! Names in the path of a request, and image references split into the parts that the API requires.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::engine::{EngineError, EngineErrorKind, Result};

/// Characters of a name that need no escape.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'/').remove(b':').remove(b'@');

/// `name` as part of a request's path, so that the engine searches exactly this name, whatever it
/// contains.
///
/// `noun` is the engine's word for the object. A name that would result in another path (empty,
/// `..`) belongs to no object.
pub(super) fn segment(noun: &str, name: &str) -> Result<String> {
    // The engine lists container names with a leading slash.
    let plain = if noun == "container" { name.strip_prefix('/').unwrap_or(name) } else { name };
    if plain.split('/').any(|part| matches!(part, "" | "." | "..")) {
        return Err(EngineError::new(
            EngineErrorKind::NotFound,
            format!("No such {noun}: \"{name}\""),
        ));
    }
    Ok(utf8_percent_encode(plain, PLAIN).to_string())
}

/// A value in the query of a request.
pub(super) fn query_value(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// An image reference as repository and tag (or digest). Without either the tag is `latest`,
/// because the engine would use all tags.
pub(super) fn repository_and_tag(reference: &str) -> (&str, &str) {
    if let Some((repository, digest)) = reference.split_once('@') {
        return (repository, digest);
    }
    // A colon before the last slash belongs to the port of a registry.
    let name = reference.rfind('/').map_or(0, |slash| slash + 1);
    match reference[name..].rfind(':') {
        Some(colon) => (&reference[..name + colon], &reference[name + colon + 1..]),
        None => (reference, "latest"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_cut_at_the_tag_not_at_the_registrys_port() {
        assert_eq!(repository_and_tag("postgres"), ("postgres", "latest"));
        assert_eq!(repository_and_tag("postgres:15-alpine"), ("postgres", "15-alpine"));
        assert_eq!(repository_and_tag("127.0.0.1:5000/app"), ("127.0.0.1:5000/app", "latest"));
        assert_eq!(
            repository_and_tag("127.0.0.1:5000/team/app:v2"),
            ("127.0.0.1:5000/team/app", "v2")
        );
        assert_eq!(repository_and_tag("app@sha256:aa"), ("app", "sha256:aa"));
        assert_eq!(repository_and_tag("app:v1@sha256:aa"), ("app:v1", "sha256:aa"));
    }

    #[test]
    fn a_name_stays_one_name_whatever_it_holds() {
        assert_eq!(segment("container", "/spc-db-1").unwrap(), "spc-db-1");
        assert_eq!(
            segment("image", "local/postgres:15@sha256:aa").unwrap(),
            "local/postgres:15@sha256:aa"
        );
        assert_eq!(segment("container", "a?force=1#b c").unwrap(), "a%3Fforce%3D1%23b%20c");
    }

    #[test]
    fn a_name_that_would_be_another_path_belongs_to_nothing() {
        for name in ["", "..", "a/../b", "/", "a//b"] {
            let error = segment("volume", name).unwrap_err();
            assert!(error.is_not_found(), "{name}");
            assert_eq!(error.message, format!("No such volume: \"{name}\""));
        }
    }
}
