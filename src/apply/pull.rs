//! Pulls images and reports the progress.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::StreamExt;

use super::failures::of_engine;
use super::observe::image_id;
use super::patience::within;
use super::{OnProgress, VerbContext};
use crate::engine::{EngineError, EngineErrorKind, RegistryAuth, TransferEvent};
use crate::model::event::{Detail, StepStatus};
use crate::model::image_reference::ImageReference;
use crate::model::time::readable;
use crate::model::{Failure, Kind, size};

/// A pull that reports nothing for this long is cancelled.
const STALLED: Duration = Duration::from_mins(10);

/// Pulls `image`. Returns its id.
pub async fn pull(
    ctx: &VerbContext,
    image: &str,
    auth: Option<&RegistryAuth>,
    progress: &OnProgress<'_>,
) -> Result<String, Failure> {
    let failed = |error: EngineError| async {
        let is_here = image_id(&*ctx.engine, image).await.is_ok_and(|id| id.is_some());
        pull_failure(error, image, is_here)
    };
    let host = &*ctx.host;
    let say = |silent| {
        progress(StepStatus::new(
            format!("no word from the registry for {}", readable(silent)),
            Detail::Waiting,
        ))
    };
    let stalled = || {
        let silence = readable(STALLED);
        Failure::new(Kind::Timeout, format!("The pull of \"{image}\" stalled: the engine reported nothing for {silence}"))
            .hint("check the connection to the registry, then run the same command again: the engine keeps the layers that it has")
            .field("image", image.to_owned())
    };
    let begun = within(host, STALLED, &say, ctx.engine.image_pull(image, None, auth)).await;
    let mut stream = match begun.ok_or_else(stalled)? {
        Ok(stream) => stream,
        Err(error) => return Err(failed(error).await),
    };
    let mut last = String::new();
    let mut transfer = Transfer::default();
    while let Some(report) = within(host, STALLED, &say, stream.next()).await.ok_or_else(stalled)? {
        let report = match report {
            Ok(report) => report,
            Err(error) => return Err(failed(error).await),
        };
        let now = ctx.host.monotonic();
        if report.layer.is_some() {
            if let Some(standing) = transfer.take(report, now) {
                progress(standing);
            }
        } else if report.status != last {
            // One line per change of the status, not per chunk.
            progress(report.status.as_str().into());
            last = report.status;
        }
    }
    image_id(&*ctx.engine, image).await?.ok_or_else(|| {
        Failure::new(
            Kind::Image,
            format!("The image \"{image}\" was pulled but is not on the engine"),
        )
    })
}

/// Why an image could not be pulled: it does not exist, access is denied, or its registry does not
/// answer. `is_here`: the engine has an image with this name.
fn pull_failure(error: EngineError, image: &str, is_here: bool) -> Failure {
    let registry =
        ImageReference::parse(image).map_or_else(String::new, |reference| reference.registry);
    let words = error.message.to_ascii_lowercase();
    let says = |all: &[&str]| all.iter().any(|part| words.contains(part));
    let pulled =
        if is_here { "could not be pulled" } else { "is not here and could not be pulled" };
    let here = if is_here { "" } else { "here or " };
    let (message, hint) = match error.kind {
        EngineErrorKind::Denied => (
            format!(
                "The image \"{image}\" {pulled}: the registry \"{registry}\" denies access to it"
            ),
            format!("log in with `docker login {registry}`, then run the same command again"),
        ),
        // Registries give the same answer for a missing image and for one without access.
        EngineErrorKind::NotFound if says(&["access denied", "may require"]) => (
            format!(
                "There is no image \"{image}\" {here}in the registry \"{registry}\", or it is private"
            ),
            format!("check its name; if it is right, log in with `docker login {registry}`"),
        ),
        EngineErrorKind::NotFound => (
            format!("There is no image \"{image}\" {here}in the registry \"{registry}\""),
            "check its name and its tag; without a registry, build or import it".to_owned(),
        ),
        EngineErrorKind::Failed | EngineErrorKind::Server => {
            let reason = match unreachable(&words) {
                Some(reason) => format!("the registry \"{registry}\" is not reachable ({reason})"),
                None => error.message.clone(),
            };
            (
                format!("The image \"{image}\" {pulled}: {reason}"),
                "check its name and the connection to the registry; without a registry, build or import it".to_owned(),
            )
        }
        _ => return of_engine(error, &format!("pull the image \"{image}\"")),
    };
    let said = if message.contains(&error.message) { String::new() } else { error.message };
    let hint = match error.hint {
        Some(hint) => hint,
        None if is_here => format!("{hint}; `up` uses the image that the engine has"),
        None => hint,
    };
    Failure::new(Kind::Image, message)
        .hint(hint)
        .field("image", image.to_owned())
        .detail("the engine's message", said)
}

/// Why a registry can't be reached, if the engine's words, in lower case, say that it can't.
fn unreachable(words: &str) -> Option<&'static str> {
    const REASONS: &[(&str, &str)] = &[
        ("no such host", "its name can't be resolved"),
        ("server misbehaving", "its name can't be resolved"),
        ("connection refused", "connection refused"),
        ("i/o timeout", "it does not answer in time"),
        ("deadline exceeded", "it does not answer in time"),
        ("server gave http", "it answers without TLS"),
        ("dial tcp", "no connection to it"),
    ];
    REASONS.iter().find(|(part, _)| words.contains(part)).map(|(_, reason)| *reason)
}

/// The total of all layers of a pull.
#[derive(Default)]
struct Transfer {
    layers: BTreeMap<String, (u64, u64)>,
    reported: Option<Duration>,
}

/// How often spc reports the bytes of a pull.
const TRANSFER_PACE: Duration = Duration::from_millis(250);

impl Transfer {
    /// Takes the report of a layer. Now and then returns the state of the whole.
    fn take(&mut self, report: TransferEvent, now: Duration) -> Option<StepStatus> {
        let layer = self.layers.entry(report.layer?).or_default();
        match report.progress {
            // The engine extracts a layer after the download and counts from 0 again. This is not a
            // step back.
            Some((current, total)) if report.status == "Downloading" => {
                *layer = (current, total.max(current))
            }
            _ if matches!(report.status.as_str(), "Download complete" | "Pull complete") => {
                layer.0 = layer.1
            }
            _ => {}
        }
        let (current, total) =
            self.layers.values().fold((0, 0), |sum, layer| (sum.0 + layer.0, sum.1 + layer.1));
        if total == 0
            || self.reported.is_some_and(|reported| now.saturating_sub(reported) < TRANSFER_PACE)
        {
            return None;
        }
        self.reported = Some(now);
        Some(StepStatus::new(
            format!("{} of {}", size::format_bytes(current), size::format_bytes(total)),
            Detail::Transferring { current, total },
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pull_progress_is_the_sum_of_its_layers_and_reported_periodically() {
        let mut transfer = Transfer::default();
        let mut at = |millis: u64, layer: &str, status: &str, progress: Option<(u64, u64)>| {
            let report = TransferEvent {
                layer: Some(layer.to_owned()),
                status: status.to_owned(),
                progress,
            };
            transfer
                .take(report, Duration::from_millis(millis))
                .map(|standing| (standing.text, standing.detail))
        };
        let reported = |text: &str, current, total| {
            Some((text.to_owned(), Some(Detail::Transferring { current, total })))
        };
        assert_eq!(at(0, "a", "Pulling fs layer", None), None);
        assert_eq!(
            at(1, "a", "Downloading", Some((512, 1024))),
            reported("512 B of 1.0 KiB", 512, 1024)
        );
        assert_eq!(at(100, "b", "Downloading", Some((0, 1024))), None);
        assert_eq!(
            at(300, "a", "Download complete", None),
            reported("1.0 KiB of 2.0 KiB", 1024, 2048)
        );
        assert_eq!(
            at(600, "a", "Extracting", Some((1, 1024))),
            reported("1.0 KiB of 2.0 KiB", 1024, 2048)
        );
        assert_eq!(at(900, "b", "Pull complete", None), reported("2.0 KiB of 2.0 KiB", 2048, 2048));
    }
}
