//! Named volumes of a stack.

use std::collections::BTreeMap;

use serde::Serialize;

use super::is_false;
use super::reader::Field;
use crate::model::Failure;

/// A top-level volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// The engine's name: `<project>_<key>` unless `name:` says otherwise.
    pub name: String,
    /// Not ours: only used, never made or removed.
    #[serde(skip_serializing_if = "is_false")]
    pub external: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// `x-spc-shared`: several containers may write to it at once. A database's never.
    #[serde(skip)]
    pub shared: bool,
}

impl Volume {
    /// Reads an entry of the description; `default_name` is the engine's name if none is given.
    pub fn read(field: &Field<'_>, default_name: String) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let volume = Self {
            name: map.read("name", Field::name_text)?.unwrap_or(default_name),
            external: map.read("external", Field::bool)?.unwrap_or(false),
            driver: map.read("driver", Field::name_text)?,
            driver_opts: map.read("driver_opts", |field| field.pairs(&|_| Some(String::new())))?.unwrap_or_default(),
            labels: map.read("labels", Field::labels)?.unwrap_or_default(),
            shared: map.read("x-spc-shared", Field::bool)?.unwrap_or(false),
        };
        map.finish(&[])?;
        Ok(volume)
    }
}
