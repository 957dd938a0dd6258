//! Finds the position of a key or a value in a YAML text.
//!
//! The YAML library reports positions only in its errors. So this module parses the text again up
//! to the requested position and fails there on purpose: the error contains the position. This
//! needs one parse per step of the path, and is done only for mistakes.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::fmt;

use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};

/// A position in a text. Line and column count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub line: usize,
    pub column: usize,
}

/// The key by which maps are merged into another.
const MERGE: &str = "<<";

/// The place of a path's value, or of its last key if `on_key` or if the value begins in a later
/// line. Of a path that isn't there as a whole, the last key that is, or the beginning of the map.
/// Maps merged with `<<` are looked into, at their own place.
pub fn find(text: &str, path: &[String], on_key: bool) -> Option<Mark> {
    let mut there = Vec::new();
    let mut is_whole = true;
    for key in path {
        let Some(deeper) = child(text, &there, key) else {
            is_whole = false;
            break;
        };
        there = deeper;
    }
    let key = mark(text, &there, true);
    let value =
        mark(text, &there, false).filter(|value| key.is_none_or(|key| key.line == value.line));
    if on_key || !is_whole { key } else { value.or(key) }
}

/// The second of two equal keys of one map, if the text is rejected because of it.
pub fn duplicate(text: &str) -> Option<(String, Mark)> {
    let found = RefCell::new(None);
    let refused = DuplicateKeyVisitor { found: &found }
        .deserialize(serde_yaml::Deserializer::from_str(text))
        .err()?;
    Some((found.into_inner()?, mark_of(&refused)?))
}

/// The position in an error of the library.
pub fn mark_of(error: &serde_yaml::Error) -> Option<Mark> {
    error.location().map(|location| Mark { line: location.line(), column: location.column() })
}

/// The path in the text of a key of the map (or an item of the list) at `parent`.
fn child(text: &str, parent: &[String], key: &str) -> Option<Vec<String>> {
    let below = |parent: &[String], key: &str| [parent, &[key.to_owned()]].concat();
    let is_there = |path: &[String]| mark(text, path, true).is_some();
    let own = below(parent, key);
    if is_there(&own) {
        return Some(own);
    }
    let merged = below(parent, MERGE);
    if !is_there(&merged) {
        return None;
    }
    let several = (0..)
        .map(|index: usize| below(&merged, &index.to_string()))
        .take_while(|path| is_there(path));
    std::iter::once(merged.clone()).chain(several).find_map(|map| child(text, &map, key))
}

/// The position of the value at exactly this path.
fn mark(text: &str, path: &[String], on_key: bool) -> Option<Mark> {
    let reached = Cell::new(false);
    let walk = PathVisitor { path, on_key, reached: &reached };
    let refused = walk.deserialize(serde_yaml::Deserializer::from_str(text)).err()?;
    reached.into_inner().then(|| mark_of(&refused)).flatten()
}

/// Follows a path, and fails at its end.
struct PathVisitor<'a> {
    path: &'a [String],
    on_key: bool,
    reached: &'a Cell<bool>,
}

impl PathVisitor<'_> {
    fn deeper(&self) -> PathVisitor<'_> {
        PathVisitor { path: &self.path[1..], on_key: self.on_key, reached: self.reached }
    }

    fn reach<T, E: Error>(&self) -> Result<T, E> {
        self.reached.set(true);
        Err(E::custom("here"))
    }
}

impl<'de> DeserializeSeed<'de> for PathVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

/// Handles a scalar of any type.
macro_rules! scalars {
    ($($name:ident($type:ty)),*) => {
        $(fn $name<E: Error>(self, value: $type) -> Result<(), E> {
            self.scalar(value.to_string())
        })*
        fn visit_unit<E: Error>(self) -> Result<(), E> {
            self.scalar("null".to_owned())
        }
    };
}

impl<'de> Visitor<'de> for PathVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what is looked for")
    }

    scalars!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some(wanted) = self.path.first() else { return self.reach() };
        for index in 0_usize.. {
            let there = if index.to_string() == *wanted {
                items.next_element_seed(self.deeper())?
            } else {
                items.next_element::<IgnoredAny>()?.map(|_| ())
            };
            if there.is_none() {
                break;
            }
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let Some((wanted, rest)) = self.path.split_first() else { return self.reach() };
        let is_end = rest.is_empty() && self.on_key;
        loop {
            let mut is_wanted = false;
            let mut check = |key: String| {
                is_wanted = key == *wanted;
                if is_wanted && is_end {
                    self.reached.set(true);
                }
                is_wanted && is_end
            };
            if fields.next_key_seed(Key { refuse: &mut check })?.is_none() {
                return Ok(());
            }
            if is_wanted {
                fields.next_value_seed(self.deeper())?;
            } else {
                fields.next_value::<IgnoredAny>()?;
            }
        }
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        if self.path.is_empty() {
            return self.reach();
        }
        let (_, value) = tagged.variant::<IgnoredAny>()?;
        value.newtype_variant::<IgnoredAny>().map(|_| ())
    }
}

impl PathVisitor<'_> {
    fn scalar<E: Error>(self, _: String) -> Result<(), E> {
        if self.path.is_empty() { self.reach() } else { Ok(()) }
    }
}

/// A key of a map. Parsing stops at it if the function returns so.
struct Key<'a> {
    refuse: &'a mut dyn FnMut(String) -> bool,
}

impl Key<'_> {
    fn scalar<E: Error>(self, key: String) -> Result<(), E> {
        if (self.refuse)(key) { Err(E::custom("here")) } else { Ok(()) }
    }
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    scalars!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(())
    }
}

/// Reads everything, and fails at a key that its map already contains.
#[derive(Clone, Copy)]
struct DuplicateKeyVisitor<'a> {
    found: &'a RefCell<Option<String>>,
}

impl DuplicateKeyVisitor<'_> {
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "as the macro calls it")]
    fn scalar<E: Error>(self, _: String) -> Result<(), E> {
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for DuplicateKeyVisitor<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for DuplicateKeyVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    scalars!(visit_bool(bool), visit_i64(i64), visit_u64(u64), visit_f64(f64), visit_str(&str));

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        let mut check = |key: String| {
            let again = !seen.insert(key.clone());
            if again {
                self.found.replace(Some(key));
            }
            again
        };
        while fields.next_key_seed(Key { refuse: &mut check })?.is_some() {
            fields.next_value_seed(self)?;
        }
        Ok(())
    }

    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<(), A::Error> {
        let (_, value) = tagged.variant::<IgnoredAny>()?;
        value.newtype_variant_seed(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
x-base: &base
  image: a
  ports: [80, \"81:81\"]
x-more: &more { init: true }
services:
  웹:
    <<: [*more, *base]
    command:
      - 'run'
      - now
  \"db\": {image: b, labels: {on: 1, 80: x}}
  last:
    <<: *base
    image: c
volumes:
  data:
";

    fn at(path: &str, on_key: bool) -> Option<(usize, usize)> {
        let path: Vec<String> =
            path.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect();
        find(TEXT, &path, on_key).map(|mark| (mark.line, mark.column))
    }

    #[test]
    fn a_key_and_its_value_have_their_own_places() {
        assert_eq!(at("services.db.image", true), Some((11, 10)));
        assert_eq!(at("services.db.image", false), Some((11, 17)));
        assert_eq!(at("services.db.labels.on", true), Some((11, 29)));
        assert_eq!(at("services.db.labels.80", false), Some((11, 40)));
        assert_eq!(at("services.웹.command.0", false), Some((9, 9)));
        assert_eq!(at("services.웹.command.1", true), Some((10, 9)));
        assert_eq!(at("volumes.data", true), Some((16, 3)));
    }

    #[test]
    fn a_value_in_a_later_line_is_placed_at_its_key() {
        assert_eq!(at("services.웹.command", false), Some((8, 5)));
        assert_eq!(at("services", false), Some((5, 1)));
    }

    #[test]
    fn a_merged_key_has_the_position_of_its_source() {
        assert_eq!(at("services.웹.image", false), Some((2, 10)));
        assert_eq!(at("services.웹.ports.1", false), Some((3, 15)));
        assert_eq!(at("services.웹.init", true), Some((4, 17)));
        assert_eq!(
            at("services.last.image", false),
            Some((14, 12)),
            "its own goes before the merged"
        );
    }

    #[test]
    fn the_position_of_a_missing_key_is_that_of_its_parent() {
        assert_eq!(at("services.db.scale", false), Some((11, 3)));
        assert_eq!(at("services.웹.command.7", false), Some((8, 5)));
        assert_eq!(at("", false), Some((1, 1)));
        assert_eq!(at("networks", true), Some((1, 1)));
        assert_eq!(find("", &["a".to_owned()], true), None);
    }

    #[test]
    fn the_second_of_two_equal_keys_is_found() {
        let found = |text: &str| duplicate(text).map(|(key, mark)| (key, mark.line, mark.column));
        assert_eq!(found("a: 1\nb: {x: 1, y: 2, x: 3}\n"), Some(("x".to_owned(), 2, 17)));
        assert_eq!(found("a: [{80: 1}, {80: 1,\n 80: 2}]"), Some(("80".to_owned(), 2, 2)));
        assert_eq!(found("a: !t {b: 1,\n  b: 1}"), Some(("b".to_owned(), 2, 3)));
        assert_eq!(found(TEXT), None);
        assert_eq!(found("a: [1"), None);
    }
}
