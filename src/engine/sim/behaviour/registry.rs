//! The registry for pulls and pushes; by default none answers.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures::channel::mpsc::UnboundedReceiver;

use crate::engine::sim::daemon::errors::refusal;
use crate::engine::sim::daemon::feed::{Step, say};
use crate::engine::sim::daemon::ids::{digest, short};
use crate::engine::sim::daemon::images::Image;
use crate::engine::sim::daemon::images::reference::Reference;
use crate::engine::sim::daemon::images::spec::ImageSpec;
use crate::engine::sim::daemon::state::State;
use crate::engine::{EngineError, EngineErrorKind as Kind, RegistryAuth, Result, TransferEvent};

/// The duration of a push of any image.
const PUSH_TAKES: Duration = Duration::from_secs(2);
/// The duration of a pull of an image that an open registry invents.
const PULL_TAKES: Duration = Duration::from_secs(3);
/// The duration of a check that nothing changed.
const LOOKUP_TAKES: Duration = Duration::from_millis(300);
/// The number of reports of a download.
const PARTS: u32 = 4;

/// An image of the registry.
#[derive(Debug, Clone)]
struct RegistryImage {
    image: Image,
    digest: String,
    takes: Duration,
}

#[derive(Debug, Default)]
pub(in crate::engine::sim) struct Registry {
    /// Whether a registry answers at all.
    pub answers: bool,
    /// Whether it has an image with any name, not only the published ones.
    pub open: bool,
    /// The credentials for pull and push; everybody may if there are none.
    pub login: Option<RegistryAuth>,
    /// By full name: `postgres:15`.
    images: BTreeMap<String, RegistryImage>,
    /// Full names that an open registry does not have.
    withheld: BTreeSet<String>,
}

impl Registry {
    /// Removes the image with this full name.
    pub fn withhold(&mut self, name: String) {
        self.images.remove(&name);
        self.withheld.insert(name);
    }

    /// Why `reference` is not available with these credentials.
    fn find(&self, reference: &Reference, auth: Option<&RegistryAuth>) -> Result<&RegistryImage> {
        self.reach(auth)?;
        let repository = &reference.repository;
        if let Some(digest) = &reference.digest {
            let found = self.images.iter().find(|(name, remote)| {
                remote.digest == *digest && name.starts_with(&format!("{repository}:"))
            });
            return found
                .map(|(_, remote)| remote)
                .ok_or_else(|| unknown_manifest(&reference.full()));
        }
        if let Some(remote) = self.images.get(&reference.full()) {
            return Ok(remote);
        }
        if self.images.keys().any(|name| name.starts_with(&format!("{repository}:"))) {
            return Err(unknown_manifest(&reference.full()));
        }
        let words = "repository does not exist or may require 'docker login': denied: requested access to the resource is denied";
        Err(refusal(404, format!("pull access denied for {repository}, {words}")))
    }

    /// An image that everybody may pull.
    pub fn image(&self, name: &str) -> Result<&Image> {
        self.find(&Reference::parse(name)?, None).map(|remote| &remote.image)
    }

    fn reach(&self, auth: Option<&RegistryAuth>) -> Result<()> {
        if !self.answers {
            let words = "Get \"https://registry.invalid/v2/\": dial tcp: lookup registry.invalid: no such host";
            return Err(EngineError::new(Kind::Failed, words));
        }
        if self.login.is_some() && self.login.as_ref() != auth {
            return Err(refusal(401, "unauthorized: authentication required"));
        }
        Ok(())
    }
}

fn unknown_manifest(name: &str) -> EngineError {
    refusal(404, format!("manifest for {name} not found: manifest unknown: manifest unknown"))
}

fn report(
    layer: Option<&str>,
    status: impl Into<String>,
    progress: Option<(u64, u64)>,
) -> Step<TransferEvent> {
    say(TransferEvent { layer: layer.map(str::to_owned), status: status.into(), progress })
}

impl State {
    /// Publishes an image under a name. From then on the registry answers.
    pub(in crate::engine::sim) fn publish(
        &mut self,
        name: &str,
        spec: &ImageSpec,
        takes: Duration,
    ) -> Result<()> {
        let reference = Reference::parse(name)?;
        let image = self.image_of(&reference.full(), spec);
        self.registry.answers = true;
        let digest = manifest_digest(&image);
        self.registry.images.insert(reference.full(), RegistryImage { image, digest, takes });
        Ok(())
    }

    /// An image from a description, without names.
    pub(in crate::engine::sim) fn image_of(&mut self, name: &str, spec: &ImageSpec) -> Image {
        Image {
            id: spec.id(name),
            serial: self.ids.serial(),
            created: self.now,
            tags: BTreeSet::new(),
            digests: BTreeSet::new(),
            config: spec.config(),
            comment: String::new(),
            size: spec.size(),
            files: Arc::new(spec.tree()),
        }
    }

    /// Adds an image to an open registry, unless it has one with this name.
    pub(in crate::engine::sim) fn offer(&mut self, wanted: &str) {
        let Ok(reference) = Reference::parse(wanted) else { return };
        let known = self.registry.images.contains_key(&reference.full())
            || self.registry.withheld.contains(&reference.full());
        if self.registry.open && self.registry.answers && reference.digest.is_none() && !known {
            // The name was parsed, so it can be published.
            let _ = self.publish(wanted, &ImageSpec::command(&["serve"]), PULL_TAKES);
        }
    }

    pub fn registry_digest(&mut self, wanted: &str, auth: Option<&RegistryAuth>) -> Result<String> {
        self.offer(wanted);
        let reference = Reference::parse(wanted)?;
        self.registry.find(&reference, auth).map(|remote| remote.digest.clone())
    }

    /// Starts a pull and returns its reports.
    pub fn pull(
        &mut self,
        wanted: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<UnboundedReceiver<Result<TransferEvent>>> {
        self.offer(wanted);
        let reference = Reference::parse(wanted)?;
        let RegistryImage { image, digest, takes } = self.registry.find(&reference, auth)?.clone();
        let name = reference.full();
        let title = report(None, format!("Pulling from {}", reference.repository), None);
        let known = self.objects.images.contains_key(&image.id);
        let mut steps = vec![(LOOKUP_TAKES.min(takes), title)];
        if !known {
            let layer = short(&image.id).to_owned();
            let size = u64::try_from(image.size).unwrap_or_default();
            steps.push((Duration::ZERO, report(Some(&layer), "Pulling fs layer", None)));
            for part in 1..=PARTS {
                let done = size / u64::from(PARTS) * u64::from(part);
                steps
                    .push((takes / PARTS, report(Some(&layer), "Downloading", Some((done, size)))));
            }
            steps.push((Duration::ZERO, report(Some(&layer), "Pull complete", None)));
        }
        steps.push((Duration::ZERO, report(None, format!("Digest: {digest}"), None)));
        let status = if known {
            format!("Status: Image is up to date for {name}")
        } else {
            format!("Status: Downloaded newer image for {name}")
        };
        let store = move |state: &mut State| {
            let id = image.id.clone();
            let serial = state.ids.serial();
            let tag = reference.digest.is_none().then(|| name.clone());
            state.store_image(&id, tag.as_deref(), |_| Image { serial, ..image });
            if let Some(image) = state.objects.images.get_mut(&id) {
                image.digests.insert(format!("{}@{digest}", reference.repository));
            }
            state.emit_image(&name, "pull", &reference.repository);
            Ok(TransferEvent { layer: None, status, progress: None })
        };
        steps.push((Duration::ZERO, Box::new(store)));
        Ok(self.feed(steps))
    }

    /// Starts a push and returns its reports.
    pub fn push(
        &mut self,
        wanted: &str,
        auth: Option<&RegistryAuth>,
    ) -> Result<UnboundedReceiver<Result<TransferEvent>>> {
        let reference = Reference::parse(wanted)?;
        let missing = || {
            refusal(
                404,
                format!("An image does not exist locally with the tag: {}", reference.repository),
            )
        };
        let image = self.objects.find_image(wanted).map_err(|_| missing())?.clone();
        self.registry.reach(auth)?;
        let digest = manifest_digest(&image);
        let layer = short(&image.id).to_owned();
        let title = format!("The push refers to repository [{}]", reference.repository);
        let done = format!("{}: digest: {digest} size: {}", reference.tag, image.size);
        let (id, size) = (image.id.clone(), u64::try_from(image.size).unwrap_or_default());
        let store = move |state: &mut State| {
            let name = reference.full();
            let takes = PUSH_TAKES;
            state
                .registry
                .images
                .insert(name.clone(), RegistryImage { image, digest: digest.clone(), takes });
            if let Some(image) = state.objects.images.get_mut(&id) {
                image.digests.insert(format!("{}@{digest}", reference.repository));
            }
            state.emit_image(&name, "push", &reference.repository);
            Ok(TransferEvent { layer: None, status: done, progress: None })
        };
        let steps = [
            (LOOKUP_TAKES, report(None, title, None)),
            (Duration::ZERO, report(Some(&layer), "Preparing", None)),
            (PUSH_TAKES / 2, report(Some(&layer), "Pushing", Some((size / 2, size)))),
            (PUSH_TAKES / 2, report(Some(&layer), "Pushed", None)),
            (Duration::ZERO, Box::new(store) as Step<TransferEvent>),
        ];
        Ok(self.feed(steps))
    }
}

fn manifest_digest(image: &Image) -> String {
    format!("sha256:{}", digest([image.id.as_bytes(), b"manifest"]))
}
