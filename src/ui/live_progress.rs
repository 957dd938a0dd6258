//! Progress at a terminal. Running steps are drawn in the live region and updated. All other
//! messages appear above it, in order. At the end, one line per service stays.

use std::sync::Arc;
use std::time::Duration;

use futures::future::BoxFuture;
use parking_lot::Mutex;
use tokio::sync::Notify;

use super::board::Board;
use super::live_region::TerminalSize;
use super::progress::{MonotonicClock, Progress, Verbosity};
use super::terminal::Terminal;
use crate::model::event::Event;
use crate::model::masking::{Consumer, Masked};

/// The interval of updates.
const TICK: Duration = Duration::from_millis(100);

/// Draws events.
pub struct LiveProgress {
    terminal: Arc<Terminal>,
    clock: Arc<MonotonicClock>,
    /// Prints everything that is not drawn, as lines.
    plain: Progress,
    verbosity: Verbosity,
    board: Mutex<Board>,
    begun: Notify,
}

impl LiveProgress {
    /// Draws on `terminal`, which has to be a real one: see [`Terminal::size`].
    pub fn new(terminal: Arc<Terminal>, verbosity: Verbosity, clock: MonotonicClock) -> Self {
        let clock = Arc::new(clock);
        let ticks = clock.clone();
        let plain = Progress::new(terminal.clone(), verbosity, Box::new(move || ticks()));
        Self { terminal, clock, plain, verbosity, board: Mutex::default(), begun: Notify::new() }
    }

    /// Updates times while something is running; never ends. `sleep` is the host's.
    pub async fn animate(&self, sleep: impl Fn(Duration) -> BoxFuture<'static, ()>) {
        loop {
            self.begun.notified().await;
            while self.redraw() {
                sleep(TICK).await;
            }
        }
    }

    /// Draws the current state. Returns whether anything is running. The caller also drives
    /// connections and the lock's heartbeat, so this never waits for a terminal that is stopped.
    pub fn redraw(&self) -> bool {
        let Some(board) = self.board.try_lock() else { return true };
        let active = board.is_active();
        if active {
            self.terminal.masked_show_if_free(&board.lines((self.clock)(), self.size()));
        }
        active
    }

    fn size(&self) -> TerminalSize {
        self.terminal.size().unwrap_or(TerminalSize { columns: 80, rows: 24 })
    }
}

impl Consumer for LiveProgress {
    fn event(&self, event: &Masked<Event>) -> Result<(), String> {
        let now = (self.clock)();
        let mut board = self.board.lock();
        match &**event {
            Event::Question { .. } => {
                self.terminal.hold();
                return Ok(());
            }
            Event::Answer { answer, .. } => {
                self.terminal.release(answer.is_some());
                return Ok(());
            }
            _ => {}
        }
        let was_active = board.is_active();
        let is_output = matches!(**event, Event::Output { .. });
        if is_output && self.verbosity == Verbosity::Verbose || !board.take(event, now) {
            return self.plain.event(event);
        }
        if !board.is_active() {
            if !board.is_empty() {
                self.terminal.masked_leave(&board.last_lines(now, self.size()));
            }
            *board = Board::default();
        } else if !was_active {
            self.terminal.masked_show(&board.lines(now, self.size()));
            self.begun.notify_one();
        } else if !is_output && !matches!(**event, Event::StepProgress { .. }) {
            // These two events may come by the thousand: the next update shows them.
            self.terminal.masked_show(&board.lines(now, self.size()));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::event::Level;
    use crate::model::step::{self, StepLabel};
    use crate::ui::fixture::CapturedTerminal;
    use futures::FutureExt;
    use similar_asserts::assert_eq;

    struct LiveFixture {
        captured: CapturedTerminal,
        live: LiveProgress,
        size: Arc<Mutex<TerminalSize>>,
        millis: Arc<Mutex<u64>>,
    }

    fn scene(verbosity: Verbosity, colour: bool) -> LiveFixture {
        let size = Arc::new(Mutex::new(TerminalSize { columns: 60, rows: 12 }));
        let captured = CapturedTerminal::screen(&size, colour);
        let millis = Arc::new(Mutex::new(0));
        let clock = millis.clone();
        let live = LiveProgress::new(
            captured.terminal.clone(),
            verbosity,
            Box::new(move || Duration::from_millis(*clock.lock())),
        );
        LiveFixture { captured, live, size, millis }
    }

    fn label(service: &str, action: &str, object: &str) -> StepLabel {
        StepLabel {
            step: Some(1),
            service: Some(service.into()),
            action: step::tests::action(action),
            object: step::tests::object(object),
            undo: false,
        }
    }

    fn db(action: &str) -> StepLabel {
        label("db", action, "container spc-db-1")
    }

    impl LiveFixture {
        fn tell(&self, event: Event) {
            self.captured.tell(&self.live, &event);
        }

        fn begin(&self) {
            let (project, verb) = ("spc".into(), "up".into());
            self.tell(Event::VerbStarted {
                project,
                verb,
                steps: 2,
                services: vec!["db".into(), "web".into()],
                unchanged: Vec::new(),
            });
        }

        fn start(&self, label: StepLabel) {
            self.tell(Event::StepStarted { label, cause: None });
        }

        fn done(&self, label: StepLabel) {
            self.tell(Event::StepDone { label, elapsed: Duration::from_millis(40) });
        }

        fn end(&self) {
            self.tell(Event::VerbDone {
                project: "spc".into(),
                verb: "up".into(),
                ok: true,
                elapsed: Duration::from_millis(90),
            });
        }

        fn passes(&self, millis: u64) {
            *self.millis.lock() += millis;
        }

        /// The content of the screen after everything that was sent to it.
        fn seen(&self) -> String {
            let TerminalSize { columns, rows } = *self.size.lock();
            let size = |number: usize| u16::try_from(number).unwrap().try_into().unwrap();
            let mut terminal = vt100::Parser::new(size(rows), size(columns), 0);
            terminal.process(self.captured.stderr().replace('\n', "\r\n").as_bytes());
            assert!(!terminal.screen().hide_cursor());
            terminal.screen().contents() + "\n"
        }
    }

    #[test]
    fn messages_appear_in_order_above_the_live_region() {
        let scene = scene(Verbosity::Normal, false);
        scene.begin();
        scene.tell(Event::Print { text: "a result".into() });
        scene.start(db("start"));
        scene.tell(Event::Log { level: Level::Warning, text: "slow".into() });
        scene.captured.terminal.err("interrupted: finishing");
        scene.tell(Event::Output { from: "git".into(), text: "cloning".into() });
        scene.tell(Event::Print { text: "two\nlines".into() });
        let expected = "\
a result
warning: slow
interrupted: finishing
git         | cloning
two
lines
db          starting       0.0 s
web         waiting        0.0 s
spc up 0.0 s  1 starting, 1 waiting
";
        assert_eq!(
            scene.seen().replace("spc         up             0.0 s", "spc up 0.0 s"),
            expected
        );
        assert!(
            !["\u{1b}[36m", "\u{1b}[1m"]
                .iter()
                .any(|colour| scene.captured.stderr().contains(colour)),
            "no colours were asked for"
        );
    }

    #[test]
    fn at_the_end_the_last_state_stays_and_the_next_text_follows_it() {
        let scene = scene(Verbosity::Normal, false);
        scene.begin();
        scene.start(db("start"));
        scene.done(db("start"));
        scene.end();
        scene.tell(Event::Print { text: "after".into() });
        let expected = "\
db          started        40 ms
web         unchanged
spc         up             90 ms  1 started, 1 unchanged
after
";
        assert_eq!(scene.seen(), expected);
    }

    #[test]
    fn times_grow_by_themselves_while_something_is_under_way() {
        let scene = scene(Verbosity::Normal, false);
        assert!(!scene.live.redraw(), "nothing is");
        let slept = Mutex::new(0);
        let mut moving = Box::pin(scene.live.animate(|time| {
            *slept.lock() += 1;
            scene.passes(u64::try_from(time.as_millis()).unwrap());
            if *slept.lock() < 8 { async {}.boxed() } else { futures::future::pending().boxed() }
        }));
        assert!(moving.as_mut().now_or_never().is_none());
        assert_eq!(*slept.lock(), 0);
        scene.begin();
        assert!(moving.as_mut().now_or_never().is_none());
        drop(moving);
        assert!(scene.live.redraw());
        assert!(scene.seen().starts_with("db          waiting        0.8 s\n"), "{}", scene.seen());
    }

    #[test]
    fn a_terminal_of_another_width_is_drawn_to_it() {
        let scene = scene(Verbosity::Normal, false);
        scene.begin();
        scene.tell(Event::StepWaiting {
            label: db("start"),
            waits_for: "the image of another service to be built".into(),
            after: vec![1],
        });
        assert!(scene.seen().contains("for the image of another…\n"), "{}", scene.seen());
        scene.size.lock().columns = 100;
        scene.live.redraw();
        assert!(
            scene.seen().contains("for the image of another service to be built\n"),
            "{}",
            scene.seen()
        );
    }

    #[test]
    fn a_question_has_the_terminal_for_itself() {
        let scene = scene(Verbosity::Normal, false);
        scene.begin();
        scene.tell(Event::Question { text: "Sure?".into() });
        scene.passes(5_000);
        assert!(scene.live.redraw());
        scene.start(db("start"));
        assert_eq!(scene.seen(), "\n");
        scene.tell(Event::Answer { text: "Sure?".into(), answer: Some(true) });
        assert!(scene.seen().starts_with("db          starting       0.0 s\n"), "{}", scene.seen());
    }

    #[test]
    fn a_builds_log_is_shown_under_it_or_in_full_to_those_who_want_it() {
        let build = label("web", "build", "image web:1");
        for (verbosity, expected) in [
            (
                Verbosity::Normal,
                "db          waiting        0.0 s\nweb         building       0.0 s  web:1\n                                  | l2\n                                  | l3\n                                  | l4\nspc",
            ),
            (
                Verbosity::Verbose,
                "web         | l1\nweb         | l2\nweb         | l3\nweb         | l4\ndb          waiting        0.0 s\nweb         building       0.0 s  web:1\nspc",
            ),
        ] {
            let scene = scene(verbosity, false);
            scene.begin();
            scene.start(build.clone());
            for line in ["l1", "l2", "l3", "l4"] {
                scene.tell(Event::Output { from: "web".into(), text: line.into() });
            }
            scene.live.redraw();
            assert!(scene.seen().starts_with(expected), "{}", scene.seen());
        }
    }

    #[test]
    fn a_secret_is_masked_in_what_is_drawn() {
        let scene = scene(Verbosity::Normal, true);
        scene.captured.secrets.add("key", "token", "hunter2hunter2");
        scene.begin();
        scene.tell(Event::StepFailed { label: db("start"), message: "no hunter2hunter2".into() });
        assert!(scene.seen().contains("failed          0 ms  no [secret key]"), "{}", scene.seen());
        scene.end();
        assert!(!scene.captured.stderr().contains("hunter2"));
    }

    #[test]
    fn colours_show_the_state() {
        let scene = scene(Verbosity::Normal, true);
        scene.begin();
        scene.start(db("start"));
        assert!(
            scene.captured.stderr().contains("\u{1b}[36mstarting"),
            "{:?}",
            scene.captured.stderr()
        );
        scene.done(db("start"));
        assert!(
            scene.captured.stderr().contains("\u{1b}[32mstarted"),
            "{:?}",
            scene.captured.stderr()
        );
    }

    #[test]
    fn a_kept_live_region_is_not_drawn_again() {
        let scene = scene(Verbosity::Normal, false);
        scene.begin();
        scene.captured.terminal.keep_if_free();
        scene.captured.terminal.err("left");
        assert!(scene.seen().ends_with("2 waiting\nleft\n"), "{}", scene.seen());
    }
}
