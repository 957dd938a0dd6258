//! Finds the processes of an exec in its container: they are marked at the start, and another exec
//! finds and ends them.
//!
//! The engine can't end an exec, and its process id is one of the engine's machine. So every exec
//! of spc has a variable in its environment, which its processes inherit. In the container, `/proc`
//! shows this variable to processes of the same user.

/// The variable that marks the processes of an exec.
const VARIABLE: &str = "SPC_EXEC";

/// The shell script that finds and signals the processes. It uses only builtins of a POSIX shell,
/// because the image may have nothing else. It prints the number of found processes. It signals
/// their process groups, because the environment of other processes in a group may not be readable.
/// A group that the container can't see has the number 0.
const SCRIPT: &str = r#"count=0
for folder in /proc/[0-9]*; do
    pid=${folder#/proc/}
    [ "$pid" = "$$" ] && continue
    marked=
    { while IFS= read -r line || [ -n "$line" ]; do
        case "$line" in *"$1"*) marked=1 ;; esac
    done <"$folder/environ"; } 2>/dev/null
    [ -n "$marked" ] || continue
    group=
    { IFS= read -r line <"$folder/stat"; } 2>/dev/null && {
        rest=${line##*) }
        rest=${rest#* }
        rest=${rest#* }
        group=${rest%% *}
    }
    [ "${group:-0}" -gt 1 ] && kill -"$2" "-$group" 2>/dev/null
    kill -"$2" "$pid" 2>/dev/null
    count=$((count + 1))
done
echo "$count""#;

/// How processes are ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EndSignal {
    /// Asks them to end.
    Term,
    /// Ends them.
    Kill,
}

impl EndSignal {
    const ALL: [Self; 2] = [Self::Term, Self::Kill];

    fn name(self) -> &'static str {
        match self {
            Self::Term => "TERM",
            Self::Kill => "KILL",
        }
    }
}

/// The mark of an exec, for its environment; `chance` makes it unique.
pub fn mark(chance: [u8; 8]) -> String {
    format!("{VARIABLE}={}", crate::model::hash::hex(&chance))
}

/// Whether a variable of an environment is such a mark.
pub fn is_mark(variable: &str) -> bool {
    variable.strip_prefix(VARIABLE).is_some_and(|rest| rest.starts_with('='))
}

/// The command that sends a signal to the processes with this mark, and to their groups.
pub fn end_command(mark: &str, signal: EndSignal) -> Vec<String> {
    ["/bin/sh", "-c", SCRIPT, "spc", mark, signal.name()].map(str::to_owned).to_vec()
}

/// The signal and the mark of a command from [`end_command`].
pub fn parse(command: &[String]) -> Option<(&str, EndSignal)> {
    match command {
        [_, _, script, _, mark, signal] if script == SCRIPT => {
            Some((mark, EndSignal::ALL.into_iter().find(|known| known.name() == signal)?))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_simulated_engine_knows_the_command_again() {
        let mark = mark([0, 1, 2, 3, 4, 5, 6, 255]);
        assert_eq!(mark, "SPC_EXEC=00010203040506ff");
        assert_eq!(
            parse(&end_command(&mark, EndSignal::Kill)),
            Some((mark.as_str(), EndSignal::Kill))
        );
        assert_eq!(parse(&["/bin/sh".to_owned(), "-c".to_owned(), "true".to_owned()]), None);
    }
}
