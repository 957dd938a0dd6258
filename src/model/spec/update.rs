//! `deploy.update_config` and `deploy.rollback_config`: how the containers of a service are replaced,
//! and how they are restored.

use std::time::Duration;

use serde_json::Value;

use super::reader::Field;
use crate::model::Failure;

/// Compose's default of `monitor`.
const DEFAULT_MONITOR: Duration = Duration::from_secs(5);
/// The parts of a [`FailureRatio`] in 1.
const PARTS: u32 = 1_000_000;

/// `order` of `deploy.update_config` or `deploy.rollback_config`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum UpdateOrder {
    #[default]
    StopFirst,
    StartFirst,
}

impl UpdateOrder {
    /// The word in a description.
    pub const fn word(self) -> &'static str {
        match self {
            Self::StopFirst => "stop-first",
            Self::StartFirst => "start-first",
        }
    }
}

/// `deploy.update_config`, without the order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpdateConfig {
    /// How many containers are replaced at the same time; 0 means all.
    pub parallelism: u32,
    /// The pause between two batches.
    pub delay: Duration,
    /// How long the exit of a ready container, or a failed health check, is a failure of the
    /// update.
    pub monitor: Duration,
    pub failure_action: FailureAction,
    pub max_failure_ratio: FailureRatio,
}

/// Without the key there is no monitoring: an update takes only as long as the containers need.
impl Default for UpdateConfig {
    fn default() -> Self {
        Self {
            parallelism: 1,
            delay: Duration::ZERO,
            monitor: Duration::ZERO,
            failure_action: FailureAction::Rollback,
            max_failure_ratio: FailureRatio::default(),
        }
    }
}

/// `deploy.rollback_config`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RollbackConfig {
    /// `None`: the order of the update.
    pub order: Option<UpdateOrder>,
    /// How many containers are restored at the same time; 0 means all.
    pub parallelism: u32,
    /// The pause between two batches.
    pub delay: Duration,
    /// How long the exit of a restored container is a failure of the rollback.
    pub monitor: Duration,
    /// Whether the other containers are restored if one can't be.
    pub goes_on: bool,
    pub max_failure_ratio: FailureRatio,
}

impl Default for RollbackConfig {
    fn default() -> Self {
        Self {
            order: None,
            parallelism: 1,
            delay: Duration::ZERO,
            monitor: Duration::ZERO,
            goes_on: true,
            max_failure_ratio: FailureRatio::default(),
        }
    }
}

/// What happens if more containers fail than `max_failure_ratio` allows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FailureAction {
    /// All containers of the service are restored.
    #[default]
    Rollback,
    /// The update stops. New containers stay.
    Pause,
    /// The failed containers are restored, and the others are replaced.
    Continue,
}

/// A share of the containers of a service, in millionths. Not a float, so that descriptions can be
/// compared.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct FailureRatio(u32);

impl FailureRatio {
    /// How many of `all` containers may fail.
    pub fn of(self, all: u32) -> u32 {
        let allowed = u64::from(all) * u64::from(self.0) / u64::from(PARTS);
        u32::try_from(allowed).unwrap_or(all)
    }
}

/// Both keys of `deploy`.
#[derive(Debug, Default)]
pub(super) struct Updates {
    pub order: UpdateOrder,
    pub update: UpdateConfig,
    pub rollback: RollbackConfig,
}

/// The values of one of the two keys; `None` where a value is not described.
struct Keys {
    order: Option<UpdateOrder>,
    parallelism: Option<u32>,
    delay: Option<Duration>,
    monitor: Option<Duration>,
    failure_action: Option<FailureAction>,
    max_failure_ratio: Option<FailureRatio>,
}

impl Updates {
    /// Reads both keys; `None` means that a key is not described.
    pub(super) fn read(
        update: Option<Field<'_>>,
        rollback: Option<Field<'_>>,
    ) -> Result<Self, Failure> {
        let mut read = Self::default();
        if let Some(field) = update {
            let keys = Keys::read(&field, &["rollback", "pause", "continue"])?;
            read.order = keys.order.unwrap_or_default();
            read.update = UpdateConfig {
                parallelism: keys.parallelism.unwrap_or(1),
                delay: keys.delay.unwrap_or_default(),
                monitor: keys.monitor.unwrap_or(DEFAULT_MONITOR),
                failure_action: keys.failure_action.unwrap_or_default(),
                max_failure_ratio: keys.max_failure_ratio.unwrap_or_default(),
            };
        }
        if let Some(field) = rollback {
            let keys = Keys::read(&field, &["continue", "pause"])?;
            read.rollback = RollbackConfig {
                order: keys.order,
                parallelism: keys.parallelism.unwrap_or(1),
                delay: keys.delay.unwrap_or_default(),
                // A rollback is urgent, so it waits only for the time in its options.
                monitor: keys.monitor.unwrap_or_default(),
                goes_on: keys.failure_action != Some(FailureAction::Pause),
                max_failure_ratio: keys.max_failure_ratio.unwrap_or_default(),
            };
        }
        Ok(read)
    }
}

impl Keys {
    fn read(field: &Field<'_>, actions: &[&str]) -> Result<Self, Failure> {
        let mut map = field.map()?;
        let keys = Self {
            order: map.read("order", read_order)?,
            parallelism: map.read("parallelism", |field| {
                Ok(u32::try_from(field.number()?).unwrap_or(u32::MAX))
            })?,
            delay: map.read("delay", Field::duration)?,
            monitor: map.read("monitor", Field::duration)?,
            failure_action: map.read("failure_action", |field| read_action(field, actions))?,
            max_failure_ratio: map.read("max_failure_ratio", read_ratio)?,
        };
        map.finish(&[])?;
        Ok(keys)
    }
}

fn read_order(field: &Field<'_>) -> Result<UpdateOrder, Failure> {
    let word = field.one_of(&["stop-first", "start-first"])?;
    Ok(if word == "start-first" { UpdateOrder::StartFirst } else { UpdateOrder::StopFirst })
}

fn read_action(field: &Field<'_>, words: &[&str]) -> Result<FailureAction, Failure> {
    Ok(match field.one_of(words)?.as_str() {
        "pause" => FailureAction::Pause,
        "continue" => FailureAction::Continue,
        _ => FailureAction::Rollback,
    })
}

/// A number from 0 to 1, also as digits in a string.
fn read_ratio(field: &Field<'_>) -> Result<FailureRatio, Failure> {
    let number = match field.value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    let ratio = number
        .filter(|ratio| (0.0..=1.0).contains(ratio))
        .ok_or_else(|| field.wrong_type("a number from 0 to 1"))?;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the ratio is from 0 to 1"
    )]
    let parts = (ratio * f64::from(PARTS)).round() as u32;
    Ok(FailureRatio(parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_allows_whole_containers_only() {
        let allowed = |ratio: Value, all| read_ratio(&Field::root(&ratio)).unwrap().of(all);
        assert_eq!(allowed(0.into(), 10), 0);
        assert_eq!(allowed(0.34.into(), 3), 1);
        assert_eq!(allowed(0.33.into(), 3), 0);
        assert_eq!(allowed("0.5".into(), 5), 2);
        assert_eq!(allowed(1.into(), 1000), 1000);
    }
}
