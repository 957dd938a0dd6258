//! Runbooks in memory, run in virtual time; diagnostics in short form.

use std::path::PathBuf;
use std::sync::Arc;

use super::run::{Extensions, Outcome, Runbook, Script, on_script_thread};
use super::standard_library::Modules;
use crate::api::harness::Harness;
use crate::model::diagnostic::{Diagnostic, SourceSpan};
use crate::value::text::plain;

/// Scripts in `/project/scripts`, with spc started in `/project`.
pub(super) struct Scripts {
    pub run: Harness,
    pub standard: Modules,
}

impl Scripts {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        Self::with_words(files, &[])
    }

    pub(super) fn with_words(files: &[(&str, &str)], words: &[&str]) -> Self {
        let scripts = Some(PathBuf::from("/project/scripts"));
        let run = Harness::with(|host| host, "", |run| run.project.scripts = scripts);
        let run = run.called_with(words);
        for (name, text) in files {
            run.host.add_file(format!("/project/scripts/{name}"), (*text).to_owned());
        }
        Self { run, standard: &[] }
    }

    pub(super) fn with_standard(mut self, standard: Modules) -> Self {
        self.standard = standard;
        self
    }

    pub(super) fn outcome(&self, name: &str) -> Result<Outcome, Box<Diagnostic>> {
        let runbook = Runbook::File(format!("scripts/{name}").into());
        let (context, standard) = (self.run.context.clone(), self.standard);
        on_script_thread(&Arc::clone(&context), move || {
            Script::open_with(context, &runbook, Extensions { standard, ..Extensions::default() })?
                .run()
        })
    }

    /// The printed value of `main.rhai`.
    pub(super) fn value(&self) -> String {
        match self.outcome("main.rhai") {
            Ok(Outcome::Value(value)) => plain(&value),
            Ok(Outcome::Help(help)) => panic!("{help:?}"),
            Err(diagnostic) => panic!("{}", short(&diagnostic)),
        }
    }

    /// The diagnostic of `main.rhai` in short form.
    pub(super) fn error(&self) -> String {
        match self.outcome("main.rhai") {
            Ok(outcome) => panic!("{outcome:?}"),
            Err(diagnostic) => short(&diagnostic),
        }
    }
}

/// The value of one script.
pub(super) fn value(text: &str) -> String {
    Scripts::new(&[("main.rhai", text)]).value()
}

/// The diagnostic of one script in short form.
pub(super) fn error(text: &str) -> String {
    Scripts::new(&[("main.rhai", text)]).error()
}

/// Kind and message, the marked text and its position, the hint, the calls: one line each.
pub(super) fn short(diagnostic: &Diagnostic) -> String {
    let mut lines = vec![format!("{}: {}", diagnostic.kind, diagnostic.message)];
    lines.extend(
        diagnostic.place.iter().map(|place| format!("at {} {}", shown(place), marked(place))),
    );
    lines.extend(diagnostic.hint.iter().map(|hint| format!("hint: {hint}")));
    lines.extend(
        diagnostic
            .trace
            .iter()
            .map(|frame| format!("in {} called at {}", frame.function, shown(&frame.place))),
    );
    lines.extend(
        diagnostic.details.iter().map(|detail| format!("{}: {}", detail.title, detail.text)),
    );
    lines.join("\n")
}

fn shown(place: &SourceSpan) -> String {
    format!("{}:{}:{}", place.source.name.trim_start_matches("scripts/"), place.line, place.column)
}

fn marked(place: &SourceSpan) -> String {
    let line = place.source.text.lines().nth(place.line - 1).unwrap_or_default();
    line.chars().skip(place.column - 1).take(place.width).collect()
}
