//! `confirm`: a question before something that can't be undone.

use rhai::Map;
use rhai::plugin::{Engine, NativeCallContext, export_module};

use super::context::Context;
use super::{Raw, task};
use crate::host::StandardStream;
use crate::model::Failure;
use crate::model::event::{Event, Level, Sink};
use crate::model::visible::visible;
use crate::value::Options;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_global_module(shared_module!(functions));
}

/// Whether the answer to the question is yes. Also used for spc's own questions.
pub async fn confirmed(context: &Context, question: &str) -> Result<bool, Failure> {
    let question = visible(&context.secrets.mask(question)).trim().to_owned();
    if context.project.assume_yes {
        context
            .events
            .event(&Event::Log { level: Level::Info, text: format!("{question} yes (--yes)") });
        return Ok(true);
    }
    if !context.host.is_terminal(StandardStream::Stdin) {
        return Err(Failure::usage(format!(
            "\"{question}\" can't be asked: standard input is not a terminal"
        ))
        .hint("--yes answers every question with yes"));
    }
    let mut asking = OpenQuestion::begin(&*context.events, &question);
    let answer = context.host.ask(&format!("{question} [y/N] ")).await?;
    let yes =
        answer.is_some_and(|answer| matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"));
    asking.answer = Some(yes);
    Ok(yes)
}

/// Reads the options of `confirm`.
pub(super) fn answer(given: Map) -> Result<Option<bool>, Failure> {
    let mut options = Options::new(given, "options of confirm");
    let answer = options.bool("assume")?;
    options.finish()?;
    Ok(answer)
}

/// A question at the terminal. Until this is dropped, nothing is drawn over it.
struct OpenQuestion<'a> {
    events: &'a dyn Sink,
    question: &'a str,
    answer: Option<bool>,
}

impl<'a> OpenQuestion<'a> {
    fn begin(events: &'a dyn Sink, question: &'a str) -> Self {
        events.event(&Event::Question { text: question.to_owned() });
        Self { events, question, answer: None }
    }
}

impl Drop for OpenQuestion<'_> {
    fn drop(&mut self) {
        self.events.event(&Event::Answer { text: self.question.to_owned(), answer: self.answer });
    }
}

#[export_module]
mod functions {
    /// Asks at the terminal. Returns true if the answer is `y` or `yes`, else false. `--yes`
    /// answers yes.
    ///
    /// Throws `usage` if there is no terminal.
    ///
    /// ```rhai,no_run
    /// if !confirm("Remove the volumes with all data?") { fail("failed", "nothing was removed"); }
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn confirm(call: NativeCallContext, question: &str) -> Raw<bool> {
        let context = Context::of(&call)?;
        Ok(task::wait(&context, confirmed(&context, question))?)
    }

    /// The same with `assume`, the answer in a plan; true by default.
    ///
    /// ```rhai,no_run
    /// if confirm("Remove the old releases too?", #{ assume: false }) { print("removed"); }
    /// ```
    #[rhai_fn(name = "confirm", return_raw, volatile)]
    pub fn confirm_with(call: NativeCallContext, question: &str, options: Map) -> Raw<bool> {
        let context = Context::of(&call)?;
        let assumed = answer(options)?;
        if let (Some(watch), Some(answer)) = (&context.watch, assumed) {
            let said = if answer { "yes (from `assume`)" } else { "no (from `assume`)" };
            watch.assumes(
                &format!("the question \"{}\"", visible(&context.secrets.mask(question)).trim()),
                said,
            );
            return Ok(answer);
        }
        Ok(task::wait(&context, confirmed(&context, question))?)
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;
    use crate::model::event::{Event, Level};

    #[test]
    fn only_yes_is_yes() {
        for (answer, expected) in [
            ("y", "true"),
            (" YES ", "true"),
            ("n", "false"),
            ("", "false"),
            ("yesterday", "false"),
        ] {
            let trial = Harness::on(|host| host.with_answer(answer));
            assert_eq!(trial.text(r#"confirm("Remove all data?")"#), expected, "{answer}");
            assert_eq!(trial.host.questions(), ["Remove all data? [y/N] "]);
        }
    }

    #[test]
    fn the_end_of_input_is_no() {
        let trial = Harness::on(|host| host.with_terminal(crate::host::StandardStream::Stdin));
        assert_eq!(trial.text(r#"confirm("Sure?")"#), "false");
    }

    #[test]
    fn confirm_without_a_terminal_names_the_option_that_answers() {
        let failure = Harness::new().fails(r#"confirm("Sure?")"#);
        assert_eq!(
            (failure.kind.word(), failure.message.as_str()),
            ("usage", "\"Sure?\" can't be asked: standard input is not a terminal")
        );
        assert_eq!(failure.hint.unwrap(), "--yes answers every question with yes");
    }

    #[test]
    fn confirm_sends_an_event_for_the_question_and_for_the_answer() {
        let trial = Harness::on(|host| host.with_answer("y"));
        trial.text(r#"confirm("Sure?")"#);
        let text = "Sure?".to_owned();
        assert_eq!(
            trial.events(),
            [Event::Question { text: text.clone() }, Event::Answer { text, answer: Some(true) }]
        );
    }

    #[test]
    fn the_option_answers_and_says_so() {
        let trial = Harness::with(|host| host, "", |run| run.project.assume_yes = true);
        assert_eq!(trial.text(r#"confirm("Sure?")"#), "true");
        assert_eq!(
            trial.events(),
            [Event::Log { level: Level::Info, text: "Sure? yes (--yes)".to_owned() }]
        );
        assert!(trial.host.questions().is_empty());
    }

    #[test]
    fn a_question_hides_secrets_and_shows_control_characters() {
        let trial = Harness::on(|host| host.with_answer("n"));
        trial.text(r#"confirm("Use " + `${random_secret("key", 20)}` + "\x1b[2J?")"#);
        assert_eq!(trial.host.questions(), ["Use [secret key]␛[2J? [y/N] "]);
    }
}
