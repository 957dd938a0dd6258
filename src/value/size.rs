//! The size limits of a script's value: 64 MiB for a text or a blob; for a list or a map with its
//! content, 64 MiB of text, a million elements and a million keys.
//!
//! Rhai's own limits count a whole value at every call with it, so a loop over `list.push(x)` takes
//! quadratic time. So they are off, and a value is counted where it grows: see `api/growth`.

use rhai::{Dynamic, Map};

use crate::host::memory::{LARGEST_VALUE, STREAM};
use crate::model::Failure;

/// The most elements of a list, including those of nested lists; and the most keys of a map.
pub const ELEMENTS: usize = 1_000_000;

/// The deepest nesting of lists and maps. Far more than any data needs, and safe for the stack when
/// they are dropped.
pub const DEPTH: usize = 2_000;

/// The approximate bytes of an element or a key, without its text.
const OVERHEAD: usize = 64;

/// The remaining size of a value that is built or counted.
#[derive(Debug, Clone)]
pub struct SizeBudget {
    elements: usize,
    keys: usize,
    text: usize,
}

impl Default for SizeBudget {
    fn default() -> Self {
        Self::new()
    }
}

impl SizeBudget {
    /// The size of an empty value.
    pub fn new() -> Self {
        Self { elements: ELEMENTS, keys: ELEMENTS, text: LARGEST_VALUE }
    }

    /// Subtracts one element of a list.
    pub fn element(&mut self) -> Result<(), Failure> {
        self.elements(1)
    }

    /// Subtracts this many elements.
    pub fn elements(&mut self, count: usize) -> Result<(), Failure> {
        self.elements = self
            .elements
            .checked_sub(count)
            .ok_or_else(|| too_large("a list of more than 1,000,000 elements"))?;
        Ok(())
    }

    /// Subtracts this many keys of a map.
    pub fn keys(&mut self, count: usize) -> Result<(), Failure> {
        self.keys = self
            .keys
            .checked_sub(count)
            .ok_or_else(|| too_large("a map of more than 1,000,000 keys"))?;
        Ok(())
    }

    /// Subtracts this many bytes of text.
    pub fn text(&mut self, bytes: usize) -> Result<(), Failure> {
        self.text =
            self.text.checked_sub(bytes).ok_or_else(|| too_large("more than 64 MiB of text"))?;
        Ok(())
    }

    /// Subtracts a value and everything in it.
    pub fn value(&mut self, value: &Dynamic) -> Result<(), Failure> {
        self.nested(value, 0)
    }

    /// Subtracts the content of this many copies of a value.
    pub fn copies(&mut self, value: &Dynamic, count: usize) -> Result<(), Failure> {
        let mut one = Self::new();
        one.value(value)?;
        self.elements((ELEMENTS - one.elements).saturating_mul(count))?;
        self.keys((ELEMENTS - one.keys).saturating_mul(count))?;
        self.text((LARGEST_VALUE - one.text).saturating_mul(count))
    }

    /// Subtracts the elements of a list and everything in them.
    pub fn list(&mut self, list: &[Dynamic]) -> Result<(), Failure> {
        self.list_at(list, 0)
    }

    /// Subtracts the content of a map.
    pub fn map(&mut self, map: &Map) -> Result<(), Failure> {
        self.map_at(map, 0)
    }

    /// The approximate bytes that were subtracted so far.
    pub fn taken(&self) -> usize {
        (2 * ELEMENTS - self.elements - self.keys) * OVERHEAD + LARGEST_VALUE - self.text
    }

    fn nested(&mut self, value: &Dynamic, depth: usize) -> Result<(), Failure> {
        if depth > DEPTH {
            return Err(too_large("lists or maps nested more than 2,000 deep"));
        }
        if value.is_int() || value.is_bool() || value.is_float() || value.is_unit() {
            return Ok(());
        }
        if let Some(text) = value.read_lock::<rhai::ImmutableString>() {
            return self.text(text.len());
        }
        if let Some(list) = value.read_lock::<rhai::Array>() {
            return self.list_at(&list, depth);
        }
        if let Some(map) = value.read_lock::<Map>() {
            return self.map_at(&map, depth);
        }
        match value.read_lock::<rhai::Blob>() {
            Some(blob) => self.text(blob.len()),
            None => Ok(()),
        }
    }

    fn list_at(&mut self, list: &[Dynamic], depth: usize) -> Result<(), Failure> {
        self.elements(list.len())?;
        list.iter().try_for_each(|item| self.nested(item, depth + 1))
    }

    fn map_at(&mut self, map: &Map, depth: usize) -> Result<(), Failure> {
        self.keys(map.len())?;
        map.iter().try_for_each(|(key, item)| {
            self.text(key.len())?;
            self.nested(item, depth + 1)
        })
    }
}

/// Whether a value is within the limits.
pub fn check(value: &Dynamic) -> Result<(), Failure> {
    SizeBudget::new().value(value)
}

/// Whether a text of this many bytes is within the limit.
pub fn check_text(bytes: usize) -> Result<(), Failure> {
    SizeBudget::new().text(bytes)
}

/// The failure if a value would be too large: `what` it would be.
pub fn too_large(what: &str) -> Failure {
    Failure::usage(format!("The value is too large: {what}")).hint(STREAM)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(value: &Dynamic) -> String {
        check(value).map_or_else(|failure| failure.message, |()| "fits".to_owned())
    }

    #[test]
    fn all_that_is_in_a_value_counts() {
        let list = |item: Dynamic, count: usize| Dynamic::from_array(vec![item; count]);
        let text: Dynamic = "x".repeat(1 << 20).into();
        assert_eq!(said(&list(1_i64.into(), ELEMENTS)), "fits");
        assert_eq!(
            said(&list(list(1_i64.into(), 1000), 1000)),
            "The value is too large: a list of more than 1,000,000 elements"
        );
        assert_eq!(said(&list(text.clone(), 64)), "fits");
        assert_eq!(
            said(&list(text.clone(), 65)),
            "The value is too large: more than 64 MiB of text"
        );
        let map = Map::from([("a".into(), list(text, 65))]);
        assert_eq!(said(&map.into()), "The value is too large: more than 64 MiB of text");
        assert_eq!(
            said(&Dynamic::from_blob(vec![0; LARGEST_VALUE + 1])),
            "The value is too large: more than 64 MiB of text"
        );
    }

    #[test]
    fn a_value_nested_without_end_is_too_large() {
        // The same stack size as for scripts.
        let said = std::thread::Builder::new()
            .stack_size(crate::host::executor::SCRIPT_STACK_BYTES)
            .spawn(|| {
                let deep = (0..=DEPTH).fold(Dynamic::UNIT, |value, _| vec![value].into());
                said(&deep)
            });
        assert_eq!(
            said.unwrap().join().unwrap(),
            "The value is too large: lists or maps nested more than 2,000 deep"
        );
    }
}
