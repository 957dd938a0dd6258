//! Values as text for people.

use std::fmt::{self, Write};
use std::time::Duration;

use rhai::{Dynamic, Map};

use super::size;
use super::type_names::word;
use super::{Bytes, Record, SecretToken, Time};
use crate::host::memory::LARGEST_VALUE;
use crate::model::Failure;
use crate::model::time::format_duration;

/// A value is cut off with `…` below this depth.
const DEPTH: usize = 64;

/// The form of `print`: a string is itself, maps and lists are written as literals.
pub fn plain(value: &Dynamic) -> String {
    match value.read_lock::<rhai::ImmutableString>() {
        Some(text) => text.to_string(),
        None => literal(value),
    }
}

/// The form of a literal: a string in quotes. A text that would be too large ends with `…`.
pub fn literal(value: &Dynamic) -> String {
    let mut text = BoundedText::default();
    write_literal(&mut text, value, 0);
    text.cut_off()
}

/// A map or a record as a literal.
pub fn map_literal(map: &Map) -> String {
    let mut text = BoundedText::default();
    write_map(&mut text, map, 0);
    text.cut_off()
}

/// A text with a size limit while it is written.
#[derive(Default)]
pub struct BoundedText {
    text: String,
    is_full: bool,
}

impl BoundedText {
    pub fn push_str(&mut self, text: &str) {
        self.is_full |= self.text.len().saturating_add(text.len()) > LARGEST_VALUE;
        if !self.is_full {
            self.text.push_str(text);
        }
    }

    pub fn push(&mut self, c: char) {
        self.push_str(c.encode_utf8(&mut [0; 4]));
    }

    /// Whether something was omitted.
    pub fn is_full(&self) -> bool {
        self.is_full
    }

    /// The text; a failure if something was omitted.
    pub fn whole(self) -> Result<String, Failure> {
        if self.is_full { Err(size::too_large("more than 64 MiB of text")) } else { Ok(self.text) }
    }

    /// The text, with `…` at its end if something was omitted.
    pub fn cut_off(mut self) -> String {
        if self.is_full {
            self.text.push('…');
        }
        self.text
    }
}

impl Write for BoundedText {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.push_str(text);
        if self.is_full { Err(std::fmt::Error) } else { Ok(()) }
    }
}

fn write_literal(out: &mut BoundedText, value: &Dynamic, depth: usize) {
    if out.is_full {
        // Everything after this is omitted.
    } else if depth > DEPTH {
        out.push('…');
    } else if value.is_unit() {
        out.push_str("()");
    } else if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
        let _ = write!(out, "{:?}", text.as_str());
    } else if let Some(list) = value.read_lock::<rhai::Array>() {
        out.push('[');
        for (index, item) in list.iter().enumerate() {
            out.push_str(if index > 0 { ", " } else { "" });
            write_literal(out, item, depth + 1);
        }
        out.push(']');
    } else if let Some(map) = value.read_lock::<Map>() {
        write_map(out, &map, depth);
    } else if let Some(record) = value.read_lock::<Record>() {
        write_map(out, record.fields(), depth);
    } else if let Some(time) = value.read_lock::<Duration>() {
        out.push_str(&format_duration(*time));
    } else if let Some(size) = value.read_lock::<Bytes>() {
        let _ = write!(out, "{}", *size);
    } else if let Some(time) = value.read_lock::<Time>() {
        let _ = write!(out, "{}", *time);
    } else if let Some(secret) = value.read_lock::<SecretToken>() {
        let _ = write!(out, "{}", *secret);
    } else if let Some(number) = value.read_lock::<f64>() {
        let _ = write!(out, "{:?}", *number);
    } else if value.is_int() || value.is_bool() || value.is_char() {
        let _ = write!(out, "{value}");
    } else if let Some(range) = value.read_lock::<std::ops::Range<i64>>() {
        let _ = write!(out, "{}..{}", range.start, range.end);
    } else {
        let _ = write!(out, "({})", word(value));
    }
}

fn write_map(out: &mut BoundedText, map: &Map, depth: usize) {
    out.push_str("#{");
    for (index, (key, value)) in map.iter().enumerate() {
        out.push_str(if index > 0 { ", " } else { "" });
        if is_bare_key(key) {
            out.push_str(key);
        } else {
            let _ = write!(out, "{:?}", key.as_str());
        }
        out.push_str(": ");
        write_literal(out, value, depth + 1);
    }
    out.push('}');
}

fn is_bare_key(key: &str) -> bool {
    !key.is_empty()
        && !key.starts_with(|c: char| c.is_ascii_digit())
        && key.chars().all(|c| c == '_' || c.is_ascii_alphanumeric())
}

impl fmt::Display for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&map_literal(&self.fields))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_written_as_literals_without_a_rust_name() {
        let mut map = Map::new();
        map.insert("bake".into(), Dynamic::from(Duration::from_secs(90)));
        map.insert("x-size".into(), Dynamic::from(Bytes(64 << 20)));
        map.insert("steps".into(), vec![Dynamic::from(5_i64), "a\"b".into(), ().into()].into());
        map.insert("judge".into(), Dynamic::from(rhai::FnPtr::new("f").unwrap()));
        assert_eq!(
            map_literal(&map),
            r#"#{bake: 1m30s, judge: (function), steps: [5, "a\"b", ()], "x-size": 64m}"#
        );
        assert_eq!(plain(&"a\"b".into()), "a\"b");
    }
}
