//! The profiles and compose files in variables of Docker Compose.

use super::context::Context;
use crate::model::Failure;

/// The default of the active profiles.
pub(super) const PROFILES: &str = "COMPOSE_PROFILES";

/// The failure, with the variable that contains an unknown profile.
pub(super) fn of_profiles_variable(mut failure: Failure) -> Failure {
    if failure.path.as_ref().is_some_and(|path| path.keys == ["profiles"]) {
        failure.message = format!("{}, which {PROFILES} names", failure.message);
    }
    failure
}

/// The active profiles in the variable.
pub(super) fn profiles_of_variable(context: &Context) -> Vec<String> {
    listed(context, PROFILES)
}

/// The parts of a variable that are separated by commas.
pub(super) fn listed(context: &Context, name: &str) -> Vec<String> {
    let text = context.variable(name).unwrap_or_default();
    text.split(',').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
}
