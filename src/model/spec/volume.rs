//! Named volumes of a stack.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;

use super::is_false;
use super::mount::host_path;
use super::reader::Field;
use crate::model::Failure;
use crate::model::failure::SpecPath;
use crate::model::names::{self, ENGINE_NAME, is_anonymous_volume, is_engine_name};
use crate::model::suggest::did_you_mean;

/// Options that the default volume driver accepts.
const LOCAL_OPTIONS: [&str; 4] = ["device", "o", "size", "type"];

/// A top-level volume.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Volume {
    /// The engine's name: `<project>_<key>` by default.
    pub name: String,
    /// An external volume: only used, never created or removed.
    #[serde(skip_serializing_if = "is_false")]
    pub external: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub driver: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub driver_opts: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// The absolute folder that the options bind, as written, if `driver_opts` contains it in
    /// another form. The hash uses this form, because older versions hashed it before paths were
    /// normalized.
    #[serde(skip)]
    pub written_device: Option<String>,
    /// `x-spc-shared`: several containers may write to it at the same time. Never true for the
    /// volume of a database.
    #[serde(skip)]
    pub shared: bool,
}

impl Volume {
    /// Reads the entry `key` of the description of `project`. By default the engine's name is made
    /// of both. The default name of an external volume is its key, as in Compose. A relative folder
    /// in the options is made absolute below `directory`, as in Compose, because the engine would
    /// resolve it in its own folder.
    pub fn read(
        field: &Field<'_>,
        project: &str,
        key: &str,
        directory: &Path,
    ) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let external = map.read("external", Field::bool)?.unwrap_or(false);
        let name = match map.read_filled("name", |name| checked_name(name, name.name_text()?))? {
            Some(name) => name,
            None if external => checked_name(field, key.to_owned())?,
            None => names::object(project, key),
        };
        let mut volume = Self {
            name,
            external,
            driver: map.read_filled("driver", Field::name_text)?,
            driver_opts: map
                .read("driver_opts", |field| field.pairs(&|_| Some(String::new())))?
                .unwrap_or_default(),
            labels: map.read("labels", Field::labels)?.unwrap_or_default(),
            written_device: None,
            shared: map.read("x-spc-shared", Field::bool)?.unwrap_or(false),
        };
        map.finish(&[])?;
        volume.check_name(field)?;
        volume.check_options(field)?;
        if volume.is_bound()
            && let Some(device) =
                volume.driver_opts.get_mut("device").filter(|device| !device.is_empty())
        {
            let written = std::mem::take(device);
            *device = host_path(field, &written, directory)?.to_string_lossy().into_owned();
            volume.written_device =
                (written.starts_with('/') && written != *device).then_some(written);
        }
        Ok(volume)
    }

    /// The default driver knows only these options and rejects all others.
    fn check_options(&self, field: &Field<'_>) -> Result<(), Failure> {
        let is_known = |key: &str| LOCAL_OPTIONS.contains(&key);
        let Some(unknown) =
            self.driver_opts.keys().find(|key| !is_known(key)).filter(|_| self.is_local())
        else {
            return Ok(());
        };
        let hint = did_you_mean(unknown, LOCAL_OPTIONS)
            .unwrap_or_else(|| format!("available: {}", LOCAL_OPTIONS.join(", ")));
        let message = format!("The volume driver \"local\" has no option \"{unknown}\"");
        Err(field.fail_below(&["driver_opts", unknown], message).hint(hint))
    }

    /// Rejects an option that needs another one which is missing. The failure is at the option's
    /// key. Policy checks come first, because they may reject the mount itself.
    pub fn check_mount(&self, key: &str) -> Result<(), Failure> {
        let has = |option: &str| self.driver_opts.contains_key(option);
        let missing = if !self.is_local()
            || self.external
            || !["type", "device", "o"].iter().any(|option| has(option))
        {
            None
        } else {
            ["device", "type"].into_iter().find(|option| !has(option))
        };
        let Some(missing) = missing else { return Ok(()) };
        let hint = match missing {
            "type" => {
                "name a file system, like \"nfs\" or \"tmpfs\"; for a folder of the host write `type: none` and `o: bind`"
            }
            _ => "`device` is what is mounted: a folder, \"tmpfs\" or \":/share\"",
        };
        let keys = vec!["volumes".to_owned(), key.to_owned(), "driver_opts".to_owned()];
        Err(Failure::usage(format!(
            "The driver options of the volume \"{key}\" lack \"{missing}\""
        ))
        .hint(hint)
        .at(SpecPath { keys, on_key: true }))
    }

    /// The default driver creates a folder with the volume's name.
    fn check_name(&self, field: &Field<'_>) -> Result<(), Failure> {
        if !self.is_local() || self.external || is_engine_name(&self.name) {
            return Ok(());
        }
        Err(field
            .fail_value(&["name"], format!("A volume can't be named \"{}\"", self.name))
            .hint(ENGINE_NAME))
    }

    /// The driver, unless it is the default one.
    pub fn own_driver(&self) -> Option<&str> {
        self.driver.as_deref().filter(|_| !self.is_local())
    }

    fn is_local(&self) -> bool {
        self.driver.as_deref().is_none_or(|driver| matches!(driver, "" | "local"))
    }

    /// Whether the options bind a folder of the host.
    pub fn is_bound(&self) -> bool {
        let option = |key: &str| self.driver_opts.get(key).map_or("", String::as_str);
        let binds = option("o").split(',').any(|flag| matches!(flag.trim(), "bind" | "rbind"))
            || matches!(option("type"), "none" | "bind");
        binds && self.is_local()
    }
}

/// The engine removes a volume with the name of an anonymous one together with its container.
fn checked_name(field: &Field<'_>, name: String) -> Result<String, Failure> {
    if is_anonymous_volume(&name) {
        return Err(field
            .fail(format!(
                "A volume can't be named \"{name}\": the engine gives such names to anonymous volumes, which are removed with their container"
            ))
            .hint("copy its content into a volume with a name of its own"));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_volume_that_the_engine_would_not_make_is_refused() {
        let read = |description: serde_json::Value| {
            Volume::read(&Field::root(&description), "shop", "v", Path::new("/srv"))
        };
        for name in ["a b", "v", "_v", "a/b", "ä1"] {
            let failure = read(json!({ "name": name })).unwrap_err();
            assert_eq!(
                (failure.message, failure.path.unwrap().to_string()),
                (format!("A volume can't be named \"{name}\""), "name".into())
            );
            assert!(
                read(json!({ "name": name, "external": true })).is_ok()
                    && read(json!({ "name": name, "driver": "nas" })).is_ok()
            );
        }
        let lacks = |options: serde_json::Value| {
            read(json!({ "driver_opts": options }))
                .unwrap()
                .check_mount("v")
                .err()
                .map(|failure| failure.message)
        };
        let message = |option: &str| {
            Some(format!("The driver options of the volume \"v\" lack \"{option}\""))
        };
        assert_eq!(lacks(json!({ "type": "tmpfs" })), message("device"));
        assert_eq!(lacks(json!({ "o": "bind" })), message("device"));
        assert_eq!(lacks(json!({ "device": "/x", "o": "bind" })), message("type"));
        assert_eq!(lacks(json!({ "type": "", "device": "" })), None);
        assert_eq!(lacks(json!({ "size": "1g" })), None);
    }

    #[test]
    fn a_bound_folder_is_absolute_and_nothing_else_is_touched() {
        let device = |description: serde_json::Value| {
            let volume =
                Volume::read(&Field::root(&description), "shop", "v", Path::new("/srv/shop"))
                    .unwrap();
            volume.driver_opts["device"].clone()
        };
        assert_eq!(
            device(json!({ "driver_opts": { "type": "none", "o": "bind", "device": "." } })),
            "/srv/shop"
        );
        assert_eq!(
            device(
                json!({ "driver": "local", "driver_opts": { "o": "ro,rbind", "device": "./a/../data" } })
            ),
            "/srv/shop/data"
        );
        assert_eq!(
            device(json!({ "driver_opts": { "type": "none", "o": "bind", "device": "/data/." } })),
            "/data"
        );
        assert_eq!(
            device(json!({ "driver_opts": { "type": "tmpfs", "device": "tmpfs" } })),
            "tmpfs"
        );
        assert_eq!(
            device(json!({ "driver_opts": { "type": "nfs", "o": "addr=nas", "device": ":/x" } })),
            ":/x"
        );
        assert_eq!(
            device(json!({ "driver": "other", "driver_opts": { "o": "bind", "device": "." } })),
            "."
        );
    }
}
