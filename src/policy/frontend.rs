//! Decides which frontend may read a Dockerfile. A frontend gets the build context and every secret
//! of the build, and downloads from the engine's machine, so it could reach the engine.

use super::settings::list_with;
use super::{Policy, Refusal};
use crate::model::dockerfile::{FRONTEND, is_frontend_of_docker};
use crate::model::image_reference::is_same;

impl Policy {
    /// Checks a frontend in a Dockerfile or build argument: it has to be Docker's own, or listed in
    /// `spc.toml`.
    pub fn frontend(&self, image: &str) -> Result<(), Refusal> {
        if is_frontend_of_docker(image)
            || self.settings.frontends.iter().any(|entry| is_same(entry, image))
        {
            return Ok(());
        }
        let reason = format!(
            "only \"{FRONTEND}\" is Docker's own; another one decides what the build downloads, and gets its secrets"
        );
        let line = list_with("frontends", &self.settings.frontends, image);
        Err(Refusal::new("build with the frontend", image).because(reason).allowed_by(line))
    }

    /// Checks a name that a script gives to an image. If it were the name of Docker's frontend,
    /// every build that uses the frontend would run the image.
    pub fn image_name(&self, doing: &str, image: &str) -> Result<(), Refusal> {
        if !is_frontend_of_docker(image)
            || self.settings.frontends.iter().any(|entry| is_same(entry, image))
        {
            return Ok(());
        }
        let line = list_with("frontends", &self.settings.frontends, image);
        Err(Refusal::new(doing, image)
            .because("builds run the image of that name to read Dockerfiles")
            .allowed_by(line))
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::policy::{Policy, Resolution, Settings};

    #[test]
    fn a_frontend_that_is_not_dockers_needs_its_line() {
        let settings =
            Settings { frontends: vec!["example/x:1".to_owned()], ..Settings::default() };
        let policy =
            Policy::new(Path::new("/work"), settings, &|path| Resolution::Exists(path.to_owned()))
                .unwrap();
        for image in [
            "docker/dockerfile:1",
            "docker.io/docker/dockerfile:1.7-labs",
            "example/x:1",
            "docker.io/example/x:1",
        ] {
            assert!(policy.frontend(image).is_ok(), "{image}");
        }
        for image in ["example/x", "example/x:2", "example.org/docker/dockerfile:1"] {
            assert!(policy.frontend(image).is_err(), "{image}");
        }
        assert!(
            policy.image_name("tag an image as", "example/x").is_ok()
                && policy.image_name("tag an image as", "docker/dockerfile:1").is_err()
        );
        let line = policy.frontend("example/y").unwrap_err().add;
        assert_eq!(line, ["frontends = [\"example/x:1\", \"example/y\"]"]);
    }
}
