//! Options that a project keeps from run to run, with the values of the last `up`.

use std::collections::BTreeMap;

use rhai::Dynamic;

use super::arg_parser;
use super::context::Context;
use super::declared_option::DeclaredOption;
use super::declared_option::OptionPersistence;
use super::option_choices;
use crate::apply::VerbContext;
use crate::apply::moved_project::former_folders;
use crate::apply::saved_options::{self, SavedOption, SavedOptions};
use crate::model::event::{Event, Level};
use crate::model::{Failure, Kind};

/// The options that `up` keeps for later runs.
pub(super) struct SavedValues<'a> {
    context: &'a Context,
    choices: SavedOptions,
    process: BTreeMap<String, String>,
}

impl<'a> SavedValues<'a> {
    pub(super) fn of(context: &'a Context) -> Result<Self, Failure> {
        let choices = option_choices::saved(&context.run)?;
        context.script.options.note_saved(&choices);
        Ok(Self { context, choices, process: context.host.environment() })
    }

    /// The value of the last `up`, unless something newer overrides it: the process's own
    /// environment, or a `.env` that was changed since.
    pub(super) fn value(
        &self,
        key: &str,
        declared: &DeclaredOption,
        default: &Dynamic,
    ) -> Option<Dynamic> {
        let OptionPersistence { variable, .. } =
            declared.kept.as_ref().filter(|keeping| keeping.reads)?;
        let choice = self.choices.get(key)?;
        if self.process.get(variable).is_some_and(|value| !value.is_empty())
            || choice.described != self.described(variable)
        {
            return None;
        }
        // A value that is no longer one of the choices does not count.
        let value =
            arg_parser::typed(&arg_parser::option_name(key), declared, &choice.value).ok()?;
        if arg_parser::written(default) != choice.value {
            let option = arg_parser::option_name(key);
            let text = format!(
                "--{option} is \"{}\", as in the last run; pass --{option} to change it",
                choice.value
            );
            self.context.events.event(&Event::Log { level: Level::Notice, text });
        }
        Some(value)
    }

    /// Records an option's value; `is_given`: it is on the command line.
    pub(super) fn choose(
        &self,
        key: &str,
        declared: &DeclaredOption,
        value: &Dynamic,
        is_given: bool,
    ) {
        if let Some(OptionPersistence { variable, .. }) = &declared.kept {
            if is_given || self.process.get(variable).is_some_and(|value| !value.is_empty()) {
                self.context.script.options.choose_by_hand(key);
            }
            self.context.script.options.choose(
                key,
                SavedOption {
                    value: arg_parser::written(value),
                    described: self.described(variable),
                    project: None,
                },
            );
        }
    }

    fn described(&self, variable: &str) -> Option<String> {
        self.context
            .project
            .files
            .get(variable)
            .map(|variable| variable.value.clone())
            .filter(|value| !value.is_empty())
    }
}

/// Fails if the user moves a project to this folder, the former folder saved other option values,
/// and this run does not set the options. Otherwise production could become development.
pub(super) async fn choices_of_former_folders(
    context: &Context,
    ctx: &VerbContext,
    project: &str,
) -> Result<(), Failure> {
    let unchosen = context.script.options.unchosen();
    if unchosen.is_empty() || !context.policy.is_given_project(project) {
        return Ok(());
    }
    let kept_here = option_choices::saved(&context.run)?;
    let open = || unchosen.iter().filter(|(option, _)| !kept_here.contains_key(*option));
    if open().next().is_none() {
        return Ok(());
    }
    for folder in former_folders(ctx, project).await? {
        let there = saved_options::of_folder(&*context.host, &folder, project)?;
        for (option, here) in open() {
            let Some(before) = there.get(option).filter(|before| before.value != here.value) else {
                continue;
            };
            let option = arg_parser::option_name(option);
            let message = format!(
                "The project \"{project}\" was last brought up with --{option} {}, in \"{folder}\"; here it would be {}",
                before.value, here.value
            );
            let hint = format!(
                "say which: --{option} {} or --{option} {}; this folder keeps it from then on",
                before.value, here.value
            );
            return Err(Failure::usage(message).hint(hint));
        }
    }
    Ok(())
}

/// Call this under the project's lock. Fails if another run brought the project up with other
/// values after this run had read its options: this run would undo the other's work. Options that a
/// person gave, on the command line or in the environment, still count.
pub(super) fn kept_meanwhile(context: &Context, project: &str) -> Result<(), Failure> {
    let Some(seen) = context.script.options.noted() else { return Ok(()) };
    let now = option_choices::saved(&context.run)?;
    for (option, here) in context.script.options.unchosen() {
        let Some(kept) = now
            .get(&option)
            .filter(|kept| seen.get(&option) != Some(*kept) && kept.value != here.value)
        else {
            continue;
        };
        let option = arg_parser::option_name(&option);
        let message = format!(
            "Another run brought the project \"{project}\" up with --{option} {} meanwhile; this one began with {}",
            kept.value, here.value
        );
        let hint = format!(
            "run it again to go on with {}, or with --{option} {} to go back",
            kept.value, here.value
        );
        return Err(Failure::new(Kind::Conflict, message).hint(hint));
    }
    Ok(())
}
