//! Whether a container has the described secrets. Its label shows this, or, if the key of the label
//! is missing here, the content of the container.

use super::super::cause::Cause;
use super::super::delivered_secrets::{DeliveredSecrets, are_of_one_key};
use super::super::observed_state::{Container, ObservedState};

/// The difference between a container's secrets and those that would be delivered.
pub(super) enum SecretsDifference {
    None,
    /// The cause of its replacement.
    Changed(Cause),
    /// The comparison is impossible; with the reason, and the next step.
    Unknown(String),
}

/// `wanted`: `<key id>:<fingerprint>` of the secrets that would be delivered.
pub(super) fn of_secrets(
    container: &Container,
    wanted: &str,
    observed: &ObservedState,
) -> SecretsDifference {
    if let Some(there) = container.secrets.as_deref().filter(|there| are_of_one_key(there, wanted))
    {
        return if there == wanted {
            SecretsDifference::None
        } else {
            SecretsDifference::Changed(Cause::SecretChanged)
        };
    }
    match observed.delivered_secrets.get(&container.id) {
        Some(DeliveredSecrets::Same) => SecretsDifference::None,
        Some(DeliveredSecrets::Changed(names)) => {
            SecretsDifference::Changed(Cause::SecretsChanged(names.clone()))
        }
        Some(DeliveredSecrets::Unread(why)) => SecretsDifference::Unknown(unknown(container, why)),
        None => SecretsDifference::Unknown(unknown(container, "they were not read from it")),
    }
}

fn unknown(container: &Container, why: &str) -> String {
    let (name, service) = (&container.name, &container.service);
    format!(
        "the secrets of {name} were not compared: it was created from another folder, or before `.spc/` was lost, and {why}. If a value has changed, it still uses the old one: change a label of the service \"{service}\", and `up` replaces it"
    )
}
