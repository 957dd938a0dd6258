//! Rejects a Dockerfile that sets labels by which spc identifies its own images and containers.

use crate::model::Failure;
use crate::model::dockerfile::reserved_label;
use crate::model::spec::Build;

/// Rejects the first such label. `dockerfile`: its path inside the context.
pub(super) fn refuse_reserved(text: &str, build: &Build, dockerfile: &str) -> Result<(), Failure> {
    let Some(found) = reserved_label(text, &build.args) else { return Ok(()) };
    let file = build.context.join(dockerfile).display().to_string();
    Err(Failure::usage(format!(
        "\"{file}\", line {}, sets the label \"{}\", which is reserved for spc",
        found.line, found.key
    ))
    .hint("remove it, or choose another key")
    .field("path", file))
}
