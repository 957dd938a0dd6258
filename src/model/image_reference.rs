//! Compares names of images as Docker does: `nginx` and `docker.io/library/nginx:latest` are the
//! same.
//!
//! The rules are those of Docker's own `distribution/reference`. Names are case-sensitive, as in
//! Docker.

/// The registry of a name that contains none.
pub const DEFAULT_REGISTRY: &str = "docker.io";
/// Another name of the default registry.
const INDEX: &str = "index.docker.io";
/// The path of Docker's own images.
const OFFICIAL: &str = "library/";
/// The number of digits of an image's id.
const ID_DIGITS: usize = 64;
const LONGEST_TAG: usize = 128;
/// The most characters of a name without tag and digest.
const LONGEST_NAME: usize = 255;

/// The next step for a name with a [`fault`].
pub fn how_to_name(text: &str) -> &'static str {
    if text.contains('$') {
        return "to insert a value in a script, use backticks: `nginx:${env(\"TAG\")}`";
    }
    "write it as [registry/]name[:tag][@digest]"
}

/// The parts of a name, with defaults. [`fault`] checks whether Docker would accept each character.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageReference {
    /// `docker.io` if the name contains none.
    pub registry: String,
    /// The path in the registry: `library/nginx`.
    pub path: String,
    /// `latest` if the name has neither tag nor digest.
    pub tag: Option<String>,
    /// `sha256:…`. If a name has a digest, Docker ignores the tag.
    pub digest: Option<String>,
}

impl ImageReference {
    /// Parses a name; `None` for the whole id of an image.
    pub fn parse(text: &str) -> Option<Self> {
        if text.is_empty() || whole_id(text).is_some() {
            return None;
        }
        let (name, digest) = text
            .split_once('@')
            .map_or((text, None), |(name, digest)| (name, Some(digest.to_owned())));
        // A colon before the last slash belongs to the port of a registry.
        let last = name.rfind('/').map_or(0, |slash| slash + 1);
        let (repository, tag) = match name[last..].split_once(':') {
            Some((end, tag)) => (&name[..last + end.len()], Some(tag.to_owned())),
            None => (name, None),
        };
        let (registry, path) = match repository.split_once('/') {
            Some((first, rest)) if is_registry(first) => (first, rest),
            _ => (DEFAULT_REGISTRY, repository),
        };
        let registry = if registry == INDEX { DEFAULT_REGISTRY } else { registry };
        let is_official = registry == DEFAULT_REGISTRY && !path.contains('/');
        let path = if is_official { format!("{OFFICIAL}{path}") } else { path.to_owned() };
        let tag = if tag.is_none() && digest.is_none() { Some("latest".to_owned()) } else { tag };
        Some(Self { registry: registry.to_owned(), path, tag, digest })
    }

    /// The name without tag and digest, in the form of the engine's lists: without the default
    /// registry.
    pub fn repository(&self) -> String {
        if self.registry != DEFAULT_REGISTRY {
            return format!("{}/{}", self.registry, self.path);
        }
        match self.path.strip_prefix(OFFICIAL) {
            Some(name) if !name.contains('/') => name.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// The name in the form of the engine's lists: `nginx:latest`, or `nginx@sha256:…` if there is
    /// a digest.
    pub fn listed(&self) -> String {
        match (&self.digest, &self.tag) {
            (Some(digest), _) => format!("{}@{digest}", self.repository()),
            (None, tag) => format!("{}:{}", self.repository(), tag.as_deref().unwrap_or("latest")),
        }
    }
}

/// Whether the first part of a name is a registry.
fn is_registry(part: &str) -> bool {
    part.contains(['.', ':']) || part == "localhost" || part.chars().any(char::is_uppercase)
}

/// The `sha256:…` of a whole id, with or without `sha256:`.
fn whole_id(text: &str) -> Option<String> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let is_id = digits.len() == ID_DIGITS
        && digits.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'));
    is_id.then(|| format!("sha256:{digits}"))
}

/// The canonical form of a name or a whole id, as in the engine's lists. Other texts stay as they
/// are.
pub fn canonical(text: &str) -> String {
    whole_id(text)
        .or_else(|| Some(ImageReference::parse(text)?.listed()))
        .unwrap_or_else(|| text.to_owned())
}

/// What is wrong with a name that Docker would reject, as a clause: "its tag is empty". It repeats
/// no part of the name, because the mask does not recognize a part of a secret.
pub fn fault(text: &str) -> Option<String> {
    if is_id(text) {
        return None;
    }
    if let Some(odd) =
        text.chars().find(|character| character.is_whitespace() || character.is_control())
    {
        return Some(format!(
            "it contains {}",
            if odd.is_whitespace() { "a space" } else { "a control character" }
        ));
    }
    if text.contains('$') {
        return Some("it contains \"$\", and nothing inserts a value there".to_owned());
    }
    let Some(reference) = ImageReference::parse(text) else {
        return Some("it is empty".to_owned());
    };
    if let Some(digest) = &reference.digest {
        let (algorithm, digits) = digest.split_once(':').unwrap_or((digest, ""));
        let wanted = if algorithm == "sha256" { ID_DIGITS } else { 32 };
        let is_hex = digits.chars().all(|digit| digit.is_ascii_hexdigit());
        if digest.is_empty() {
            return Some("its digest, after \"@\", is empty".to_owned());
        }
        if algorithm.is_empty()
            || !is_hex
            || digits.len() < wanted
            || algorithm == "sha256" && digits.len() != wanted
        {
            return Some(format!("its digest is not sha256: and {ID_DIGITS} hexadecimal digits"));
        }
    }
    if let Some(tag) = &reference.tag {
        let is_word = |character: char| character.is_ascii_alphanumeric() || character == '_';
        if tag.is_empty() {
            return Some("its tag, after \":\", is empty".to_owned());
        }
        if tag.len() > LONGEST_TAG
            || !tag.starts_with(is_word)
            || !tag.chars().all(|it| is_word(it) || ".-".contains(it))
        {
            return Some(format!(
                "its tag is not up to {LONGEST_TAG} letters, digits, \"_\", \".\" and \"-\""
            ));
        }
    }
    if !is_domain(&reference.registry) {
        return Some("the part before the first \"/\" is not a registry name".to_owned());
    }
    let path = reference.path.strip_prefix(OFFICIAL).unwrap_or(&reference.path);
    if path.contains(char::is_uppercase) {
        return Some("it contains capital letters".to_owned());
    }
    if let Some(part) = path.split('/').find(|part| !is_path_part(part)) {
        let rule = "a part of its path has small letters and digits, and between them \".\", \"_\", \"__\" or \"-\"";
        return Some(if part.is_empty() {
            "a part of its path is empty".to_owned()
        } else {
            rule.to_owned()
        });
    }
    (reference.repository().len() > LONGEST_NAME)
        .then(|| format!("it is longer than {LONGEST_NAME} characters"))
}

/// A host with or without a port: a name, an IPv4 address, or an IPv6 address in brackets.
fn is_domain(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_label = |label: &str| {
        let plain = label.chars().all(|it| it.is_ascii_alphanumeric() || it == '-');
        plain && !label.is_empty() && !label.starts_with('-') && !label.ends_with('-')
    };
    let is_address = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .is_some_and(|it| it.parse::<std::net::Ipv6Addr>().is_ok());
    let is_port = port
        .is_none_or(|port| !port.is_empty() && port.chars().all(|digit| digit.is_ascii_digit()));
    is_port && (is_address || host.split('.').all(is_label))
}

/// Letters and digits, joined by one dot, one or two underscores, or any number of dashes.
fn is_path_part(part: &str) -> bool {
    let is_letter = |it: char| it.is_ascii_lowercase() || it.is_ascii_digit();
    let is_joint =
        |joint: &str| matches!(joint, "" | "." | "_" | "__") || joint.chars().all(|it| it == '-');
    let whole = part.starts_with(is_letter)
        && part.ends_with(is_letter)
        && part.chars().all(|it| is_letter(it) || "._-".contains(it));
    whole && part.split(is_letter).all(is_joint)
}

/// Whether two names denote the same image.
pub fn is_same(one: &str, other: &str) -> bool {
    canonical(one) == canonical(other)
}

/// Whether the text is the whole id of an image, which no registry knows.
pub fn is_id(text: &str) -> bool {
    whole_id(text).is_some()
}

/// The digits of an id or of the beginning of one; `None` if the text can only be a name.
pub fn id_digits(text: &str) -> Option<&str> {
    let digits = text.strip_prefix("sha256:").unwrap_or(text);
    let fits = !digits.is_empty()
        && digits.len() <= ID_DIGITS
        && digits.chars().all(|digit| matches!(digit, '0'..='9' | 'a'..='f'));
    fits.then_some(digits)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use similar_asserts::assert_eq;

    use super::*;

    #[test]
    fn an_invalid_image_reference_is_rejected_with_the_reason() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let good = [
            "nginx",
            "nginx:1.27-alpine",
            "a/b/c:V_1.0",
            "localhost:5000/app",
            "[::1]:5000/app:1",
            "127.0.0.1/x",
            "Registry/app",
            "my--app",
            "my__app",
            "a.b/c-d_e",
            &format!("nginx@{digest}"),
            &format!("nginx:1@{digest}"),
            &digest,
            &digest[7..],
            "registry.example.org:443/team/app:2026-11-29",
        ];
        for name in good {
            assert_eq!(fault(name), None, "{name}");
        }
        let bad = [
            ("", "it is empty"),
            ("nginx:", "its tag, after \":\", is empty"),
            ("nginx@", "its digest, after \"@\", is empty"),
            ("app:1@", "its digest, after \"@\", is empty"),
            ("ng inx", "it contains a space"),
            ("redis:${TAG:-7}", "it contains \"$\", and nothing inserts a value there"),
            ("nginx\n", "it contains a space"),
            ("nginx\u{7}", "it contains a control character"),
            ("Nginx", "it contains capital letters"),
            ("team/App", "it contains capital letters"),
            ("/nginx", "a part of its path is empty"),
            ("a//b", "a part of its path is empty"),
            ("nginx/", "a part of its path is empty"),
            (
                "-nginx",
                "a part of its path has small letters and digits, and between them \".\", \"_\", \"__\" or \"-\"",
            ),
            ("a..b/c", "the part before the first \"/\" is not a registry name"),
            ("nginx:-1", "its tag is not up to 128 letters, digits, \"_\", \".\" and \"-\""),
            ("nginx:ü", "its tag is not up to 128 letters, digits, \"_\", \".\" and \"-\""),
            ("nginx@sha256:ab", "its digest is not sha256: and 64 hexadecimal digits"),
            ("a.b:x/c", "the part before the first \"/\" is not a registry name"),
            ("http://a/b", "the part before the first \"/\" is not a registry name"),
            (
                "größe",
                "a part of its path has small letters and digits, and between them \".\", \"_\", \"__\" or \"-\"",
            ),
        ];
        for (name, expected) in bad {
            assert_eq!(fault(name).as_deref(), Some(expected), "{name:?}");
        }
        assert!(fault(&"a".repeat(256)).unwrap().contains("255"));
        assert_eq!(fault(&"a".repeat(255)), None);
    }

    #[test]
    fn every_spelling_of_a_name_is_listed_as_one() {
        let digest = format!("sha256:{}", "ab".repeat(32));
        let cases = [
            ("nginx", "nginx:latest".to_owned()),
            ("nginx:latest", "nginx:latest".to_owned()),
            ("library/nginx", "nginx:latest".to_owned()),
            ("docker.io/nginx", "nginx:latest".to_owned()),
            ("docker.io/library/nginx:latest", "nginx:latest".to_owned()),
            ("index.docker.io/library/nginx", "nginx:latest".to_owned()),
            ("index.docker.io/team/app:1", "team/app:1".to_owned()),
            ("docker.io/team/app:1", "team/app:1".to_owned()),
            ("localhost/app", "localhost/app:latest".to_owned()),
            ("localhost:5000/app", "localhost:5000/app:latest".to_owned()),
            ("[::1]:5000/app:2", "[::1]:5000/app:2".to_owned()),
            ("nginx:1@sha256:aa", "nginx@sha256:aa".to_owned()),
            ("docker.io/library/nginx:1@sha256:aa", "nginx@sha256:aa".to_owned()),
            ("localhost:5000/app:1@sha256:aa", "localhost:5000/app@sha256:aa".to_owned()),
            (digest.as_str(), digest.clone()),
            (&digest["sha256:".len()..], digest.clone()),
            ("", String::new()),
        ];
        for (text, listed) in cases {
            assert_eq!(canonical(text), listed, "{text}");
        }
    }

    #[test]
    fn other_names_stay_others() {
        let others = [
            ("nginx", "nginx:1"),
            ("team/nginx", "nginx"),
            ("localhost/nginx", "nginx"),
            ("localhost:5000/app", "localhost:5001/app"),
            ("LOCALHOST:5000/app", "localhost:5000/app"),
            ("DOCKER.IO/library/nginx", "nginx"),
            ("nginx:A", "nginx:a"),
            ("registry-1.docker.io/library/nginx", "nginx"),
            ("nginx:1@sha256:aa", "nginx:1"),
            ("nginx@sha256:aa", "httpd@sha256:aa"),
        ];
        for (one, other) in others {
            assert!(!is_same(one, other), "{one} {other}");
        }
    }

    #[test]
    fn an_image_id_differs_from_a_name() {
        let id = "0f".repeat(32);
        assert!(is_id(&id) && is_id(&format!("sha256:{id}")) && !is_id("0f0f") && !is_id("nginx"));
        assert_eq!(id_digits("sha256:0f"), Some("0f"));
        assert_eq!(
            (id_digits("beef"), id_digits("nginx"), id_digits("beef:1"), id_digits("BEEF")),
            (Some("beef"), None, None, None)
        );
    }

    proptest! {
        #[test]
        fn the_one_spelling_is_its_own(text in "[a-z0-9./:@-]{0,24}") {
            prop_assert_eq!(canonical(&canonical(&text)), canonical(&text));
        }

        #[test]
        fn the_canonical_name_adds_the_defaults_of_docker(
            path in "[a-z][a-z0-9]{0,5}(/[a-z][a-z0-9]{0,5})?",
            tag in prop::option::of("[A-Za-z0-9][A-Za-z0-9._-]{0,5}"),
            digest in prop::option::of("[0-9a-f]{64}"),
        ) {
            let end = digest.as_ref().map_or_else(String::new, |digest| format!("@sha256:{digest}"));
            let tagged = tag.as_ref().map_or_else(String::new, |tag| format!(":{tag}"));
            let whole = if path.contains('/') { path.clone() } else { format!("library/{path}") };
            prop_assume!(path != "localhost" && !path.starts_with("localhost/"));
            for registry in ["docker.io", "index.docker.io"] {
                let long = format!("{registry}/{whole}{tagged}{end}");
                let short = format!("{path}{tagged}{end}");
                prop_assert!(is_same(&long, &short), "{} {}", long, short);
            }
            if digest.is_some() {
                let (with_tag, without) = (format!("{path}{tagged}{end}"), format!("{path}{end}"));
                prop_assert!(is_same(&with_tag, &without));
            } else {
                let own = format!("{path}:own");
                prop_assert_eq!(is_same(&format!("{path}{tagged}"), &own), tag.as_deref() == Some("own"));
            }
        }
    }
}
