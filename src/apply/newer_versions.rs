//! Decides which verbs may work on objects and records of a newer version of spc.
//!
//! A verb that creates or changes containers is rejected: it would compare labels that it does not
//! understand, and replace the containers. `down`, `stop` and `remove` continue with a warning,
//! because a user who has only this version needs them. They use only labels that every version has
//! (Compose's labels and the owner of the project), and remove no more than the same command of
//! Docker Compose. Locks have other rules: see `lock`.

use super::records::Records;
use crate::model::format::USE_NEWER;
use crate::model::names::label;
use crate::model::observed_state::ObservedState;
use crate::model::{Failure, Kind};

/// Rejects objects or records of a project that this spc does not understand.
pub(super) fn check(records: &Records<'_>, observed: &ObservedState) -> Result<(), Failure> {
    records.check()?;
    let Some((object, why)) = &observed.unreadable else { return Ok(()) };
    let message = if why.is_newer() {
        format!("The labels of the {object} can't be read: {why}")
    } else {
        format!("The label \"{}\" of the {object} can't be read: {why}", label::FORMAT)
    };
    Err(Failure::new(Kind::Conflict, message).hint(if why.is_newer() {
        format!("{USE_NEWER}; `down` and `stop` work with this one too")
    } else {
        "remove it with `down`, and bring the project up again".to_owned()
    }))
}
