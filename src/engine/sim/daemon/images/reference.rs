//! Names of images: repository, tag, digest.

use crate::engine::Result;
use crate::engine::sim::daemon::errors::refusal;
use crate::model::image_reference::ImageReference;

/// The parts of a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::engine::sim) struct Reference {
    /// In the form of the engine's lists: with the registry in front, unless it is Docker's.
    pub repository: String,
    /// `latest` if neither tag nor digest is given.
    pub tag: String,
    /// `sha256:…`
    pub digest: Option<String>,
}

impl Reference {
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |cause: &str| Err(refusal(400, cause));
        let (name, digest) = text
            .split_once('@')
            .map_or((text, None), |(name, digest)| (name, Some(digest.to_owned())));
        // A colon before the last slash belongs to the port of a registry.
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last..].find(':') {
            Some(colon) => (&name[..last + colon], &name[last + colon + 1..]),
            None => (name, "latest"),
        };
        let path = match repository.split_once('/') {
            Some((registry, path)) if is_registry(registry) => path,
            _ => repository,
        };
        if path.chars().any(|character| character.is_ascii_uppercase()) {
            return invalid("invalid reference format: repository name must be lowercase");
        }
        let allowed = |character: char| {
            character.is_ascii_lowercase()
                || character.is_ascii_digit()
                || matches!(character, '.' | '_' | '-')
        };
        let part = |part: &str| {
            !part.is_empty()
                && part.chars().all(allowed)
                && part.starts_with(|first: char| first.is_ascii_alphanumeric())
        };
        if !path.split('/').all(part) {
            return invalid("invalid reference format");
        }
        let word = |character: char| {
            character.is_ascii_alphanumeric() || matches!(character, '.' | '_' | '-')
        };
        if tag.is_empty()
            || tag.len() > 128
            || !tag.chars().all(word)
            || tag.starts_with(['.', '-'])
        {
            return invalid("invalid reference format");
        }
        if digest.as_ref().is_some_and(|digest| !digest.starts_with("sha256:")) {
            return invalid("invalid reference format");
        }
        let repository = ImageReference::parse(text)
            .map_or_else(|| repository.to_owned(), |reference| reference.repository());
        Ok(Self { repository, tag: tag.to_owned(), digest })
    }

    /// The full name: `postgres:latest`, `postgres@sha256:…`.
    pub fn full(&self) -> String {
        match &self.digest {
            Some(digest) => format!("{}@{digest}", self.repository),
            None => format!("{}:{}", self.repository, self.tag),
        }
    }
}

fn is_registry(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_completed() {
        let full = |text: &str| Reference::parse(text).unwrap().full();
        assert_eq!(full("postgres"), "postgres:latest");
        assert_eq!(full("local/postgres:15-alpine"), "local/postgres:15-alpine");
        assert_eq!(full("localhost:5000/app"), "localhost:5000/app:latest");
        assert_eq!(full("app:v1@sha256:ab"), "app@sha256:ab");
        for text in
            ["docker.io/library/postgres", "index.docker.io/postgres:latest", "library/postgres"]
        {
            assert_eq!(full(text), "postgres:latest", "{text}");
        }
    }

    #[test]
    fn an_invalid_image_name_is_rejected() {
        let message = |text: &str| Reference::parse(text).unwrap_err().message;
        assert_eq!(
            message("Postgres"),
            "invalid reference format: repository name must be lowercase"
        );
        for text in ["", "a//b", "a:", "a b", "a@md5:1", "-a"] {
            assert_eq!(message(text), "invalid reference format", "{text}");
        }
    }
}
