//! Secrets of a stack, and how a service gets them.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::mount::{clean_text, host_path};
use super::reader::Field;
use crate::model::Failure;

/// A top-level secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Secret {
    pub source: SecretSource,
}

/// The source of a secret's value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// The content of a file.
    File(PathBuf),
    /// A variable of the process environment or `.env`.
    Environment(String),
}

/// A secret or config as a file in a container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FileMount {
    /// Key of the top-level secret or config.
    pub source: String,
    /// Absolute path in the container.
    pub target: String,
    pub uid: u32,
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
}

/// The folder of secrets without a `target`.
pub const SECRETS_FOLDER: &str = "/run/secrets";

impl Secret {
    pub(super) fn read(field: &Field<'_>, directory: &Path) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let file = map.read("file", |field| host_path(field, &field.name_text()?, directory))?;
        let environment = map.read("environment", Field::name_text)?;
        map.read_filled("name", Field::name_text)?;
        map.finish(&["external", "content", "driver", "driver_opts", "labels", "template_driver"])?;
        let source = match (file, environment) {
            (Some(path), None) => SecretSource::File(path),
            (None, Some(name)) => SecretSource::Environment(name),
            _ => {
                return Err(field.fail(format!(
                    "The secret \"{}\" needs exactly one of \"file\" and \"environment\"",
                    field.key()
                )));
            }
        };
        Ok(Self { source })
    }
}

impl FileMount {
    /// The target without `.`, `..` and redundant slashes.
    pub fn place(&self) -> String {
        clean_text(&self.target)
    }

    /// The mount of a `kind`. A relative or missing target is in `folder`.
    pub(super) fn read(field: &Field<'_>, kind: &str, folder: &str) -> Result<Self, Failure> {
        if let Value::String(source) = field.value {
            return Ok(Self {
                source: source.clone(),
                target: format!("{folder}/{source}"),
                uid: 0,
                gid: 0,
                mode: 0o444,
            });
        }
        let mut map = field.long_form(&format!("the name of a {kind} or a map"))?;
        let source = map.required("source")?.name_text()?;
        let target = map.read_filled("target", Field::name_text)?.unwrap_or_else(|| source.clone());
        let id = |field: &Field<'_>| {
            u32::try_from(field.number()?)
                .map_err(|_| field.fail(format!("\"{}\" is out of range", field.name())))
        };
        let mount = Self {
            target: if target.starts_with('/') { target } else { format!("{folder}/{target}") },
            uid: map.read_filled("uid", id)?.unwrap_or(0),
            gid: map.read_filled("gid", id)?.unwrap_or(0),
            mode: map.read("mode", read_mode)?.unwrap_or(0o444),
            source,
        };
        map.finish(&[])?;
        Ok(mount)
    }
}

/// A number contains the bits themselves (`0o440` in Rhai, `0440` in YAML). A string is octal, as
/// in Compose.
fn read_mode(field: &Field<'_>) -> Result<u32, Failure> {
    let wrong = || {
        field
            .fail(format!("\"{}\" is not a file mode", field.name()))
            .hint("write it in octal: \"0440\"")
    };
    let mode = match field.value {
        Value::String(text) => {
            u32::from_str_radix(text.trim_start_matches("0o"), 8).map_err(|_| wrong())?
        }
        _ => u32::try_from(field.number()?)
            .ok()
            .filter(|mode| !is_decimal_mode(u64::from(*mode)))
            .ok_or_else(wrong)?,
    };
    if mode <= 0o7777 { Ok(mode) } else { Err(wrong()) }
}

/// Whether a number looks like a usual mode that was written without Rhai's `0o`. In Rhai `0400` is
/// the number 400, which is `0o620`: others could write a file that only its owner should read.
pub fn is_decimal_mode(number: u64) -> bool {
    matches!(
        number,
        400 | 440
            | 444
            | 500
            | 550
            | 555
            | 600
            | 640
            | 644
            | 660
            | 664
            | 666
            | 700
            | 750
            | 755
            | 775
            | 777
    )
}
