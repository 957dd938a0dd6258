//! The options of a run that `up` keeps for later runs.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::apply::RunContext;
use crate::apply::saved_options::{self, SavedOption, SavedOptions};
use crate::model::Failure;
use crate::model::event::Level;

/// The option values of a run, and the projects for which they are kept.
#[derive(Default)]
pub struct OptionChoices(Mutex<Choices>);

#[derive(Default)]
struct Choices {
    /// The options of this run that `up` keeps.
    chosen: SavedOptions,
    /// Those that the command line or the environment set.
    by_hand: BTreeSet<String>,
    /// For each running `guarded`, the innermost last: its project, and whether the project was
    /// brought up inside. In that case the values are kept if the function succeeds.
    undecided: Vec<(String, bool)>,
    /// Projects of which only some services were brought up: their values are kept if the run
    /// succeeds.
    partly_up: BTreeSet<String>,
    /// See [`OptionChoices::note_saved`].
    noted: Option<SavedOptions>,
    /// The names of this run's descriptions without `--project`.
    own_names: BTreeSet<String>,
}

/// The values of the last `up`.
pub(super) fn saved(run: &RunContext) -> Result<SavedOptions, Failure> {
    saved_options::read(&*run.host, &run.policy, run.project.name.as_deref())
}

impl OptionChoices {
    /// The values of the last `up`, at the time when this run read its options or kept its own.
    pub(super) fn note_saved(&self, saved: &SavedOptions) {
        self.0.lock().noted = Some(saved.clone());
    }

    /// `None` if the run has no options.
    pub(super) fn noted(&self) -> Option<SavedOptions> {
        self.0.lock().noted.clone()
    }

    /// An option's value in this run, which the next `up` keeps.
    pub(super) fn choose(&self, option: &str, choice: SavedOption) {
        self.0.lock().chosen.insert(option.to_owned(), choice);
    }

    /// The name of a description without `--project`.
    pub(super) fn add_own_name(&self, name: &str) {
        self.0.lock().own_names.insert(name.to_owned());
    }

    /// The command line or the environment set the option.
    pub(super) fn choose_by_hand(&self, option: &str) {
        self.0.lock().by_hand.insert(option.to_owned());
    }

    /// The options whose value nobody set in this run.
    pub(super) fn unchosen(&self) -> SavedOptions {
        let choices = self.0.lock();
        choices
            .chosen
            .iter()
            .filter(|(option, _)| !choices.by_hand.contains(*option))
            .map(|(option, choice)| (option.clone(), choice.clone()))
            .collect()
    }

    /// Keeps the values of this run for `project`, now or when the surrounding `guarded` succeeds.
    /// If that fails, it only warns.
    pub(super) fn keep(&self, run: &RunContext, project: &str) {
        let (chosen, is_own) = {
            let mut choices = self.0.lock();
            let guarded = choices.undecided.iter_mut().rfind(|(guarded, _)| guarded == project);
            if let Some((_, is_up)) = guarded {
                *is_up = true;
                return;
            }
            (choices.chosen.clone(), choices.own_names.contains(project))
        };
        // Without `--project`, a description with this name means the same project.
        let given = run.project.name.as_deref().filter(|_| !is_own);
        if let Err(error) = saved_options::keep(&*run.host, &run.policy, given, project, &chosen) {
            run.log(
                Level::Warning,
                format!("The options of this run are not kept for the next: {error}"),
            );
        }
        if let Ok(saved) = saved(run) {
            self.note_saved(&saved);
        }
    }

    /// The same after some of the project's services were brought up. The others may fail later in
    /// this run, so its end decides.
    pub(super) fn keep_at_the_end(&self, project: &str) {
        self.0.lock().partly_up.insert(project.to_owned());
    }

    /// The script has ended without an error.
    pub fn ended_well(&self, run: &RunContext) {
        let partly_up = std::mem::take(&mut self.0.lock().partly_up);
        for project in partly_up {
            self.keep(run, &project);
        }
    }

    /// Stores nothing for `project` until [`Self::decide`], because what is brought up may be
    /// undone.
    pub(super) fn defer(&self, project: &str) {
        self.0.lock().undecided.push((project.to_owned(), false));
    }

    /// Everything since [`Self::defer`] stays, or was undone. In the second case the values of the
    /// last `up` remain valid.
    pub(super) fn decide(&self, run: &RunContext, project: &str, stays: bool) {
        let is_up = {
            let undecided = &mut self.0.lock().undecided;
            let innermost = undecided.iter().rposition(|(guarded, _)| guarded == project);
            innermost.is_some_and(|at| undecided.remove(at).1)
        };
        if is_up && stays {
            self.keep(run, project);
        }
    }
}
