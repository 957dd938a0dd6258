//! The next step if a build can't get its base image.

use crate::model::image_reference::ImageReference;

/// The next step after a registry's message about a base image: a user without access, or without
/// permission to see the image, has to log in.
pub(super) fn hint(image: &str, words: &str) -> String {
    let words = words.to_ascii_lowercase();
    let denied = [
        "access denied",
        "denied:",
        "unauthorized",
        "authorization failed",
        "may require",
        "no basic auth",
        "forbidden",
    ];
    if denied.iter().any(|word| words.contains(word)) {
        let registry =
            ImageReference::parse(image).map_or_else(String::new, |reference| reference.registry);
        return format!(
            "check its name; if it is right, log in with `docker login {registry}`, then run the same command again"
        );
    }
    "build or import it first, or check its name and the way to its registry".to_owned()
}

#[cfg(test)]
mod tests {
    use super::hint;

    #[test]
    fn a_denied_base_image_suggests_docker_login() {
        for words in [
            "pull access denied, repository does not exist or may require authorization: server message: insufficient_scope",
            "failed to authorize: failed to fetch anonymous token: unexpected status: 401 Unauthorized",
            "unexpected status code [manifests 1]: 403 Forbidden",
            "Head \"https://registry.example:5000/v2/\": no basic auth credentials",
        ] {
            assert!(
                hint("registry.example:5000/a:1", words)
                    .contains("`docker login registry.example:5000`"),
                "{words}"
            );
        }
        assert!(!hint("a:1", "dial tcp: lookup registry.example: no such host").contains("login"));
    }
}
