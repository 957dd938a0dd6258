//! The engine's events about one project.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use super::docker::docker;

/// The time limit for an event.
const LIMIT: Duration = Duration::from_secs(60);

/// The number of checks without a new event until the engine counts as quiet. Each takes as long as
/// two short calls.
const QUIET_LOOKS: u32 = 3;

/// Whether an event is about an exec.
pub fn is_exec(event: &str) -> bool {
    event.starts_with("container exec_")
}

/// Whether an event may come from the engine's health checks. The number of these events depends on
/// the machine's speed.
pub fn is_of_a_check(event: &str) -> bool {
    is_exec(event) || event.starts_with("container health_status")
}

/// An active subscription. Dropping it ends it.
pub struct EventWatch {
    project: String,
    client: Child,
    events: Receiver<Value>,
    seen: Vec<String>,
    /// Every event as JSON, including events of other projects.
    raw: String,
}

impl EventWatch {
    /// Subscribes to the events of a project. Waits until the subscription is active.
    pub fn on(project: &str) -> Self {
        let mut client = Command::new("docker")
            .args(["events", "--format", "{{json .}}"])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!("these tests look at the engine with Docker's own client, `docker`: {error}")
            });
        let (sender, events) = channel();
        let lines = BufReader::new(client.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                if sender.send(serde_json::from_str(&line).unwrap()).is_err() {
                    return;
                }
            }
        });
        let mut watch = Self {
            project: project.to_owned(),
            client,
            events,
            seen: Vec::new(),
            raw: String::new(),
        };
        // `docker events` does not report when the subscription is active.
        let begun = Instant::now();
        while !watch.saw_mark(Duration::from_millis(200)) {
            assert!(begun.elapsed() < LIMIT, "the engine sends no events");
        }
        watch.seen.clear();
        watch
    }

    /// Waits for the project's next event, such as `container start spct-a-db-1`. Skips events of
    /// health checks.
    pub fn next_but_checks(&mut self) -> String {
        let begun = Instant::now();
        loop {
            // The limit applies to the whole loop, because events of health checks never stop.
            let event = self.events.recv_timeout(LIMIT.saturating_sub(begun.elapsed()));
            let event = event.unwrap_or_else(|_| {
                panic!("within {LIMIT:?} only these events came: {:#?}", self.seen)
            });
            if let Some(text) = self.of_project(&event) {
                self.seen.push(text.clone());
                if !is_of_a_check(&text) {
                    return text;
                }
            }
        }
    }

    /// Waits until there are no new events for a while.
    pub fn until_quiet(&mut self) {
        let mut same = 0;
        while same < QUIET_LOOKS {
            let before = self.seen.len();
            self.so_far();
            same =
                if self.seen[before..].iter().all(|event| is_exec(event)) { same + 1 } else { 0 };
        }
    }

    /// All events so far as JSON, including events of other projects.
    pub fn raw(&mut self) -> &str {
        self.so_far();
        &self.raw
    }

    /// All events of the project so far.
    pub fn so_far(&mut self) -> Vec<String> {
        assert!(self.saw_mark(LIMIT), "the engine sends no events");
        self.seen.clone()
    }

    /// Creates and removes a volume, and reads events until the volume's event arrives. Events
    /// arrive in order, so all earlier ones have been read then.
    fn saw_mark(&mut self, limit: Duration) -> bool {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let mark =
            format!("spct-mark-{}-{}", std::process::id(), NUMBER.fetch_add(1, Ordering::Relaxed));
        docker(&["volume", "create", &mark]);
        docker(&["volume", "rm", &mark]);
        while let Ok(event) = self.events.recv_timeout(limit) {
            if event["Type"] == "volume" && event["Actor"]["ID"] == mark.as_str() {
                return true;
            }
            let text = self.of_project(&event);
            self.seen.extend(text);
        }
        false
    }

    fn of_project(&mut self, event: &Value) -> Option<String> {
        self.raw += &format!("{event}\n");
        let (kind, actor) = (event["Type"].as_str()?, &event["Actor"]);
        let attribute = |name: &str| actor["Attributes"][name].as_str().unwrap_or_default();
        let name = match kind {
            "container" | "network" => attribute("name"),
            _ => actor["ID"].as_str()?,
        };
        let ours = match kind {
            "container" => ["com.docker.compose.project", "dev.spc.project"]
                .iter()
                .any(|label| attribute(label) == self.project),
            "network" | "volume" => {
                name.strip_prefix(&self.project).is_some_and(|rest| rest.starts_with('_'))
            }
            _ => false,
        };
        ours.then(|| format!("{kind} {} {name}", event["Action"].as_str().unwrap_or_default()))
    }
}

impl Drop for EventWatch {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}
