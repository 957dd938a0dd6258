//! The frontend that reads a Dockerfile: an image that BuildKit runs, and that decides what the
//! build does.

use crate::model::image_reference::ImageReference;

/// The frontend that Docker publishes.
pub const FRONTEND: &str = "docker/dockerfile";

/// The build argument that names another frontend than the Dockerfile.
pub const SYNTAX_ARGUMENT: &str = "BUILDKIT_SYNTAX";

/// Whether an image is the frontend that Docker publishes, in any version.
pub fn is_frontend_of_docker(image: &str) -> bool {
    ImageReference::parse(image).is_some_and(|reference| reference.repository() == FRONTEND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn docker_publishes_its_frontend_under_one_name() {
        for image in [
            "docker/dockerfile",
            "docker/dockerfile:1",
            "docker.io/docker/dockerfile:1.7-labs",
            "docker/dockerfile@sha256:0a",
        ] {
            assert!(is_frontend_of_docker(image), "{image}");
        }
        for image in [
            "docker/dockerfile-upstream",
            "docker/dockerfile/x",
            "example.org/docker/dockerfile",
            "dockerfile",
            "",
            "library/docker/dockerfile",
        ] {
            assert!(!is_frontend_of_docker(image), "{image}");
        }
    }
}
