//! Masks parts of secrets at the `…` of a truncated text. A truncated text may contain only the
//! beginning of a value before `…`, or only its end after `…`, so the mask for whole values would
//! not find it. Messages, excerpts of output and the engine's records of health checks are
//! truncated this way.

use std::collections::HashMap;
use std::ops::Range;

/// The marks for removed text: spc's own and the engine's.
const MARKS: [&[u8]; 2] = ["…".as_bytes(), b"..."];

/// The marks in a text, in order. A run of more than three dots is not a mark.
pub(super) fn marks(text: &[u8]) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(next) = text[at..].iter().position(|byte| *byte == b'.' || *byte == MARKS[0][0])
    {
        at += next;
        let dots = text[at..].iter().take_while(|byte| **byte == b'.').count();
        if dots == MARKS[1].len() || text[at..].starts_with(MARKS[0]) {
            found.push(at..at + 3);
        }
        at += dots.max(1);
    }
    found
}

/// Index of the ends of values, by their first bytes.
#[derive(Debug, Default)]
pub(super) struct ValueSuffixes {
    /// First three bytes of an end → index of the value, and the character at which this end
    /// begins. The longest end is first.
    by_begin: HashMap<[u8; 3], Vec<(usize, usize)>>,
}

/// The maximum number of ends with the same first bytes. Only a repetitive value has more.
const MOST_ALIKE: usize = 32;

impl ValueSuffixes {
    /// Adds the ends of a value that have at least `shortest` characters.
    pub(super) fn add(&mut self, value: usize, characters: &[char], shortest: usize) {
        let text: String = characters.iter().collect();
        let starts = text.char_indices().map(|(start, _)| start);
        for (from, start) in
            starts.enumerate().skip(1).take(characters.len().saturating_sub(shortest))
        {
            let Some(begin) = text.as_bytes()[start..].first_chunk::<3>() else { return };
            let alike = self.by_begin.entry(*begin).or_default();
            if alike.len() < MOST_ALIKE {
                alike.push((value, from));
            }
        }
    }

    /// The values whose end may begin at `at`, and the character at which that end begins.
    pub(super) fn at(&self, text: &[u8], at: usize) -> &[(usize, usize)] {
        let begin = text.get(at..).and_then(|rest| rest.first_chunk::<3>());
        begin.and_then(|begin| self.by_begin.get(begin)).map_or(&[], Vec::as_slice)
    }
}
