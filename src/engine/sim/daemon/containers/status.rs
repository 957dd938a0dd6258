//! A container's state in Docker's words.

use std::time::Duration;

use bollard::models::ContainerStateStatusEnum;

use super::{Container, Phase};

/// `created`, `running`, `restarting` or `exited`.
pub(in crate::engine::sim) fn state_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Created => "created",
        Phase::Running => "running",
        Phase::Restarting => "restarting",
        Phase::Exited => "exited",
    }
}

pub(super) fn state_value(phase: Phase) -> ContainerStateStatusEnum {
    match phase {
        Phase::Created => ContainerStateStatusEnum::CREATED,
        Phase::Running => ContainerStateStatusEnum::RUNNING,
        Phase::Restarting => ContainerStateStatusEnum::RESTARTING,
        Phase::Exited => ContainerStateStatusEnum::EXITED,
    }
}

/// The list's text: `Up 5 seconds (health: starting)`, `Exited (0) 3 seconds ago`.
pub(super) fn status_text(container: &Container, now: Duration) -> String {
    let since = |time: Option<Duration>| human(now.saturating_sub(time.unwrap_or(now)));
    match container.listed_phase() {
        Phase::Created => "Created".to_owned(),
        Phase::Running => {
            let health = container.health.as_ref().map(|health| format!(" ({})", health.words()));
            format!("Up {}{}", since(container.started), health.unwrap_or_default())
        }
        Phase::Restarting => {
            format!("Restarting ({}) {} ago", container.exit_code, since(container.finished))
        }
        Phase::Exited => {
            format!("Exited ({}) {} ago", container.exit_code, since(container.finished))
        }
    }
}

/// A duration for people, in Docker's steps.
fn human(time: Duration) -> String {
    let seconds = time.as_secs();
    let minutes = seconds / 60;
    // Hours are rounded, everything else is truncated.
    let hours = (seconds + 1800) / 3600;
    match (seconds, minutes, hours) {
        (0, ..) => "Less than a second".to_owned(),
        (1, ..) => "1 second".to_owned(),
        (2..60, ..) => format!("{seconds} seconds"),
        (_, 1, _) => "About a minute".to_owned(),
        (_, 2..60, _) => format!("{minutes} minutes"),
        (.., 1) => "About an hour".to_owned(),
        (.., 2..48) => format!("{hours} hours"),
        (.., 48..336) => format!("{} days", hours / 24),
        (.., 336..1440) => format!("{} weeks", hours / 24 / 7),
        (.., 1440..17520) => format!("{} months", hours / 24 / 30),
        _ => format!("{} years", seconds / 3600 / 24 / 365),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_in_dockers_steps() {
        let cases = [
            (0, "Less than a second"),
            (1, "1 second"),
            (59, "59 seconds"),
            (60, "About a minute"),
            (119, "About a minute"),
            (120, "2 minutes"),
            (3599, "59 minutes"),
            (3600, "About an hour"),
            (5399, "About an hour"),
            (5400, "2 hours"),
            (47 * 3600, "47 hours"),
            (48 * 3600, "2 days"),
            (14 * 86400, "2 weeks"),
            (60 * 86400, "2 months"),
            (730 * 86400, "2 years"),
        ];
        for (seconds, text) in cases {
            assert_eq!(human(Duration::from_secs(seconds)), text, "{seconds}");
        }
    }
}
