//! The text form of faults in scripts: a call, its position, an effect.

use super::{Fault, FaultEffect, FaultPoint};
use crate::engine::Method;
use crate::engine::calls::DiskSpaceNeed;
use crate::engine::sim::daemon::errors::refusal;
use crate::model::Failure;
use crate::model::suggest::did_you_mean;
use crate::model::time::parse_duration;

/// Means a call of any method.
const ANY: &str = "any";

/// The effects by name; a duration follows `slow`.
const EFFECTS: [&str; 11] = [
    "404",
    "409",
    "500",
    "reply_lost",
    "hang",
    "stream_cut",
    "stale_list",
    "no_space",
    "slow",
    "engine_restart",
    "events_end",
];

impl Fault {
    /// The fault at the nth call (1 is the next) of a method of the port, or of `any`:
    /// `Fault::parse("container_start", 2, "500")`. The effects are `404`, `409`, `500`,
    /// `reply_lost`, `hang`, `stream_cut`, `stale_list`, `no_space`, `slow 5s`,
    /// `engine_restart` and `events_end`.
    ///
    /// # Errors
    /// Fails with the kind `usage` for an unknown call or effect, a position that doesn't exist, or
    /// an effect that such a call can't have.
    pub fn parse(on: &str, nth: u64, effect: &str) -> Result<Self, Failure> {
        if nth == 0 {
            return Err(Failure::usage("A fault at call 0 never comes: calls count from 1"));
        }
        let (point, method) = match (on, Method::of(on)) {
            (ANY, _) => (FaultPoint::Call(nth), None),
            (_, Some(method)) => (FaultPoint::Method(method, nth), Some(method)),
            (unknown, None) => {
                let known = Method::ALL.iter().map(|method| method.name());
                return Err(suggested(
                    format!("The engine has no call \"{unknown}\""),
                    unknown,
                    &std::iter::once(ANY).chain(known).collect::<Vec<_>>(),
                ));
            }
        };
        let effect = FaultEffect::parse(effect)?;
        let unfit = method.and_then(|method| match &effect {
            FaultEffect::StaleList if !method.lists() => Some("it is no list"),
            FaultEffect::NoSpace if method.declaration().space == DiskSpaceNeed::Freed => {
                Some("it makes space")
            }
            FaultEffect::StreamCut if !method.streams() => Some("it is not answered with a stream"),
            _ => None,
        });
        match unfit {
            Some(why) => Err(Failure::usage(format!(
                "The call \"{on}\" can't meet the effect \"{}\": {why}",
                effect.word()
            ))),
            None => Ok(Self { on: point, effect }),
        }
    }
}

impl FaultEffect {
    /// An effect by its name: `500`, `slow 5s`.
    ///
    /// # Errors
    /// Fails with the kind `usage` for an unknown name or a wrong duration.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let (word, rest) = text
            .trim()
            .split_once(' ')
            .map_or((text.trim(), None), |(word, rest)| (word, Some(rest.trim())));
        if let Some(rest) = rest.filter(|_| word != "slow") {
            let known = EFFECTS.contains(&word);
            let surplus = || {
                Failure::usage(format!(
                    "The effect \"{word}\" takes nothing after it, not \"{rest}\""
                ))
            };
            return Err(if known { surplus() } else { unknown(text, word) });
        }
        Ok(match word {
            "404" => Self::FailBefore(refusal(404, "no such object: a fault of the test")),
            "409" => Self::FailBefore(refusal(409, "conflict: a fault of the test")),
            "500" => Self::FailBefore(refusal(500, "internal error: a fault of the test")),
            "reply_lost" => Self::ReplyLost,
            "hang" => Self::Hang,
            "stream_cut" => Self::StreamCut,
            "stale_list" => Self::StaleList,
            "no_space" => Self::NoSpace,
            "engine_restart" => Self::EngineRestart,
            "events_end" => Self::EventsEnd,
            "slow" => {
                let time = rest.ok_or_else(|| {
                    Failure::usage("The effect \"slow\" needs a time").hint("write \"slow 5s\"")
                })?;
                Self::Slow(parse_duration(time).map_err(|words| {
                    Failure::usage(format!("The effect \"slow\" needs a time: {words}"))
                })?)
            }
            _ => return Err(unknown(text, word)),
        })
    }

    fn word(&self) -> &'static str {
        match self {
            Self::FailBefore(_) => "500",
            Self::ReplyLost => "reply_lost",
            Self::Hang => "hang",
            Self::StreamCut => "stream_cut",
            Self::StaleList => "stale_list",
            Self::NoSpace => "no_space",
            Self::Slow(_) => "slow",
            Self::EngineRestart => "engine_restart",
            Self::EventsEnd => "events_end",
        }
    }
}

fn unknown(text: &str, word: &str) -> Failure {
    suggested(format!("There is no effect \"{text}\""), word, &EFFECTS)
}

fn suggested(message: String, word: &str, known: &[&str]) -> Failure {
    let failure = Failure::usage(message);
    match did_you_mean(word, known.iter().copied()) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::engine::EngineErrorKind;

    #[test]
    fn every_effect_is_read_by_its_name() {
        for name in EFFECTS {
            let text = if name == "slow" { "slow 1m30s" } else { name };
            let effect = FaultEffect::parse(text).unwrap();
            let refused = matches!(effect, FaultEffect::FailBefore(_));
            assert_eq!(effect.word() == name, !refused || name == "500", "{name}");
        }
        assert_eq!(
            FaultEffect::parse("slow 1m30s").unwrap(),
            FaultEffect::Slow(Duration::from_secs(90))
        );
        for (name, kind) in [
            ("404", EngineErrorKind::NotFound),
            ("409", EngineErrorKind::Conflict),
            ("500", EngineErrorKind::Server),
        ] {
            assert!(
                matches!(FaultEffect::parse(name).unwrap(), FaultEffect::FailBefore(error) if error.kind == kind)
            );
        }
    }

    #[test]
    fn a_call_is_a_method_of_the_port_or_any() {
        let fault = Fault::parse("container_start", 2, "hang").unwrap();
        assert_eq!(
            fault,
            Fault { on: FaultPoint::method("container_start", 2), effect: FaultEffect::Hang }
        );
        assert_eq!(Fault::parse("any", 7, "hang").unwrap().on, FaultPoint::Call(7));
    }

    #[test]
    fn an_invalid_fault_is_reported_with_a_suggestion() {
        let rejection = |on: &str, nth: u64, effect: &str| {
            let failure = Fault::parse(on, nth, effect).unwrap_err();
            format!("{}; {}", failure.message, failure.hint.unwrap_or_default())
        };
        assert_eq!(
            rejection("container_strat", 1, "500"),
            "The engine has no call \"container_strat\"; did you mean \"container_start\"?"
        );
        assert_eq!(
            rejection("container_start", 1, "reply_lots"),
            "There is no effect \"reply_lots\"; did you mean \"reply_lost\"?"
        );
        assert!(rejection("x", 1, "hang").contains("available: any, container_create, "));
        assert_eq!(
            rejection("container_start", 0, "500"),
            "A fault at call 0 never comes: calls count from 1; "
        );
        assert_eq!(
            rejection("any", 1, "slow"),
            "The effect \"slow\" needs a time; write \"slow 5s\""
        );
        assert!(
            rejection("any", 1, "slow soon")
                .starts_with("The effect \"slow\" needs a time: \"soon\" is not a duration")
        );
        assert_eq!(
            rejection("any", 1, "hang 5s"),
            "The effect \"hang\" takes nothing after it, not \"5s\"; "
        );
        assert_eq!(
            rejection("any", 1, "hangs 5s"),
            "There is no effect \"hangs 5s\"; did you mean \"hang\"?"
        );
        let unfit = "The call \"container_start\" can't meet the effect";
        assert_eq!(
            rejection("container_start", 1, "stale_list"),
            format!("{unfit} \"stale_list\": it is no list; ")
        );
        assert_eq!(
            rejection("container_start", 1, "stream_cut"),
            format!("{unfit} \"stream_cut\": it is not answered with a stream; ")
        );
        assert_eq!(
            rejection("container_stop", 1, "no_space"),
            "The call \"container_stop\" can't meet the effect \"no_space\": it makes space; "
        );
        assert!(
            Fault::parse("exec_start", 1, "stream_cut").is_ok()
                && Fault::parse("image_list", 1, "stale_list").is_ok()
        );
    }
}
