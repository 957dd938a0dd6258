//! Events of whole runs, and their lines at several sizes.

use similar_asserts::assert_eq;
use unicode_width::UnicodeWidthStr;

use super::*;
use crate::model::cause::{Cause, ChangedKeys};
use crate::model::event::{Detail, Level, StepStatus};
use crate::model::step;
use crate::ui::live_region::TerminalSize;

const USUAL: TerminalSize = TerminalSize { columns: 80, rows: 24 };

fn label(service: &str, action: &str, object: &str) -> StepLabel {
    StepLabel {
        step: Some(1),
        service: Some(service.into()),
        action: step::tests::action(action),
        object: step::tests::object(object),
        undo: false,
    }
}

fn container(service: &str, action: &str) -> StepLabel {
    label(service, action, &format!("container spc-{service}-1"))
}

/// A board and a clock; events reach the board one after another.
#[derive(Default)]
struct BoardFixture {
    board: Board,
    now: Duration,
}

impl BoardFixture {
    fn up(services: &[&str], unchanged: &[&str]) -> Self {
        let all = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let (project, verb) = ("spc".into(), "up".into());
        Self::default().reported(Event::VerbStarted {
            project,
            verb,
            steps: 9,
            services: all(services),
            unchanged: all(unchanged),
        })
    }

    fn reported(mut self, event: Event) -> Self {
        assert!(self.board.take(&event, self.now), "{event:?} is shown here");
        self
    }

    fn after(mut self, millis: u64) -> Self {
        self.now += Duration::from_millis(millis);
        self
    }

    fn started(self, label: StepLabel) -> Self {
        self.caused(label, Cause::NotThere)
    }

    fn caused(self, label: StepLabel, cause: Cause) -> Self {
        self.reported(Event::StepStarted { label, cause: Some(cause) })
    }

    fn done(self, label: StepLabel, millis: u64) -> Self {
        self.reported(Event::StepDone { label, elapsed: Duration::from_millis(millis) })
    }

    /// Starts a step and ends it after this time.
    fn does(self, label: StepLabel, millis: u64) -> Self {
        self.started(label.clone()).after(millis).done(label, millis)
    }

    fn stands(self, label: StepLabel, standing: impl Into<StepStatus>) -> Self {
        self.reported(Event::StepProgress { label, standing: standing.into() })
    }

    fn waits(self, service: &str, waits_for: &str) -> Self {
        self.reported(Event::StepWaiting {
            label: container(service, "start"),
            waits_for: waits_for.into(),
            after: vec![1],
        })
    }

    fn ended(self, ok: bool) -> Self {
        let elapsed = self.now;
        self.reported(Event::VerbDone { project: "spc".into(), verb: "up".into(), ok, elapsed })
    }

    /// The drawn lines, without styles; each is shorter than the width of the terminal.
    fn drawn(&self, size: TerminalSize) -> String {
        let lines = self.board.lines(self.now, size);
        assert!(lines.len() <= size.rows.saturating_sub(2).max(1), "{} lines", lines.len());
        text(&lines, size)
    }

    fn left(&self, size: TerminalSize) -> String {
        text(&self.board.last_lines(self.now, size), size)
    }
}

fn text(lines: &[String], size: TerminalSize) -> String {
    let plain = |line: &String| format!("{}\n", anstream::adapter::strip_str(line));
    let text: String = lines.iter().map(plain).collect();
    text.lines()
        .for_each(|line| assert!(line.width() < size.columns, "{} columns: {line}", line.width()));
    text
}

/// The reference stack in the middle of its first `up`.
fn bringing_up() -> BoardFixture {
    let build = label("backend", "build", "image spc-backend:dev-development");
    let stage =
        BoardFixture::up(&["db", "redis", "backend", "celery-worker"], &["flower", "nginx"])
            .does(label("db", "create", "network spc_spc-network"), 34)
            .does(label("db", "create", "volume postgres_data"), 5)
            .does(label("redis", "create", "volume redis_data"), 5)
            .started(build.clone())
            .waits("celery-worker", "the image spc-backend:dev-development to be built")
            .does(container("db", "create"), 12)
            .does(container("db", "start"), 151)
            .started(container("db", "wait until ready"))
            .does(container("redis", "create"), 10)
            .does(container("redis", "start"), 90)
            .does(container("redis", "wait until ready"), 300)
            .stands(
                container("db", "wait until ready"),
                StepStatus::new("probing, exit code 2", Detail::Probing { exit_code: Some(2) }),
            )
            .after(1000)
            .stands(
                build,
                StepStatus::new(
                    "[4/7] RUN pip install -r requirements.txt",
                    Detail::Building { cached: false },
                ),
            );
    [
        "Collecting django==5.0.6",
        "",
        "Downloading Django-5.0.6-py3-none-any.whl (8.2 MB)",
        "\u{1b}[32m━━━━\u{1b}[0m 8.2/8.2 MB",
        "Installing",
    ]
    .iter()
    .fold(stage, |stage, line| {
        stage.reported(Event::Output { from: "backend".into(), text: (*line).into() })
    })
}

#[test]
fn a_run_at_80_columns() {
    let expected = "\
network        created        34 ms  spc_spc-network
volume         created         5 ms  postgres_data, redis_data
db             probing        1.6 s  exit code 2
redis          ready         390 ms
backend        building       1.6 s  [4/7] RUN pip install -r requirements.txt
                                     | Downloading Django-5.0.6-py3-none-any.w…
                                     | ␛[32m━━━━␛[0m 8.2/8.2 MB
                                     | Installing
celery-worker  waiting        1.6 s  for the image spc-backend:dev-development…
spc            up             1.6 s  1 ready, 2 unchanged, 1 probing, 1 buildi…
";
    assert_eq!(bringing_up().drawn(USUAL), expected);
}

#[test]
fn a_run_at_200_columns() {
    let expected = "\
network        created        34 ms  spc_spc-network
volume         created         5 ms  postgres_data, redis_data
db             probing        1.6 s  exit code 2
redis          ready         390 ms
backend        building       1.6 s  [4/7] RUN pip install -r requirements.txt
                                     | Downloading Django-5.0.6-py3-none-any.whl (8.2 MB)
                                     | ␛[32m━━━━␛[0m 8.2/8.2 MB
                                     | Installing
celery-worker  waiting        1.6 s  for the image spc-backend:dev-development to be built
spc            up             1.6 s  1 ready, 2 unchanged, 1 probing, 1 building, 1 waiting
";
    assert_eq!(bringing_up().drawn(TerminalSize { columns: 200, rows: 50 }), expected);
}

#[test]
fn a_run_at_40_columns() {
    let expected = "\
network        created        34 ms  s…
volume         created         5 ms  p…
db             probing        1.6 s  e…
redis          ready         390 ms
backend        building       1.6 s  […
  | Downloading Django-5.0.6-py3-none-…
  | ␛[32m━━━━␛[0m 8.2/8.2 MB
  | Installing
celery-worker  waiting        1.6 s  f…
spc up 1.6 s  1 ready, 2 unchanged, 1 …
";
    assert_eq!(bringing_up().drawn(TerminalSize { columns: 40, rows: 24 }), expected);
}

#[test]
fn a_low_terminal_shows_what_moves_and_counts_the_rest() {
    let expected = "\
db             probing        1.6 s  exit code 2
backend        building       1.6 s  [4/7] RUN pip install -r requirements.txt
spc            up             1.6 s  1 ready, 2 unchanged, 1 probing, 1 buildi…
";
    assert_eq!(bringing_up().drawn(TerminalSize { columns: 80, rows: 5 }), expected);
    assert_eq!(bringing_up().drawn(TerminalSize { columns: 80, rows: 1 }).lines().count(), 1);
}

#[test]
fn only_active_services_of_many_are_shown() {
    let names: Vec<String> = (1..=40).map(|number| format!("worker-{number:02}")).collect();
    let mut stage = BoardFixture::up(&names.iter().map(String::as_str).collect::<Vec<_>>(), &[]);
    for name in &names[..30] {
        stage =
            stage.does(container(name, "start"), 0).does(container(name, "wait until ready"), 10);
    }
    stage = stage.started(container("worker-37", "start")).reported(Event::StepFailed {
        label: container("worker-35", "start"),
        message: "The port 80 is already taken by the process nginx\nmore".into(),
    });
    let expected = "\
worker-31   waiting        0.3 s
worker-35   failed        300 ms  The port 80 is already taken by the process …
worker-37   starting       0.0 s
spc         up             0.3 s  1 failed, 30 ready, 1 starting, 8 waiting
";
    assert_eq!(stage.drawn(TerminalSize { columns: 80, rows: 6 }), expected);
}

#[test]
fn when_it_is_over_a_line_stays_for_each_service() {
    let build = label("backend", "build", "image spc-backend:dev-development");
    let changed = ChangedKeys { keys: vec!["environment TZ".to_owned()], image: None };
    let stage = bringing_up()
        .done(container("db", "wait until ready"), 1_400)
        .after(1000)
        .done(build, 42_100)
        .does(container("backend", "create"), 10)
        .does(container("backend", "start"), 100)
        .does(container("backend", "wait until ready"), 4_000)
        .caused(container("celery-worker", "create"), Cause::DescriptionChanged(changed))
        .done(container("celery-worker", "create"), 10)
        .does(container("celery-worker", "start"), 100)
        .does(container("celery-worker", "wait until ready"), 300)
        .ended(true);
    assert!(!stage.board.is_active());
    let expected = "\
network        created        34 ms  spc_spc-network
volume         created         5 ms  postgres_data, redis_data
db             ready          1.6 s
redis          ready         390 ms
backend        ready          4.1 s  built in 42.1 s
celery-worker  ready         400 ms  environment TZ changed
spc            up             7.1 s  4 ready, 2 unchanged
";
    assert_eq!(stage.left(USUAL), expected);
}

#[test]
fn an_interrupt_leaves_what_was_done_and_what_was_not() {
    let stage = bringing_up()
        .waits("celery-worker", "db and redis to be ready")
        .reported(Event::StepInterrupted { label: container("db", "wait until ready") })
        .reported(Event::StepInterrupted {
            label: label("backend", "build", "image spc-backend:dev-development"),
        })
        .after(500)
        .ended(false);
    let expected = "\
network        created        34 ms  spc_spc-network
volume         created         5 ms  postgres_data, redis_data
db             not ready      1.6 s  exit code 2
redis          ready         390 ms
backend        interrupted    1.6 s  [4/7] RUN pip install -r requirements.txt
celery-worker  not begun      2.1 s  waited for db and redis to be ready
spc            up             2.1 s  1 not ready, 1 interrupted, 1 not begun, …
";
    assert_eq!(stage.left(USUAL), expected);
}

#[test]
fn a_service_with_an_equal_rebuilt_image_is_unchanged() {
    let stage = BoardFixture::up(&["web"], &[])
        .does(label("web", "build", "image web:1"), 700)
        .waits("web", "the image web:1 to be built")
        .ended(true);
    assert_eq!(
        stage.left(USUAL),
        "web         unchanged\nspc         up            700 ms  1 unchanged\n"
    );
}

#[test]
fn containers_of_one_service_are_one_row() {
    let of =
        |number: u32, action: &str| label("web", action, &format!("container spc-web-{number}"));
    let stage = BoardFixture::up(&["web"], &[])
        .started(of(1, "start"))
        .started(of(2, "start"))
        .after(100)
        .done(of(1, "start"), 100)
        .started(of(1, "wait until ready"))
        .done(of(2, "start"), 100)
        .started(of(2, "wait until ready"))
        .after(200)
        .done(of(1, "wait until ready"), 200);
    assert_eq!(stage.drawn(USUAL).lines().next(), Some("web         starting       0.3 s"));
    let stage = stage.after(100).done(of(2, "wait until ready"), 300).ended(true);
    assert_eq!(
        stage.left(USUAL).lines().next(),
        Some("web         ready         400 ms  2 containers")
    );
}

#[test]
fn stopping_and_removing_are_one_stretch() {
    let stage = BoardFixture::up(&["db"], &[])
        .does(container("db", "stop"), 3_000)
        .does(container("db", "remove"), 50);
    assert_eq!(stage.drawn(USUAL).lines().next(), Some("db          removed        3.1 s"));
}

#[test]
fn the_row_of_a_replacement_shows_when_the_new_container_was_ready() {
    let stage = BoardFixture::up(&["web"], &[])
        .caused(container("web", "create"), Cause::ImageChanged(None))
        .done(container("web", "create"), 50)
        .does(container("web", "stop"), 300)
        .does(container("web", "start"), 200)
        .does(container("web", "wait until ready"), 1_000)
        .does(container("web", "remove"), 20);
    assert_eq!(
        stage.drawn(USUAL).lines().next(),
        Some("web         ready          1.2 s  image changed")
    );
    assert_eq!(
        stage.ended(true).left(USUAL).lines().next(),
        Some("web         ready          1.2 s  image changed")
    );
}

#[test]
fn a_pull_shows_its_bytes_and_a_check_of_the_engine_that_it_is_waited_for() {
    let pull = label("db", "pull", "image postgres:15");
    let bytes =
        StepStatus::new("12.0 MiB of 80.5 MiB", Detail::Transferring { current: 1, total: 2 });
    let stage = BoardFixture::up(&["db"], &[])
        .started(pull.clone())
        .stands(pull.clone(), "Pulling from library/postgres");
    assert_eq!(
        stage.drawn(USUAL).lines().next(),
        Some("db          pulling        0.0 s  Pulling from library/postgres")
    );
    let stage = stage.stands(pull.clone(), bytes);
    assert_eq!(
        stage.drawn(USUAL).lines().next(),
        Some("db          pulling        0.0 s  12.0 MiB of 80.5 MiB  postgres:15")
    );
    let wait = container("db", "wait until ready");
    let stage = stage
        .done(pull, 3_000)
        .started(wait.clone())
        .stands(wait, "waiting for the engine's health check");
    assert_eq!(
        stage.drawn(USUAL).lines().next(),
        Some("db          starting       0.0 s  waiting for the engine's health check")
    );
}

#[test]
fn names_are_cut_by_their_width_and_can_not_drive_the_terminal() {
    let names = ["데이터베이스-데이터베이스-데이터베이스", "\u{1b}[2J"];
    let stage = BoardFixture::up(&names, &[]);
    let expected = "\
데이터베이스-데이터베이스…  waiting        0.0 s
␛[2J                        waiting        0.0 s
spc                         up             0.0 s  2 waiting
";
    assert_eq!(stage.drawn(USUAL), expected);
}

#[test]
fn work_outside_of_a_verb_has_rows_and_no_sum() {
    let build = label("local/web:1", "build", "image local/web:1");
    let stage = BoardFixture::default()
        .started(build.clone())
        .stands(build.clone(), "reading the build context");
    assert!(stage.board.is_active());
    assert_eq!(
        stage.drawn(USUAL),
        "local/web:1  building       0.0 s  reading the build context\n"
    );
    let stage = stage.after(2_000).done(build, 2_000);
    assert!(!stage.board.is_active());
    assert_eq!(stage.left(USUAL), "local/web:1  built            2 s  local/web:1\n");
}

#[test]
fn events_without_a_row_become_lines() {
    let mut board = Board::default();
    for event in [
        Event::Output { from: "git".into(), text: "cloning".into() },
        Event::Print { text: "x".into() },
        Event::Log { level: Level::Info, text: "x".into() },
        Event::Unchanged { project: "spc".into(), verb: "up".into() },
    ] {
        assert!(!board.take(&event, Duration::ZERO), "{event:?}");
    }
    assert!(board.is_empty() && !board.is_active());
}

#[test]
fn configs_and_secrets_are_shown_while_they_are_delivered() {
    let stage = BoardFixture::up(&["db"], &[])
        .does(container("db", "create"), 20)
        .started(container("db", "deliver secrets to"))
        .after(1_500);
    assert!(
        stage.drawn(USUAL).starts_with("db          secrets        1.5 s\n"),
        "{}",
        stage.drawn(USUAL)
    );
    let stage = stage.done(container("db", "deliver secrets to"), 1_500).after(500);
    let expected = "\
db          secrets        2.0 s
spc         up             2.0 s  1 secrets
";
    assert_eq!(stage.drawn(USUAL), expected, "it goes on until the container starts");
    let (_, row) = stage.board.rows().next().unwrap();
    assert_eq!(row.phase, row::Phase::Moving);
    let stage = stage.does(container("db", "start"), 90);
    assert!(stage.drawn(USUAL).starts_with("db          started"), "{}", stage.drawn(USUAL));
}

#[test]
fn containers_without_a_described_service_are_named() {
    let orphan = |name: &str| StepLabel {
        service: None,
        ..label("", "remove", &format!("container spc-{name}-1"))
    };
    let stage = BoardFixture::up(&[], &[]).started(orphan("old")).after(30);
    assert!(
        stage.drawn(USUAL).starts_with("container   removing       0.0 s  spc-old-1\n"),
        "{}",
        stage.drawn(USUAL)
    );
    let stage = stage.done(orphan("old"), 30).does(orphan("older"), 20);
    assert!(
        stage.drawn(USUAL).lines().next().unwrap().ends_with("spc-old-1, spc-older-1"),
        "{}",
        stage.drawn(USUAL)
    );
}

fn undo(action: &str, object: &str) -> StepLabel {
    StepLabel { step: None, undo: true, ..label("web", action, &format!("container {object}")) }
}

/// A replacement whose new container does not get ready, up to the rollback.
fn not_ready() -> BoardFixture {
    let wait = label("web", "wait until ready", "container spc-web-1.new");
    BoardFixture::up(&["web"], &[])
        .does(label("web", "create", "container spc-web-1.new"), 50)
        .does(label("web", "stop", "container spc-web-1"), 300)
        .does(label("web", "start", "container spc-web-1.new"), 200)
        .started(wait.clone())
        .after(1_000)
        .reported(Event::StepFailed { label: wait, message: "\"web\" is not ready".into() })
}

#[test]
fn a_rollback_is_shown_and_ends_with_the_state_of_the_previous_container() {
    let stop = undo("stop", "spc-web-1.new");
    let stage = not_ready().started(stop.clone()).after(200);
    assert_eq!(
        stage.drawn(USUAL),
        "web         stopping       1.4 s  rolling back\nspc         up             1.8 s  1 stopping\n"
    );
    let stage = stage
        .done(stop, 200)
        .does(undo("start", "spc-web-1"), 100)
        .does(undo("remove", "spc-web-1.new"), 100);
    let runs = stage.drawn(USUAL);
    assert!(
        runs.contains("failed         1.6 s  rolled back: the previous container runs\n"),
        "{runs}"
    );
    let stage = stage.does(undo("wait until ready", "spc-web-1"), 700).ended(false);
    let expected = "\
web         failed         2.3 s  rolled back: the previous container is ready
spc         up             2.7 s  1 failed
";
    assert_eq!(stage.left(USUAL), expected);
}

#[test]
fn a_rollback_that_fails_is_shown_as_such() {
    let stop = undo("stop", "spc-web-1.new");
    let stage = not_ready()
        .started(stop.clone())
        .after(40_000)
        .reported(Event::StepFailed { label: stop, message: "Could not stop it".into() })
        .ended(false);
    let shown = stage.left(USUAL);
    assert!(
        shown.starts_with("web         failed        41.2 s  not rolled back: Could not stop it\n"),
        "{shown}"
    );
}

#[test]
fn an_interrupt_that_rolls_back_ends_with_what_is_left() {
    let wait = label("web", "wait until ready", "container spc-web-1.new");
    let stage = || {
        BoardFixture::up(&["web"], &[])
            .does(label("web", "start", "container spc-web-1.new"), 200)
            .started(wait.clone())
            .after(1_000)
            .reported(Event::StepInterrupted { label: wait.clone() })
            .does(undo("stop", "spc-web-1.new"), 100)
    };
    let shown = stage().ended(false).left(USUAL);
    let expected = "web         interrupted    1.3 s  rolled back: the container is stopped\n";
    assert!(shown.starts_with(expected), "{shown}");
    let again = undo("wait until ready", "spc-web-1");
    let stage = stage()
        .does(undo("start", "spc-web-1"), 100)
        .started(again.clone())
        .after(10_000)
        .reported(Event::StepInterrupted { label: again })
        .ended(false);
    let shown = stage.left(USUAL);
    let expected = "web         interrupted   11.4 s  rolled back: the previous container runs\n";
    assert!(shown.starts_with(expected), "{shown}");
}

#[test]
fn a_job_that_has_ended_is_completed() {
    let wait = container("job", "wait until ready");
    let stage = BoardFixture::up(&["job"], &[])
        .does(container("job", "start"), 100)
        .started(wait.clone())
        .after(400)
        .stands(wait.clone(), StepStatus::new("completed", Detail::Completed))
        .done(wait, 400)
        .ended(true);
    let expected = "\
job         completed     500 ms
spc         up            500 ms  1 completed
";
    assert_eq!(stage.left(USUAL), expected);
}

#[test]
fn a_second_wait_for_the_same_container_changes_nothing() {
    let new = |action: &str| label("web", action, "container spc-web-1.new");
    let stage = BoardFixture::up(&["web"], &[])
        .does(new("start"), 200)
        .does(new("wait until ready"), 1_000)
        .does(new("attach"), 50)
        .started(new("wait until ready"))
        .after(300);
    let ready = "web         ready          1.2 s\n";
    assert!(stage.drawn(USUAL).starts_with(ready), "{}", stage.drawn(USUAL));
    let stage = stage.done(new("wait until ready"), 300).ended(true);
    assert!(stage.left(USUAL).starts_with(ready), "{}", stage.left(USUAL));
}
