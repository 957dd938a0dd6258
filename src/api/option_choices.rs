//! The options of a run that `up` keeps for the runs after it.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::apply::RunContext;
use crate::apply::saved_options::{self, SavedOption, SavedOptions};
use crate::model::Failure;
use crate::model::event::Level;

/// What was chosen in a run, and for which projects it is to be kept.
#[derive(Default)]
pub struct OptionChoices(Mutex<Choices>);

#[derive(Default)]
struct Choices {
    /// What `up` keeps of this run's options.
    chosen: SavedOptions,
    /// Those of these options that the command line or the environment gave.
    by_hand: BTreeSet<String>,
    /// For each `guarded` that runs, the innermost last: its project, and whether that was brought
    /// up in it. Then the choices are kept if it ends well.
    undecided: Vec<(String, bool)>,
    /// Projects of which only some services were brought up: what was chosen for them is kept if
    /// the run ends well.
    partly_up: BTreeSet<String>,
    /// See [`OptionChoices::note_saved`].
    noted: Option<SavedOptions>,
    /// The names that descriptions of this run have without `--project`.
    own_names: BTreeSet<String>,
}

/// What the project was last brought up with.
pub(super) fn saved(run: &RunContext) -> Result<SavedOptions, Failure> {
    saved_options::read(&*run.host, &run.policy, run.project.name.as_deref())
}

impl OptionChoices {
    /// What the project was last brought up with when this run read its options, or when it kept
    /// its own.
    pub(super) fn note_saved(&self, saved: &SavedOptions) {
        self.0.lock().noted = Some(saved.clone());
    }

    /// Nothing where the run has no options.
    pub(super) fn noted(&self) -> Option<SavedOptions> {
        self.0.lock().noted.clone()
    }

    /// An option's value in this run, which the next `up` keeps.
    pub(super) fn choose(&self, option: &str, choice: SavedOption) {
        self.0.lock().chosen.insert(option.to_owned(), choice);
    }

    /// A description is called so where `--project` says nothing.
    pub(super) fn add_own_name(&self, name: &str) {
        self.0.lock().own_names.insert(name.to_owned());
    }

    /// The option was given on the command line or by the environment.
    pub(super) fn choose_by_hand(&self, option: &str) {
        self.0.lock().by_hand.insert(option.to_owned());
    }

    /// The options whose value nobody gave in this run.
    pub(super) fn unchosen(&self) -> SavedOptions {
        let choices = self.0.lock();
        choices
            .chosen
            .iter()
            .filter(|(option, _)| !choices.by_hand.contains(*option))
            .map(|(option, choice)| (option.clone(), choice.clone()))
            .collect()
    }

    /// Keeps what was chosen in this run for `project`, now or when the `guarded` around it ends
    /// well. That it can't be kept is said and is no failure.
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
        // A description of that name means the same project without `--project`.
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

    /// The same after some of the project's services were brought up: the others may fail later in
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

    /// Until [`Self::decide`] nothing is kept for `project`: what is brought up may be undone.
    pub(super) fn defer(&self, project: &str) {
        self.0.lock().undecided.push((project.to_owned(), false));
    }

    /// What was brought up since stays, or was undone: then what the project was brought up with
    /// before counts on.
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
