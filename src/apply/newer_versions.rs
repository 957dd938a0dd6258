//! Objects and records of a newer spc: whether a verb may go on beside them.
//!
//! A verb that makes or changes containers is refused: it would compare what it does not
//! understand, and replace it. `down`, `stop` and `remove` go on with a warning. They are what a
//! person needs who has only this spc at hand, they go by labels that every version has (Compose's,
//! and whose the project is), and remove no more than the same command of Docker Compose would. A
//! lock is another matter: see `lock`.

use super::records::Records;
use crate::model::format::{FormatError, USE_NEWER};
use crate::model::names::label;
use crate::model::observed_state::ObservedState;
use crate::model::{Failure, Kind};

/// Refuses what there is of a project, or what is remembered of it, where this spc does not
/// understand it.
pub(super) fn check(records: &Records<'_>, observed: &ObservedState) -> Result<(), Failure> {
    records.check()?;
    let Some((object, why)) = &observed.unreadable else { return Ok(()) };
    let message = match why {
        FormatError::Newer { .. } => {
            format!("The labels of the {object} can't be read: {why}")
        }
        FormatError::Garbage => {
            format!("The label \"{}\" of the {object} can't be read: {why}", label::FORMAT)
        }
    };
    Err(Failure::new(Kind::Conflict, message).hint(match why {
        FormatError::Newer { .. } => {
            format!("{USE_NEWER}; `down` and `stop` work with this one too")
        }
        FormatError::Garbage => "remove it with `down`, and bring the project up again".to_owned(),
    }))
}
