//! Names of projects and their objects, and the labels they carry.

use crate::model::Failure;
use crate::model::image_reference::ImageReference;

/// Compose's own labels, so that its tools see the stack.
pub mod compose_label {
    pub const PROJECT: &str = "com.docker.compose.project";
    pub const SERVICE: &str = "com.docker.compose.service";
    pub const CONTAINER_NUMBER: &str = "com.docker.compose.container-number";
    pub const ONEOFF: &str = "com.docker.compose.oneoff";
    /// Of a one-off container, in place of a number.
    pub const SLUG: &str = "com.docker.compose.slug";
    pub const CONFIG_HASH: &str = "com.docker.compose.config-hash";
    pub const DEPENDS_ON: &str = "com.docker.compose.depends_on";
    pub const NETWORK: &str = "com.docker.compose.network";
    pub const VOLUME: &str = "com.docker.compose.volume";
    pub const WORKING_DIR: &str = "com.docker.compose.project.working_dir";
    pub const VERSION: &str = "com.docker.compose.version";
}

/// spc's own labels. What carries [`label::PROJECT`] is spc's to change.
pub mod label {
    /// Version of the labels' format: [`super::LABEL_FORMAT`].
    pub const FORMAT: &str = "dev.spc.format";
    pub const PROJECT: &str = "dev.spc.project";
    pub const SERVICE: &str = "dev.spc.service";
    /// Hash of the canonical specification: `model::hash`.
    pub const HASH: &str = "dev.spc.hash";
    /// Short hashes of its parts, so that a cause can name the key that changed.
    pub const PARTS: &str = "dev.spc.parts";
    /// `<key id>:<keyed fingerprint>` of the delivered secrets.
    pub const SECRETS: &str = "dev.spc.secrets";
    pub const RELEASE: &str = "dev.spc.release";
    /// The run that made it.
    pub const RUN: &str = "dev.spc.run";
    /// The process that runs a one-off container, as JSON of its `ProcessMark`: whether it was left
    /// behind.
    pub const PROCESS: &str = "dev.spc.process";
    /// The lock's container.
    pub const LOCK: &str = "dev.spc.lock";
    /// What a volume of spc's own holds: [`super::HOLDS_SECRETS`], [`super::HOLDS_FORMER_FOLDERS`].
    pub const HOLDS: &str = "dev.spc.holds";
    /// On the volume that records that a project was moved: the folders that it was made from
    /// before, as JSON.
    pub const FORMER_FOLDERS: &str = "dev.spc.former-folders";
    /// On a volume that several containers may write to at once: `x-spc-shared`.
    pub const SHARED: &str = "dev.spc.shared";
    /// On a network that was made again on the way back.
    pub const RESTORED: &str = "dev.spc.restored";
    /// Digest of the context an image was built from.
    pub const BUILD: &str = "dev.spc.build";
    /// The images it begins with and copies from, `name=id,…`; not set where one of them was not on
    /// the engine.
    pub const BASE: &str = "dev.spc.base";
    /// Hash of its arguments, and of what else the build was told.
    pub const ARGUMENTS: &str = "dev.spc.arguments";
    /// The stage that was built; empty for the last.
    pub const TARGET: &str = "dev.spc.target";
    /// `<key id>:<keyed fingerprint>` of the secrets that an image was built with; empty for none.
    /// Not [`SECRETS`]: containers inherit an image's labels.
    pub const BUILD_SECRETS: &str = "dev.spc.build-secrets";
    /// The names that an image got when it was built, `name,…` as the engine lists them: an image
    /// that somebody builds on it inherits its labels, but not its name.
    pub const IMAGE: &str = "dev.spc.image";
    /// Profiles and target the project was last brought up with are read from these.
    pub const PROFILES: &str = "dev.spc.profiles";
}

/// Version of the labels' format. Since 2, a create call sets all of them, empty where it has no
/// use: see `model::ownership`.
pub const LABEL_FORMAT: &str = "2";

/// Value of [`label::HOLDS`]: the secrets of one read-only container.
pub const HOLDS_SECRETS: &str = "secrets";

/// Value of [`label::HOLDS`]: nothing; the labels are the record of a project that was moved.
pub const HOLDS_FORMER_FOLDERS: &str = "former-folders";

/// In the name of a volume that records that a project was moved. A project name can't hold a dot.
const FORMER_FOLDERS_INFIX: &str = ".spc-former-folders.";

/// The volume that records that a project was moved. Labels can't be changed, so that each record
/// has a name of its own: `digest` is of what it says.
pub fn former_folders_volume(project: &str, digest: &str) -> String {
    format!("{project}{FORMER_FOLDERS_INFIX}{digest}")
}

/// Whether a volume of this name records that a project was moved.
pub fn is_former_folders_volume(volume: &str) -> bool {
    volume.contains(FORMER_FOLDERS_INFIX)
}

/// What [`label::FORMER_FOLDERS`] says; nothing where it can't be read.
pub fn read_former_folders(label: &str) -> Vec<String> {
    serde_json::from_str(label).unwrap_or_default()
}

/// Suffix of a replacement's name until it takes over.
pub const NEW_SUFFIX: &str = ".new";

/// Whether a label is one that spc and Compose know a project by: nobody else sets it.
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

/// Refuses a project name that Compose would refuse.
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

/// `<project>_<name>`: a network or volume without a `name:` of its own.
pub fn object(project: &str, name: &str) -> String {
    format!("{project}_{name}")
}

/// Whether the engine takes this as the name of a container, or of a volume of its own driver.
pub fn is_engine_name(name: &str) -> bool {
    let rest = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    name.len() > 1
        && name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && name.chars().all(rest)
}

/// The next step where a name is not [`is_engine_name`].
pub const ENGINE_NAME: &str = "a name has two characters or more: letters, digits, \"_\", \".\" and \"-\", beginning with a letter or digit";

/// Whether a volume's name is one that the engine made up, for an anonymous volume: 64 hexadecimal
/// digits.
pub fn is_anonymous_volume(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Whether a name looks like an id of the engine's, whole or as it is shown: 64 or 12 hexadecimal
/// digits. Where the engine takes a name or an id, one that is called so stands for the object that
/// has the id.
pub fn is_like_id(name: &str) -> bool {
    matches!(name.len(), 12 | 64) && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The image of a service that is built and names none.
pub fn built_image(project: &str, service: &str) -> String {
    format!("{project}-{service}")
}

/// The image that locks' containers are made from: one empty layer. Every project's locks share it.
pub const LOCK_IMAGE: &str = "spc-empty:1";

/// Whether an image of this name would be taken for [`LOCK_IMAGE`], or for one of another version
/// of spc.
pub fn is_reserved_image(name: &str) -> bool {
    ImageReference::parse(name).is_some_and(|reference| reference.repository() == "spc-empty")
}

/// How the names of locks' containers end.
pub const LOCK_SUFFIX: &str = ".spc-lock";

/// The lock's container. A project name can't hold a dot, so no service's container is ever called
/// so.
pub fn lock_container(project: &str) -> String {
    format!("{project}{LOCK_SUFFIX}")
}

/// The project whose lock a container of this name is.
pub fn locked_project(container: &str) -> Option<&str> {
    container.strip_suffix(LOCK_SUFFIX)
}

/// Whether a service's, network's, volume's or secret's name may be used: `[a-zA-Z0-9._-]+`.
pub fn is_object_name(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c))
}

/// That these anonymous volumes stay on the engine, and what removes them. Not `docker volume
/// prune`: engines before 23 remove the named ones of a stack that is down with it.
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
