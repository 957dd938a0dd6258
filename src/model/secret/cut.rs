//! Secrets beside the mark of a text that was cut off: of a value only its beginning stands before
//! `…`, or its end after it, and half of one nobody would know again. Messages, excerpts of output
//! and an engine's own records of probes are cut so.

use std::collections::HashMap;
use std::ops::Range;

/// What stands for the rest: spc's own sign, and the engine's.
const MARKS: [&[u8]; 2] = ["…".as_bytes(), b"..."];

/// The marks in a text, in order. Dots that are more than three are something else.
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

/// Where ends of values begin, by their first bytes.
#[derive(Debug, Default)]
pub(super) struct ValueSuffixes {
    /// Three bytes → values and the character from which on they are their ends, longest first.
    by_begin: HashMap<[u8; 3], Vec<(usize, usize)>>,
}

/// Ends that begin alike: more has a value only that repeats itself.
const MOST_ALIKE: usize = 32;

impl ValueSuffixes {
    /// Looks for the ends of a value too, of `shortest` characters at least.
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

    /// The values of which an end may stand at `at`, and from which character on.
    pub(super) fn at(&self, text: &[u8], at: usize) -> &[(usize, usize)] {
        let begin = text.get(at..).and_then(|rest| rest.first_chunk::<3>());
        begin.and_then(|begin| self.by_begin.get(begin)).map_or(&[], Vec::as_slice)
    }
}
