//! The releases that are deployed: tags of the images of the tests, and bad ones made from them.

use std::fs;
use std::process::Command;

use crate::engine::docker::docker;

/// Two releases of the same images. Their tags differ, so each container of ours is replaced.
pub const RELEASES: [&str; 2] = ["spct-v1", "spct-v2"];

/// A release whose backend fails in one way. Its other services are those of the good ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BadRelease {
    /// The health API always answers 503.
    NeverHealthy,
    /// The server exits with code 3.
    ExitsAtStart,
    /// A fifth of all requests is answered with 500, but not those of the health API.
    Errors,
    /// Each request takes 1.5 s longer, but not those of the health API.
    Slow,
}

impl BadRelease {
    pub const fn tag(self) -> &'static str {
        match self {
            Self::NeverHealthy => "spct-never-healthy",
            Self::ExitsAtStart => "spct-exits-at-start",
            Self::Errors => "spct-errors",
            Self::Slow => "spct-slow",
        }
    }

    /// What is changed in the image.
    fn instruction(self) -> &'static str {
        match self {
            Self::NeverHealthy => {
                "RUN sed -i 's/healthy = len(passed) == 2/healthy = False/' config/health.py && grep -q 'healthy = False' config/health.py"
            }
            Self::ExitsAtStart => r"RUN printf 'raise SystemExit(3)\n' > gunicorn.conf.py",
            Self::Errors => {
                r#"RUN sed -i -e '1a import random' -e 's|^\( *\)return named(await get_response(request))|\1response = named(await get_response(request))\n\1if request.path != "/api/health/" and random.random() < 0.2:\n\1    response.status_code = 500\n\1return response|' config/release.py && grep -q random.random config/release.py"#
            }
            Self::Slow => {
                r#"RUN sed -i -e '1a import asyncio' -e 's|^\( *\)return named(await get_response(request))|\1if request.path != "/api/health/":\n\1    await asyncio.sleep(1.5)\n&|' config/release.py && grep -q asyncio.sleep config/release.py"#
            }
        }
    }

    /// Builds its images, from those of the tests.
    pub fn make(self) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("Dockerfile");
        let change = self.instruction();
        let backend = format!("FROM spc-backend:spct-production\nUSER root\n{change}\nUSER 1000\n");
        fs::write(&file, backend).unwrap();
        let output = Command::new("docker")
            .args(["build", "--tag", &format!("spc-backend:{}-production", self.tag())])
            .arg(folder.path())
            .env("DOCKER_BUILDKIT", "0")
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        tag("spc-frontend", self.tag());
    }
}

/// Gives the images of the tests the tags of both releases.
pub fn tag_releases() {
    for release in RELEASES {
        tag("spc-backend", release);
        tag("spc-frontend", release);
    }
}

fn tag(image: &str, release: &str) {
    let (from, to) = (format!("{image}:spct-production"), format!("{image}:{release}-production"));
    docker(&["tag", &from, &to]);
}
