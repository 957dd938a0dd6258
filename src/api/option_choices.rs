//! The options of a run that `up` keeps for later runs.

use std::collections::BTreeSet;

use parking_lot::Mutex;

use crate::apply::RunContext;
use crate::apply::saved_options::{self, SavedOption, SavedOptions};
use crate::model::Failure;
use crate::model::event::Level;
use crate::model::help::option_name;

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
    /// Options that are not saved because their values contain secrets. spc has warned about each
    /// of them.
    withheld: BTreeSet<String>,
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

    /// The options that were not set in this run.
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
        // A record must not hold a secret, and a masked value would be useless.
        let holds_secret = |choice: &SavedOption| {
            let texts = std::iter::once(&choice.value).chain(&choice.described);
            texts.into_iter().any(|text| is_secret(run, text))
        };
        let (secret, chosen): (SavedOptions, SavedOptions) =
            chosen.into_iter().partition(|(_, choice)| holds_secret(choice));
        // Options from `.env` need no warning, because the next run reads them there again.
        let lost = secret
            .iter()
            .filter(|(_, choice)| choice.described.as_ref() != Some(&choice.value))
            .map(|(option, _)| option);
        for option in lost.filter(|option| self.0.lock().withheld.insert((*option).clone())) {
            let option = option_name(option);
            run.log(
                Level::Warning,
                format!("--{option} is not saved for the next run: its value contains a secret; pass it each time, or set it in `.env`"),
            );
        }
        let forgotten: BTreeSet<String> = secret.into_keys().collect();
        // Without `--project`, a description with this name means the same project.
        let given = run.project.name.as_deref().filter(|_| !is_own);
        let kept =
            saved_options::keep(&*run.host, &run.policy, given, project, &chosen, &forgotten);
        if let Err(error) = kept {
            run.log(
                Level::Warning,
                format!("The options of this run could not be saved for the next run: {error}"),
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

    /// Stores nothing for `project` until [`Self::decide`], because the `up` may be undone.
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

/// Whether a value of an option is a secret, or holds a long one or a token. A short secret inside
/// of a longer value may be there by chance: of the secret `prod`, `eu-prod-1` is none.
fn is_secret(run: &RunContext, value: &str) -> bool {
    const LONG: usize = 6;
    if run.secrets.reveal(value) != value {
        return true;
    }
    let Some(masked) = run.secrets.masked(value) else { return false };
    let mut rest = String::new();
    let mut parts = masked.split("[secret ");
    rest.push_str(parts.next().unwrap_or_default());
    for part in parts {
        rest.push_str(part.split_once(']').map_or("", |(_, rest)| rest));
    }
    rest.is_empty() || value.len().saturating_sub(rest.len()) >= LONG
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use super::*;
    use crate::model::event::Event;
    use crate::model::secret::Secrets;

    const FILE: &str = "/project/.spc/options.json";

    fn choice(value: &str, described: Option<&str>) -> SavedOption {
        let described = described.map(str::to_owned);
        SavedOption { value: value.to_owned(), described, project: None }
    }

    #[test]
    fn a_value_that_contains_a_secret_is_not_saved_and_spc_warns_once() {
        let project = Harness::new();
        let run = &project.context.run;
        let options = OptionChoices::default();
        options.choose("tag", choice("7", None));
        options.choose("key", choice("hunter2", None));
        options.keep(run, "shop");
        assert!(project.file(FILE).contains("hunter2"), "nothing says that it is a secret");
        run.secrets.add("token", &Secrets::token("token", [1; 16]), "hunter2");
        options.choose("pair", choice("a", Some("user:hunter2")));
        // A short secret that occurs in the value by chance, and one from `.env`.
        run.secrets.add("user", &Secrets::token("user", [2; 16]), "prod");
        options.choose("zone", choice("eu-prod-1", None));
        options.choose("word", choice("hunter2", Some("hunter2")));
        for _ in 0..2 {
            options.keep(run, "shop");
        }
        let kept = project.file(FILE);
        assert!(!kept.contains("hunter2") && !kept.contains("key"), "{kept}");
        assert!(kept.contains("\"tag\"") && !kept.contains("\"pair\""), "{kept}");
        assert!(kept.contains("eu-prod-1") && !kept.contains("\"word\""), "{kept}");
        let said: Vec<String> = project
            .events()
            .into_iter()
            .filter_map(|event| match event {
                Event::Log { level: Level::Warning, text } => Some(text),
                _ => None,
            })
            .collect();
        assert_eq!(
            said,
            ["key", "pair"].map(|option| format!(
                "--{option} is not saved for the next run: its value contains a secret; pass it each time, or set it in `.env`"
            ))
        );
    }
}
