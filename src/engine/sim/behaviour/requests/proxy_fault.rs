//! Faults of nginx: a reload that comes late or never, a configuration that it rejects.

use std::time::Duration;

use crate::model::Failure;
use crate::model::suggest::did_you_mean;
use crate::model::time::parse_duration;

/// The name of the reload among the calls of faults.
pub(in crate::engine::sim) const RELOAD: &str = "nginx_reload";
/// The name of the check of the configuration.
pub(in crate::engine::sim) const TEST: &str = "nginx_test";

const EFFECTS: [&str; 4] = ["slow", "ignored", "stale_addresses", "rejected"];

/// The effect of a fault of nginx.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyFaultEffect {
    /// The reload takes effect this much later.
    Late(Duration),
    /// The reload has no effect: nginx does not see the files.
    Ignored,
    /// nginx takes the configuration and looks up no name until the next reload: it keeps the
    /// addresses that it knows, and has none of new names.
    StaleAddresses,
    /// `nginx -t` fails.
    Rejected,
}

/// A fault of nginx, which happens once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyFault {
    /// The nth command from now; 1 is the next.
    pub nth: u64,
    pub effect: ProxyFaultEffect,
}

impl ProxyFault {
    /// A fault of `nginx_reload` or `nginx_test`; `None` if `on` is something else.
    ///
    /// # Errors
    /// Fails with the kind `usage` for an unknown effect, or one that the command can't have.
    pub fn parse(on: &str, nth: u64, effect: &str) -> Option<Result<Self, Failure>> {
        [RELOAD, TEST].contains(&on).then(|| {
            if nth == 0 {
                return Err(Failure::usage("A fault at call 0 never comes: calls count from 1"));
            }
            let effect = ProxyFaultEffect::parse(effect)?;
            if effect.command() != on {
                return Err(Failure::usage(format!("\"{on}\" can't meet this effect")).hint(
                    "nginx_reload: slow 5s, ignored, stale_addresses; nginx_test: rejected",
                ));
            }
            Ok(Self { nth, effect })
        })
    }

    /// The effect of the fault that is due at this command. Every fault counts its command.
    pub(super) fn due(waiting: &mut Vec<Self>, command: &str) -> Option<ProxyFaultEffect> {
        let mut due = None;
        for (at, fault) in waiting.iter_mut().enumerate() {
            if fault.effect.command() == command {
                fault.nth = fault.nth.saturating_sub(1);
                if fault.nth == 0 && due.is_none() {
                    due = Some(at);
                }
            }
        }
        due.map(|at| waiting.remove(at).effect)
    }
}

impl ProxyFaultEffect {
    fn parse(text: &str) -> Result<Self, Failure> {
        match text.trim().split_once(' ').unwrap_or((text.trim(), "")) {
            ("slow", time) => parse_duration(time.trim()).map(Self::Late).map_err(|words| {
                Failure::usage(format!("The effect \"slow\" needs a time: {words}"))
                    .hint("write \"slow 5s\"")
            }),
            ("ignored", "") => Ok(Self::Ignored),
            ("stale_addresses", "") => Ok(Self::StaleAddresses),
            ("rejected", "") => Ok(Self::Rejected),
            (word, _) => {
                let failure = Failure::usage(format!("nginx has no effect \"{text}\""));
                Err(match did_you_mean(word, EFFECTS) {
                    Some(hint) => failure.hint(hint),
                    None => failure.hint(format!("available: {}", EFFECTS.join(", "))),
                })
            }
        }
    }

    fn command(&self) -> &'static str {
        match self {
            Self::Late(_) | Self::Ignored | Self::StaleAddresses => RELOAD,
            Self::Rejected => TEST,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_of_nginx_is_read_and_comes_once_at_its_command() {
        let fault = |on: &str, nth, effect: &str| ProxyFault::parse(on, nth, effect).unwrap();
        assert!(ProxyFault::parse("container_start", 1, "ignored").is_none());
        let late = ProxyFaultEffect::Late(Duration::from_secs(5));
        assert_eq!(
            fault(RELOAD, 2, "slow 5s").unwrap(),
            ProxyFault { nth: 2, effect: late.clone() }
        );
        for (on, nth, effect) in [
            (RELOAD, 1, "rejected"),
            (TEST, 1, "slow 5s"),
            (RELOAD, 1, "slow"),
            (TEST, 0, "rejected"),
        ] {
            assert!(fault(on, nth, effect).is_err(), "{on} {effect}");
        }
        let unknown = fault(RELOAD, 1, "ignord").unwrap_err();
        assert!(unknown.hint.unwrap().contains("ignored"));
        let mut waiting = vec![fault(RELOAD, 2, "slow 5s").unwrap()];
        let commands = [RELOAD, TEST, RELOAD, RELOAD];
        let met = commands.map(|command| ProxyFault::due(&mut waiting, command));
        assert_eq!(met, [None, None, Some(late), None]);
    }
}
