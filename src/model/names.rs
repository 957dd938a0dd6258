//! Names of projects and their objects, and their labels.

use crate::model::Failure;
use crate::model::image_reference::ImageReference;

/// Compose's own labels, so that Compose's tools see the stack.
pub mod compose_label {
    pub const PROJECT: &str = "com.docker.compose.project";
    pub const SERVICE: &str = "com.docker.compose.service";
    pub const CONTAINER_NUMBER: &str = "com.docker.compose.container-number";
    pub const ONEOFF: &str = "com.docker.compose.oneoff";
    /// On a one-off container, instead of a number.
    pub const SLUG: &str = "com.docker.compose.slug";
    pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
    pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
    pub const NETWORK: &str = "com.docker.compose.network";
    pub const VOLUME: &str = "com.docker.compose.volume";
    pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
    pub const VERSION: &str = "com.docker.compose.version";
}

/// spc's own labels. spc changes only objects with [`label::PROJECT`].
pub mod label {
    /// The version of the format of the labels: [`super::LABEL_FORMAT`].
    pub const FORMAT: &str = "dev.spc.format";
    pub const PROJECT: &str = "dev.spc.project";
    pub const SERVICE: &str = "dev.spc.service";
    /// The hash of the canonical specification: `model::hash`.
    pub const HASH: &str = "dev.spc.hash";
    /// Short hashes of its parts, so that a cause can name the key that changed.
    pub const PARTS: &str = "dev.spc.parts";
    /// `<key id>:<keyed fingerprint>` of the delivered secrets.
    pub const SECRETS: &str = "dev.spc.secrets";
    /// The release that the container belongs to: `x-spc-release` of its service.
    pub const RELEASE: &str = "dev.spc.release";
    /// The container was created beside the one that it replaces, without the service's network
    /// alias: `true`. It gets the alias before it takes over.
    pub const BESIDE: &str = "dev.spc.beside";
    /// The run that created the object.
    pub const RUN: &str = "dev.spc.run";
    /// The process that runs a one-off container, as JSON of its `ProcessMark`. It shows whether
    /// the container was left behind.
    pub const PROCESS: &str = "dev.spc.process";
    /// The lock's container.
    pub const LOCK: &str = "dev.spc.lock";
    /// The use of a volume that spc needs itself: [`super::HOLDS_SECRETS`],
    /// [`super::HOLDS_FORMER_FOLDERS`].
    pub const HOLDS: &str = "dev.spc.holds";
    /// On the volume that records a moved project: its former folders, as JSON.
    pub const FORMER_FOLDERS: &str = "dev.spc.former-folders";
    /// On the volume that records a release: its content, as JSON.
    pub const RECORD: &str = "dev.spc.release-record";
    /// On the same volume: when the release was recorded, in the form of RFC 3339.
    pub const RECORDED: &str = "dev.spc.release-recorded";
    /// On a volume that several containers may write to at once: `x-spc-shared`.
    pub const SHARED: &str = "dev.spc.shared";
    /// On a network that was recreated during a rollback.
    pub const RESTORED: &str = "dev.spc.restored";
    /// The digest of the context that an image was built from.
    pub const BUILD: &str = "dev.spc.build";
    /// The images that it begins with and copies from, `name=id,…`; not set if one of them was not
    /// on the engine.
    pub const BASE: &str = "dev.spc.base";
    /// The hash of the arguments and other settings of the build.
    pub const ARGUMENTS: &str = "dev.spc.arguments";
    /// The stage that was built; empty for the last.
    pub const TARGET: &str = "dev.spc.target";
    /// `<key id>:<keyed fingerprint>` of the build secrets of an image; empty for none. This is not
    /// [`SECRETS`], because containers inherit the labels of an image.
    pub const BUILD_SECRETS: &str = "dev.spc.build-secrets";
    /// The names that an image got when it was built, `name,…` in the form of the engine's lists.
    /// An image that someone builds on it inherits its labels, but not its names.
    pub const IMAGE: &str = "dev.spc.image";
    /// The profiles that were active at the last `up`.
    pub const PROFILES: &str = "dev.spc.profiles";
}

/// The version of the format of the labels. Since version 2, a create call sets all of them, unused
/// ones to an empty value: see `model::ownership`.
pub const LABEL_FORMAT: &str = "2";

/// Value of [`label::HOLDS`]: the secrets of one read-only container.
pub const HOLDS_SECRETS: &str = "secrets";

/// Value of [`label::HOLDS`]: nothing. The labels are the record of a moved project.
pub const HOLDS_FORMER_FOLDERS: &str = "former-folders";

/// Value of [`label::HOLDS`]: nothing. The labels are the record of a release.
pub const HOLDS_RELEASE: &str = "release";

/// The volume that records the release `id` of a project. A project name can't contain a dot.
pub fn release_volume(project: &str, id: u64) -> String {
    format!("{project}.spc-release.{id}")
}

/// Whether a volume with this name can record a release of `project`.
pub fn is_release_volume(volume: &str, project: &str) -> bool {
    volume.strip_prefix(project).is_some_and(|rest| rest.starts_with(".spc-release."))
}

/// Part of the name of a volume that records a moved project. A project name can't contain a dot.
const FORMER_FOLDERS_INFIX: &str = ".spc-former-folders.";

/// The volume that records a moved project. Labels can't be changed, so each record has its own
/// name: `digest` is the digest of its content.
pub fn former_folders_volume(project: &str, digest: &str) -> String {
    format!("{project}{FORMER_FOLDERS_INFIX}{digest}")
}

/// Whether a volume with this name records a moved project.
pub fn is_former_folders_volume(volume: &str) -> bool {
    volume.contains(FORMER_FOLDERS_INFIX)
}

/// The content of [`label::FORMER_FOLDERS`]; empty if it can't be parsed.
pub fn read_former_folders(label: &str) -> Vec<String> {
    serde_json::from_str(label).unwrap_or_default()
}

/// The suffix of a replacement's name until it takes over the original name.
pub const NEW_SUFFIX: &str = ".new";

/// Whether spc or Compose identifies a project by this label. Nothing else may set it.
pub fn is_reserved_label(key: &str) -> bool {
    key.starts_with("dev.spc.") || key.starts_with("com.docker.compose.")
}

/// A project name by Compose's rules from any text: lower case, letters, digits, `-` and `_`,
/// beginning with a letter or digit.
pub fn normalise_project(text: &str) -> String {
    let lower: String = text
        .to_lowercase()
        .chars()
        .filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_".contains(*c))
        .collect();
    lower.trim_start_matches(['-', '_']).to_owned()
}

/// Rejects a project name that Compose would reject.
pub fn check_project(name: &str) -> Result<(), Failure> {
    let normal = normalise_project(name);
    if !name.is_empty() && normal == name {
        return Ok(());
    }
    let failure = Failure::usage(format!(
        "\"{name}\" is not a project name: lower-case letters, digits, \"-\" and \"_\", beginning with a letter or digit"
    ));
    Err(if normal.is_empty() {
        failure
    } else {
        failure.hint(format!("\"{normal}\" would be one"))
    })
}

/// `<project>-<service>-<number>`.
pub fn container(project: &str, service: &str, number: u32) -> String {
    format!("{project}-{service}-{number}")
}

/// `<project>_<name>`: a network or volume without its own `name:`.
pub fn object(project: &str, name: &str) -> String {
    format!("{project}_{name}")
}

/// Whether the engine accepts this as the name of a container or of a volume with the default
/// driver.
pub fn is_engine_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(rest)
}

/// The hint for a name that [`is_engine_name`] rejects.
pub const ENGINE_NAME: &str = "a name has two characters or more: letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit";

/// Whether a volume's name is one that the engine generates for anonymous volumes: 64 hexadecimal
/// digits.
pub fn is_anonymous_volume(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a name looks like an id of the engine, whole or short: 64 or 12 hexadecimal digits.
/// Calls of the engine accept a name or an id, so such a name could denote the object with that id.
pub fn is_like_id(name: &str) -> bool {
    matches!(name.len(), 12 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The image name of a service with a build and without `image`.
pub fn built_image(project: &str, service: &str) -> String {
    format!("{project}-{service}")
}

/// The image of the locks' containers: one empty layer. The locks of all projects share it.
pub const LOCK_IMAGE: &str = "spc-empty:1";

/// Whether spc, or another version of spc, could confuse an image with this name with
/// [`LOCK_IMAGE`].
pub fn is_reserved_image(name: &str) -> bool {
    ImageReference::parse(name).is_some_and(|reference| reference.repository() == "spc-empty")
}

/// The suffix of the names of lock containers.
pub const LOCK_SUFFIX: &str = ".spc-lock";

/// The name of the lock's container. A project name can't contain a dot, so no container of a
/// service has this name.
pub fn lock_container(project: &str) -> String {
    format!("{project}{LOCK_SUFFIX}")
}

/// The project that a lock container with this name belongs to.
pub fn locked_project(container: &str) -> Option<&str> {
    container.strip_suffix(LOCK_SUFFIX)
}

/// Whether a service's, network's, volume's or secret's name may be used: `[a-zA-Z0-9._-]+`.
pub fn is_object_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// A message that these anonymous volumes stay on the engine, and how to remove them. It does not
/// suggest `docker volume prune`, because on engines before 23 this also removes named volumes of a
/// stack that is down.
pub fn anonymous_volumes_stay(volumes: &[&str]) -> String {
    let (stay, them) = match volumes.len() {
        1 => ("1 anonymous volume stays on the engine".to_owned(), "it"),
        several => (format!("{several} anonymous volumes stay on the engine"), "them"),
    };
    format!(
        "{stay}, as with docker compose: `docker volume rm {}` removes {them}",
        volumes.join(" ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_gives_a_project_name_by_composes_rules() {
        assert_eq!(normalise_project("My Shop (2)"), "myshop2");
        assert_eq!(normalise_project("_spc-1"), "spc-1");
        assert_eq!(normalise_project("통계"), "");
    }

    #[test]
    fn the_locks_image_is_known_by_all_its_names() {
        for name in [
            "spc-empty",
            LOCK_IMAGE,
            "spc-empty:2",
            "docker.io/library/spc-empty:1",
            "library/spc-empty",
            "spc-empty@sha256:0a",
        ] {
            assert!(is_reserved_image(name), "{name}");
        }
        for name in ["local/spc-empty:1", "spc-empty-1", "registry:5000/spc-empty", "spc"] {
            assert!(!is_reserved_image(name), "{name}");
        }
    }

    #[test]
    fn twelve_and_64_hexadecimal_digits_look_like_an_id() {
        for name in ["0123456789ab", "DEADBEEFCAFE", &"0f".repeat(32)] {
            assert!(is_like_id(name), "{name}");
        }
        for name in
            ["", "0123456789a", "0123456789abc", "0123456789ag", "shop_default", &"0g".repeat(32)]
        {
            assert!(!is_like_id(name), "{name}");
        }
    }

    #[test]
    fn a_wrong_project_name_is_refused_with_the_right_one() {
        assert!(check_project("spc").is_ok());
        assert_eq!(check_project("Spc").unwrap_err().hint.unwrap(), "\"spc\" would be one");
        assert!(check_project("").is_err());
    }
}
