//! Functions of Rhai that make a value larger, with a check of the size before the value grows.
//!
//! Rhai itself checks a value only afterwards, when it may already be larger than the machine's
//! memory. It also counts a whole list in every call with this list, so a loop over `list.push(x)`
//! takes quadratic time. Therefore Rhai's limits are off. This module measures texts, blobs and
//! maps by their length. It counts a list only when the list's capacity is used up, because then
//! Rust copies it anyway.

use std::cell::Cell;
use std::sync::LazyLock;

use rhai::packages::{BitFieldPackage, Package};
use rhai::plugin::{Dynamic, Engine, ImmutableString, NativeCallContext, export_module};
use rhai::{Array, Blob, Map};

use super::Raw;
use super::context::Context;
use super::printing::text_of;
use crate::host::memory::{self, Reservation};
use crate::value::size::{self, ELEMENTS, SizeBudget};

/// The bytes that a text in a list needs in addition to its characters.
const TEXT_IN_LIST: usize = 64;

rhai::def_package! {
    /// The functions of this file. The base package marks them as Rhai's own, so that a script may
    /// redefine them. There is no other way to mark them.
    GrowthPackage(module): BitFieldPackage {
        rhai::combine_with_exported_module!(module, "texts", texts);
        rhai::combine_with_exported_module!(module, "pieces", pieces);
        rhai::combine_with_exported_module!(module, "collections", collections);
        rhai::combine_with_exported_module!(module, "printing", super::printing::functions);
        rhai::combine_with_exported_module!(module, "sorting", super::sorting::functions);
    }
}

/// Registers the functions of this file, and those of `printing` and `sorting`.
pub fn register(engine: &mut Engine) {
    static PACKAGE: LazyLock<GrowthPackage> = LazyLock::new(GrowthPackage::new);
    engine.register_global_module(PACKAGE.as_shared_module());
    super::printing::name_iterators(engine);
}

/// Reserves memory for a new text or blob of this many bytes.
pub(super) fn text_room(call: &NativeCallContext, bytes: usize) -> Raw<Reservation> {
    size::check_text(bytes)?;
    room(call, bytes)
}

/// Reserves this many bytes of memory for a new value.
fn room(call: &NativeCallContext, bytes: usize) -> Raw<Reservation> {
    if bytes < memory::STEP {
        return Ok(memory::reserve(|| None, bytes).map_err(crate::model::Failure::from)?);
    }
    let context = Context::of(call)?;
    Ok(memory::reserve(|| context.host.memory(), bytes).map_err(crate::model::Failure::from)?)
}

fn joined(call: &NativeCallContext, first: &str, second: &str) -> Raw<ImmutableString> {
    let _room = text_room(call, first.len() + second.len())?;
    let mut text = String::with_capacity(first.len() + second.len());
    text.push_str(first);
    text.push_str(second);
    Ok(text.into())
}

/// Appends to a text in place. The text is copied only if something else shares it.
fn add(call: &NativeCallContext, text: &mut ImmutableString, more: &str) -> Raw<()> {
    let _room = text_room(call, text.len() + more.len())?;
    *text += more;
    Ok(())
}

/// Counts a list with its content if it has no capacity left for `more`.
fn may_grow(list: &Array, more: usize) -> Raw<()> {
    if list.len() + more > list.capacity() {
        let mut room = SizeBudget::new();
        room.elements(more)?;
        room.list(list)?;
    }
    Ok(())
}

/// Counts a value that is put into a list. Only a list or map can be large and deep.
fn may_hold(item: &Dynamic) -> Raw<()> {
    if item.is_array() || item.is_map() {
        size::check(item)?;
    }
    Ok(())
}

fn push(list: &mut Array, item: Dynamic) -> Raw<()> {
    may_grow(list, 1)?;
    may_hold(&item)?;
    list.push(item);
    Ok(())
}

fn append(list: &mut Array, more: Array) -> Raw<()> {
    may_grow(list, more.len())?;
    if list.is_empty() {
        *list = more;
    } else {
        SizeBudget::new().list(&more)?;
        list.extend(more);
    }
    Ok(())
}

/// Counts values that are put into a map, and the whole map when its number of keys doubles. A
/// count at every call would take quadratic time.
fn may_mix(map: &Map, more: &Map) -> Raw<()> {
    let mut room = SizeBudget::new();
    room.map(more)?;
    let keys = map.len() + more.keys().filter(|key| !map.contains_key(key.as_str())).count();
    if keys.next_power_of_two() > map.len().next_power_of_two() {
        room.map(map)?;
    }
    Ok(())
}

fn mix_in(map: &mut Map, more: Map) -> Raw<()> {
    may_mix(map, &more)?;
    map.extend(more);
    Ok(())
}

/// After a counted value of this size, one more call of `take` is not counted. Larger values allow
/// more calls, up to [`MOST_UNCOUNTED`].
const COUNTED: usize = 64 << 10;

/// The limit of uncounted calls. The nesting that they can add is safe for the stack.
const MOST_UNCOUNTED: usize = 64;

thread_local! {
    /// The number of calls of `take` that are not counted.
    static UNCOUNTED: Cell<usize> = const { Cell::new(0) };
}

/// Counts a value that is moved. Does not count a large value at every call, because a loop that
/// moves it back and forth would take quadratic time.
fn may_move(value: &Dynamic) -> Raw<()> {
    if !value.is_array() && !value.is_map() {
        return Ok(());
    }
    match UNCOUNTED.get() {
        0 => {
            let mut room = SizeBudget::new();
            room.value(value)?;
            UNCOUNTED.set((room.taken() / COUNTED).min(MOST_UNCOUNTED));
        }
        left => UNCOUNTED.set(left - 1),
    }
    Ok(())
}

/// The pieces of a text, at most `count`; the last one is the rest.
pub(super) fn collected<'t>(
    call: &NativeCallContext,
    length: usize,
    count: usize,
    pieces: impl Iterator<Item = &'t str>,
) -> Raw<Array> {
    SizeBudget::new().elements(count)?;
    let _room = room(call, length + count * TEXT_IN_LIST)?;
    Ok(pieces.map(Into::into).collect())
}

/// The number of pieces if a separator occurs `found` times, at most `most`; a `most` that is not
/// positive counts as one.
fn pieces_of(found: usize, most: i64) -> usize {
    found.saturating_add(1).min(usize::try_from(most).unwrap_or(0).max(1))
}

/// The most pieces that a script wants, as the standard library counts them.
fn most(segments: i64) -> usize {
    usize::try_from(segments).unwrap_or(0).max(1)
}

/// The length that a script requests, in characters, elements or bytes.
fn length(number: i64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod texts {
    #[rhai_fn(name = "+", return_raw)]
    pub fn add_text(call: NativeCallContext, first: &str, second: &str) -> Raw<ImmutableString> {
        joined(&call, first, second)
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn add_letter(call: NativeCallContext, first: &str, second: char) -> Raw<ImmutableString> {
        joined(&call, first, second.encode_utf8(&mut [0; 4]))
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn add_to_letter(
        call: NativeCallContext,
        first: char,
        second: &str,
    ) -> Raw<ImmutableString> {
        joined(&call, first.encode_utf8(&mut [0; 4]), second)
    }

    #[rhai_fn(name = "+", return_raw, pure)]
    pub fn add_value(
        call: NativeCallContext,
        first: &mut ImmutableString,
        second: Dynamic,
    ) -> Raw<ImmutableString> {
        joined(&call, first, &text_of(&call, &second)?)
    }

    #[rhai_fn(name = "+", return_raw, pure)]
    pub fn add_to_value(
        call: NativeCallContext,
        first: &mut Dynamic,
        second: &str,
    ) -> Raw<ImmutableString> {
        joined(&call, &text_of(&call, first)?, second)
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn add_blob(call: NativeCallContext, first: &str, second: Blob) -> Raw<ImmutableString> {
        joined(&call, first, &String::from_utf8_lossy(&second))
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn add_to_blob(call: NativeCallContext, first: Blob, second: &str) -> Raw<ImmutableString> {
        joined(&call, &String::from_utf8_lossy(&first), second)
    }

    #[rhai_fn(name = "+=", name = "append", return_raw)]
    pub fn append_text(
        call: NativeCallContext,
        text: &mut ImmutableString,
        more: ImmutableString,
    ) -> Raw<()> {
        add(&call, text, &more)
    }

    #[rhai_fn(name = "+=", name = "append", return_raw)]
    pub fn append_letter(
        call: NativeCallContext,
        text: &mut ImmutableString,
        more: char,
    ) -> Raw<()> {
        add(&call, text, more.encode_utf8(&mut [0; 4]))
    }

    #[rhai_fn(name = "+=", name = "append", return_raw)]
    pub fn append_value(
        call: NativeCallContext,
        text: &mut ImmutableString,
        more: Dynamic,
    ) -> Raw<()> {
        add(&call, text, &text_of(&call, &more)?)
    }

    #[rhai_fn(name = "+=", name = "append", return_raw)]
    pub fn append_blob(call: NativeCallContext, text: &mut ImmutableString, more: Blob) -> Raw<()> {
        add(&call, text, &String::from_utf8_lossy(&more))
    }

    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_letter(
        call: NativeCallContext,
        text: &mut ImmutableString,
        letters: i64,
        with: char,
    ) -> Raw<()> {
        pad_text(call, text, letters, with.encode_utf8(&mut [0; 4]))
    }

    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_text(
        call: NativeCallContext,
        text: &mut ImmutableString,
        letters: i64,
        with: &str,
    ) -> Raw<()> {
        let missing = length(letters).saturating_sub(text.chars().count());
        let letters = with.chars().count();
        if missing == 0 || letters == 0 {
            return Ok(());
        }
        let bytes = (missing / letters).saturating_mul(with.len()).saturating_add(with.len());
        let _room = text_room(&call, text.len().saturating_add(bytes))?;
        let mut padded = String::with_capacity(text.len() + bytes);
        padded.push_str(text);
        padded.push_str(&with.repeat(missing / letters));
        padded.extend(with.chars().take(missing % letters));
        *text = padded.into();
        Ok(())
    }

    #[rhai_fn(name = "replace", return_raw)]
    pub fn replace_text_with_letter(
        call: NativeCallContext,
        text: &mut ImmutableString,
        find: &str,
        with: char,
    ) -> Raw<()> {
        super::replace(&call, text, find, with.encode_utf8(&mut [0; 4]))
    }
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod pieces {
    #[rhai_fn(return_raw)]
    pub fn to_chars(call: NativeCallContext, text: &str) -> Raw<Array> {
        let count = text.chars().take(ELEMENTS + 1).count();
        SizeBudget::new().elements(count)?;
        let _room = room(&call, count * size_of::<Dynamic>())?;
        Ok(text.chars().map(Into::into).collect())
    }

    #[rhai_fn(name = "split", return_raw)]
    pub fn split_white_space(call: NativeCallContext, text: &str) -> Raw<Array> {
        if text.is_empty() {
            return Ok(vec![text.into()]);
        }
        collected(
            &call,
            text.len(),
            text.split_whitespace().take(ELEMENTS + 1).count(),
            text.split_whitespace(),
        )
    }

    #[rhai_fn(return_raw)]
    pub fn split(call: NativeCallContext, text: &str, by: &str) -> Raw<Array> {
        collected(&call, text.len(), text.split(by).take(ELEMENTS + 1).count(), text.split(by))
    }

    #[rhai_fn(name = "split", return_raw)]
    pub fn split_most(call: NativeCallContext, text: &str, by: &str, segments: i64) -> Raw<Array> {
        let count = pieces_of(text.matches(by).take(ELEMENTS + 1).count(), segments);
        collected(&call, text.len(), count, text.splitn(most(segments), by))
    }

    #[rhai_fn(name = "split", return_raw)]
    pub fn split_letter(call: NativeCallContext, text: &str, by: char) -> Raw<Array> {
        collected(&call, text.len(), text.split(by).take(ELEMENTS + 1).count(), text.split(by))
    }

    #[rhai_fn(name = "split", return_raw)]
    pub fn split_letter_most(
        call: NativeCallContext,
        text: &str,
        by: char,
        segments: i64,
    ) -> Raw<Array> {
        let count = pieces_of(text.matches(by).take(ELEMENTS + 1).count(), segments);
        collected(&call, text.len(), count, text.splitn(most(segments), by))
    }

    #[rhai_fn(name = "split_rev", return_raw)]
    pub fn split_rev(call: NativeCallContext, text: &str, by: &str) -> Raw<Array> {
        collected(&call, text.len(), text.split(by).take(ELEMENTS + 1).count(), text.rsplit(by))
    }

    #[rhai_fn(name = "split_rev", return_raw)]
    pub fn split_rev_most(
        call: NativeCallContext,
        text: &str,
        by: &str,
        segments: i64,
    ) -> Raw<Array> {
        let count = pieces_of(text.matches(by).take(ELEMENTS + 1).count(), segments);
        collected(&call, text.len(), count, text.rsplitn(most(segments), by))
    }

    #[rhai_fn(name = "split_rev", return_raw)]
    pub fn split_rev_letter(call: NativeCallContext, text: &str, by: char) -> Raw<Array> {
        collected(&call, text.len(), text.split(by).take(ELEMENTS + 1).count(), text.rsplit(by))
    }

    #[rhai_fn(name = "split_rev", return_raw)]
    pub fn split_rev_letter_most(
        call: NativeCallContext,
        text: &str,
        by: char,
        segments: i64,
    ) -> Raw<Array> {
        let count = pieces_of(text.matches(by).take(ELEMENTS + 1).count(), segments);
        collected(&call, text.len(), count, text.rsplitn(most(segments), by))
    }
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod collections {
    #[rhai_fn(name = "push", name = "+=", return_raw)]
    pub fn push_item(list: &mut Array, item: Dynamic) -> Raw<()> {
        push(list, item)
    }

    #[rhai_fn(name = "append", name = "+=", return_raw)]
    pub fn append_list(list: &mut Array, more: Array) -> Raw<()> {
        append(list, more)
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn joined_lists(first: Array, second: Array) -> Raw<Array> {
        let mut list = first;
        append(&mut list, second)?;
        Ok(list)
    }

    #[rhai_fn(name = "insert", return_raw)]
    pub fn insert_item(list: &mut Array, index: i64, item: Dynamic) -> Raw<()> {
        may_grow(list, 1)?;
        may_hold(&item)?;
        let from_end = || {
            list.len().saturating_sub(usize::try_from(index.unsigned_abs()).unwrap_or(usize::MAX))
        };
        let at = usize::try_from(index).unwrap_or_else(|_| from_end()).min(list.len());
        list.insert(at, item);
        Ok(())
    }

    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_list(
        call: NativeCallContext,
        list: &mut Array,
        count: i64,
        item: Dynamic,
    ) -> Raw<()> {
        let missing = length(count).saturating_sub(list.len());
        if missing == 0 {
            return Ok(());
        }
        let mut room = SizeBudget::new();
        room.elements(missing)?;
        room.list(list)?;
        room.copies(&item, missing)?;
        let _room = self::room(&call, room.taken())?;
        list.resize(list.len() + missing, item);
        Ok(())
    }

    #[rhai_fn(name = "blob", return_raw)]
    pub fn new_blob(call: NativeCallContext, bytes: i64) -> Raw<Blob> {
        new_blob_of(call, bytes, 0)
    }

    #[rhai_fn(name = "blob", return_raw)]
    pub fn new_blob_of(call: NativeCallContext, bytes: i64, value: i64) -> Raw<Blob> {
        let _room = text_room(&call, length(bytes))?;
        Ok(vec![value.to_le_bytes()[0]; length(bytes)])
    }

    #[rhai_fn(name = "pad", return_raw)]
    pub fn pad_blob(call: NativeCallContext, blob: &mut Blob, bytes: i64, value: i64) -> Raw<()> {
        if length(bytes) > blob.len() {
            let _room = text_room(&call, length(bytes))?;
            blob.resize(length(bytes), value.to_le_bytes()[0]);
        }
        Ok(())
    }

    #[rhai_fn(name = "append", name = "+=", return_raw)]
    pub fn append_blob(call: NativeCallContext, blob: &mut Blob, more: Blob) -> Raw<()> {
        let _room = text_room(&call, blob.len() + more.len())?;
        blob.extend(more);
        Ok(())
    }

    #[rhai_fn(name = "append", name = "+=", return_raw)]
    pub fn append_text_to_blob(call: NativeCallContext, blob: &mut Blob, more: &str) -> Raw<()> {
        let _room = text_room(&call, blob.len() + more.len())?;
        blob.extend(more.as_bytes());
        Ok(())
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn joined_blobs(call: NativeCallContext, first: Blob, second: Blob) -> Raw<Blob> {
        let _room = text_room(&call, first.len() + second.len())?;
        Ok([first, second].concat())
    }

    #[rhai_fn(return_raw, pure)]
    pub fn to_array(call: NativeCallContext, blob: &mut Blob) -> Raw<Array> {
        SizeBudget::new().elements(blob.len())?;
        let _room = room(&call, blob.len() * size_of::<Dynamic>())?;
        Ok(blob.iter().map(|byte| i64::from(*byte).into()).collect())
    }

    #[rhai_fn(name = "mixin", name = "+=", return_raw)]
    pub fn mix_in_map(map: &mut Map, more: Map) -> Raw<()> {
        mix_in(map, more)
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn joined_maps(first: Map, second: Map) -> Raw<Map> {
        let mut map = first;
        mix_in(&mut map, second)?;
        Ok(map)
    }

    #[rhai_fn(return_raw)]
    pub fn fill_with(map: &mut Map, more: Map) -> Raw<()> {
        may_mix(map, &more)?;
        for (key, value) in more {
            map.entry(key).or_insert(value);
        }
        Ok(())
    }

    /// Moves a value out of its variable. A script can nest values deeper and deeper this way
    /// without a copy.
    #[rhai_fn(return_raw)]
    pub fn take(value: &mut Dynamic) -> Raw<Dynamic> {
        may_move(value)?;
        Ok(std::mem::replace(value, Dynamic::UNIT))
    }
}

/// Rhai's own function checks the size of its result only afterwards, when it may already be larger
/// than the machine's memory.
pub(super) fn replace(
    call: &NativeCallContext,
    text: &mut ImmutableString,
    find: &str,
    with: &str,
) -> Raw<()> {
    let found = if find.is_empty() { text.chars().count() + 1 } else { text.matches(find).count() };
    let _room = text_room(call, found.saturating_mul(with.len()).saturating_add(text.len()))?;
    *text = text.replace(find, with).into();
    Ok(())
}
