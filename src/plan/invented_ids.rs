//! Ids that the simulation of a plan invents, and what the plan shows in their place: the step
//! after which the real one is known.

use std::collections::{BTreeMap, HashMap};

use super::arrange::Numbers;
use crate::model::image_reference::canonical;
use crate::model::plan_steps::PlanStep;
use crate::model::preview::unknown_until;
use crate::model::short_id::{ALGORITHM, SHORT_ID, digits};
use crate::model::step::{ActionKind, Object};
use crate::model::texts::Texts;

/// The ids that the simulation invented so far. Steps have their numbers in the record.
#[derive(Default)]
pub struct InventedIds {
    /// The beginning of an id → the whole one without its algorithm, and the step that gets the
    /// real one.
    ids: HashMap<String, (String, Option<usize>)>,
    /// Image → the step after which its id is known, by the canonical form of the name.
    unknown_images: BTreeMap<String, usize>,
    /// Object → the last step that creates it.
    creations: BTreeMap<Object, usize>,
}

impl InventedIds {
    /// A step was recorded.
    pub fn add_step(&mut self, step: &PlanStep) {
        if step.label.action == ActionKind::Create {
            self.creations.insert(step.label.object.clone(), step.number());
        }
    }

    /// The id of this image is unknown until `step`.
    pub fn add_unknown_image(&mut self, image: &str, step: usize) {
        self.unknown_images.insert(canonical(image), step);
    }

    /// The step until which the id of this image is unknown.
    pub fn unknown_until(&self, image: &str) -> Option<usize> {
        self.unknown_images.get(&canonical(image)).copied()
    }

    /// The last recorded step that creates `object`.
    pub fn creation(&self, object: &Object) -> Option<usize> {
        self.creations.get(object).copied()
    }

    /// `id` was invented for an image, unless its real id is known.
    pub fn add_image(&mut self, id: &str, image: &str) {
        if let Some(step) = self.unknown_until(image) {
            self.add(id, Some(step));
        }
    }

    /// `id` was invented for something in the new container or network that was just created.
    pub fn add_object(&mut self, id: &str, object: &Object) {
        let step = self.creation(object);
        self.add(id, step);
    }

    fn add(&mut self, id: &str, step: Option<usize>) {
        let id = digits(id);
        if let Some(short) = id.get(..SHORT_ID) {
            self.ids.insert(short.to_owned(), (id.to_owned(), step));
        }
    }

    /// The same data with steps in place of invented ids, whole or shortened. `numbers`: those of
    /// the arranged plan.
    pub fn replaced_in<T: Texts>(&self, data: T, numbers: &Numbers) -> T {
        if self.ids.is_empty() {
            return data;
        }
        data.with_texts(|text| self.replaced(text, numbers))
    }

    fn replaced(&self, text: &str, numbers: &Numbers) -> String {
        let mut result = String::new();
        // The beginning of the rest, and of the digits that end before `at`.
        let (mut rest, mut run, mut at) = (0, 0, 0);
        while at < text.len() {
            if !text.as_bytes()[at].is_ascii_hexdigit() {
                at += 1;
                run = at;
                continue;
            }
            at += 1;
            // Each part of an id in a text has at least as many digits as a short one.
            let Some(start) = at.checked_sub(SHORT_ID).filter(|start| *start >= run) else {
                continue;
            };
            let Some((id, step)) = self.ids.get(&text[start..at]) else { continue };
            result.push_str(&text[rest..start]);
            result.truncate(result.trim_end_matches(ALGORITHM).len());
            result.push_str(&unknown_until(step.map(|step| numbers.of(step))));
            let rest_of_id = text[start..].bytes().zip(id.bytes());
            at = start + rest_of_id.take_while(|(one, other)| one == other).count();
            (rest, run) = (at, at);
        }
        result.push_str(&text[rest..]);
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use similar_asserts::assert_eq;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    fn replaced(text: &str) -> String {
        let mut ids = InventedIds::default();
        ids.add(&format!("sha256:{ID}"), Some(1));
        ids.add(&ID.replace("01", "ff"), None);
        ids.replaced(text, &super::super::arrange::arrange(&[], &BTreeMap::new()).1)
    }

    #[test]
    fn an_id_is_replaced_whole_short_and_cut_anywhere_in_a_text() {
        for (text, expected) in [
            ("", ""),
            ("no id: 0123456789a", "no id: 0123456789a"),
            (ID, "(unknown until step 1)"),
            (
                &format!("a sha256:{ID}, {}…", &ID[..20]),
                "a (unknown until step 1), (unknown until step 1)…",
            ),
            (&format!("é{}é", &ID[..12]), "é(unknown until step 1)é"),
            (&format!("ab{ID}ab"), "ab(unknown until step 1)ab"),
            (&format!("{ID}{ID}"), "(unknown until step 1)(unknown until step 1)"),
            (&ID.replace("01", "ff"), "(unknown)"),
        ] {
            assert_eq!(replaced(text), expected, "{text}");
        }
    }
}
