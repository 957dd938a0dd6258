//! A Celery worker in a simulated container, as `std/celery` uses it: it has no jobs, and remembers
//! which queues it consumes until it is restarted. A test answers the commands itself for a worker
//! that has jobs.

use serde_json::{Map, Value, json};

use super::nginx::{Answer, Files};

/// The queues that it does not consume, and the start of the container that this belongs to.
const CANCELLED: &str = "/run/celery.cancelled";
/// The file of `std/celery`, which a restart removes.
const QUIETED: &str = "/dev/shm/spc-celery-queues";

/// The worker of a container.
pub(super) struct Worker<'a> {
    /// The container's command.
    pub command: &'a str,
    pub hostname: &'a str,
    /// How often the container was started.
    pub starts: u64,
}

impl Worker<'_> {
    /// The value of an option of its command.
    fn option(&self, name: &str) -> Option<&str> {
        let mut words = self.command.split_whitespace();
        words.find(|word| *word == name)?;
        words.next()
    }

    /// `celery@HOSTNAME`
    fn node(&self) -> String {
        self.option("-n").unwrap_or("celery@%h").replace("%h", self.hostname)
    }

    fn cancelled(&self, files: &dyn Files) -> Vec<String> {
        let read = files.read(CANCELLED).unwrap_or_default();
        let mut lines = read.lines();
        // A restarted worker consumes all its queues.
        if lines.next() != Some(self.starts.to_string().as_str()) {
            return Vec::new();
        }
        lines.map(str::to_owned).collect()
    }

    fn queues(&self, files: &dyn Files) -> Vec<Value> {
        let cancelled = self.cancelled(files);
        let names = self.option("-Q").unwrap_or("celery").split(',');
        let consumed = names.filter(|name| !cancelled.iter().any(|other| other == name));
        consumed.map(|name| json!({ "name": name })).collect()
    }

    fn control(&self, command: &str, queue: &str, files: &mut dyn Files) -> Answer {
        let mut cancelled = self.cancelled(files);
        cancelled.retain(|name| name != queue);
        if command == "cancel_consumer" {
            cancelled.push(queue.to_owned());
        }
        files.write(CANCELLED, &format!("{}\n{}\n", self.starts, cancelled.join("\n")));
        Answer::stdout(format!("{}\n", json!([{ self.node(): { "ok": command } }])))
    }

    /// The answer to a command of `std/celery`; `None` for any other command.
    pub(super) fn answer(&self, command: &[String], files: &mut dyn Files) -> Option<Answer> {
        let words: Vec<&str> = command.iter().map(String::as_str).collect();
        match words.as_slice() {
            // The simulated engine has no removal of files.
            ["rm", "-f", path] if *path == QUIETED => {
                files.write(path, "");
                Some(Answer::default())
            }
            ["cat", path] if *path == QUIETED => {
                let text = files.read(path).unwrap_or_default();
                // It is in memory, so a restart removes it.
                Some(match text.split_once('\n') {
                    Some((starts, content)) if starts == self.starts.to_string() => {
                        Answer::stdout(content)
                    }
                    _ => Answer { code: 1, ..Answer::default() },
                })
            }
            ["celery", "-A", _, rest @ ..] if self.command.contains(" worker") => {
                self.celery(rest, files)
            }
            _ => None,
        }
    }

    /// What `tee` in the container writes.
    pub(super) fn tee(&self, command: &[String], text: &str, files: &mut dyn Files) {
        if is_note(command) {
            files.write(QUIETED, &format!("{}\n{text}", self.starts));
        }
    }

    fn celery(&self, words: &[&str], files: &mut dyn Files) -> Option<Answer> {
        let is_other = words.windows(2).any(|pair| pair[0] == "-d" && pair[1] != self.node());
        if is_other {
            let stderr = "Error: No nodes replied within time constraint\n".to_owned();
            return Some(Answer { code: 69, stderr, ..Answer::default() });
        }
        let said = |value: Value| {
            let all = Map::from_iter([(self.node(), value)]);
            Some(Answer::stdout(format!("{}\n", Value::Object(all))))
        };
        match words {
            ["inspect", .., "ping"] => said(json!({ "ok": "pong" })),
            ["inspect", .., "active" | "reserved"] => said(json!([])),
            ["inspect", .., "active_queues"] => said(Value::Array(self.queues(files))),
            ["control", .., command @ ("cancel_consumer" | "add_consumer"), queue] => {
                Some(self.control(command, queue, files))
            }
            _ => None,
        }
    }
}

/// Whether a command writes the file of `std/celery` from its input.
pub(super) fn is_note(command: &[String]) -> bool {
    matches!(command, [program, path] if program == "tee" && path == QUIETED)
}

/// Whether a command may be one for a worker, so that its container's files are needed.
pub(super) fn may_answer(command: &[String]) -> bool {
    command.first().is_some_and(|program| program == "celery")
        || command.iter().any(|word| word == QUIETED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::sim::behaviour::requests::proxies::ProxyView;
    use std::collections::BTreeMap;

    impl Files for BTreeMap<String, String> {
        fn read(&self, path: &str) -> Option<String> {
            self.get(path).cloned()
        }
        fn write(&mut self, path: &str, text: &str) {
            self.insert(path.to_owned(), text.to_owned());
        }
        fn proxy(&mut self) -> &mut ProxyView {
            unreachable!("a worker is no proxy")
        }
    }

    fn run(worker: &Worker<'_>, files: &mut BTreeMap<String, String>, line: &str) -> Answer {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        worker.answer(&words, files).unwrap()
    }

    #[test]
    fn a_cancelled_queue_is_consumed_again_after_a_restart() {
        let mut files = BTreeMap::new();
        let command = "celery -A config worker -Q aps,mail -n aps@%h";
        let mut worker = Worker { command, hostname: "c0ffee", starts: 1 };
        let asked = "celery -A config inspect -j active_queues";
        let all = "{\"aps@c0ffee\":[{\"name\":\"aps\"},{\"name\":\"mail\"}]}\n";
        assert_eq!(run(&worker, &mut files, asked).stdout, all);
        let cancel = "celery -A config control -j -d aps@c0ffee cancel_consumer aps";
        assert_eq!(run(&worker, &mut files, cancel).code, 0);
        let left = "{\"aps@c0ffee\":[{\"name\":\"mail\"}]}\n";
        assert_eq!(run(&worker, &mut files, asked).stdout, left);
        worker.starts = 2;
        assert_eq!(run(&worker, &mut files, asked).stdout, all);
    }

    #[test]
    fn a_worker_does_not_answer_for_another() {
        let mut files = BTreeMap::new();
        let worker = Worker { command: "celery -A config worker", hostname: "c0ffee", starts: 1 };
        let asked = "celery -A config inspect -j -d celery@decaf active";
        assert_eq!(run(&worker, &mut files, asked).code, 69);
    }
}
