//! A real browser: headless Chromium, controlled by `chromedriver` over the WebDriver protocol.

use std::fs::File;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::clients::ask;
use super::until::until;

/// The time limit for starting the browser, generous for a busy machine.
const LIMIT: Duration = Duration::from_secs(60);
/// Chromium flags: no window, no background requests, and no sandbox, because tests may run as
/// root.
const FLAGS: [&str; 8] = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// A browser with one window. Dropping it ends the browser and its driver.
pub struct Browser {
    driver: Driver,
    /// The path of its WebDriver session: `/session/<id>`.
    session: String,
    process: Pid,
    _profile: TempDir,
}

/// The `chromedriver` process.
struct Driver {
    child: Child,
    port: u16,
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Browser {
    pub fn open() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let driver = Driver::start(&profile);
        let flags: Vec<String> = FLAGS
            .map(str::to_owned)
            .into_iter()
            .chain([format!("--user-data-dir={}", profile.path().join("data").display())])
            .collect();
        let wanted =
            json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": {"args": flags}}}});
        let session = driver.command("POST", "/session", &wanted);
        let process = session["capabilities"]["goog:processID"]
            .as_i64()
            .and_then(|id| Pid::from_raw(i32::try_from(id).unwrap()));
        let process =
            process.unwrap_or_else(|| panic!("the driver names the browser's process: {session}"));
        Self {
            session: format!("/session/{}", session["sessionId"].as_str().unwrap()),
            driver,
            process,
            _profile: profile,
        }
    }

    /// Opens a page and waits until it is loaded.
    ///
    /// Chromium aborts requests with `ERR_NETWORK_CHANGED` when a network interface of the machine
    /// changes, for example because a container starts. In this case the page is loaded again.
    #[track_caller]
    pub fn go(&self, url: &str) {
        until("the page is loaded with all that it needs", LIMIT, || {
            self.command("/url", &json!({"url": url}));
            let broken_off = "return performance.getEntriesByType('resource').some((it) => it.responseStatus === 0)";
            (self.run(broken_off) == json!(false)).then_some(())
        });
    }

    /// Runs the body of a function in the page. Returns its result.
    #[track_caller]
    pub fn run(&self, script: &str) -> Value {
        self.command("/execute/sync", &json!({"script": script, "args": []}))
    }

    /// Types a text into the element with this CSS selector.
    #[track_caller]
    pub fn types(&self, selector: &str, text: &str) {
        self.command(&format!("/element/{}/value", self.element(selector)), &json!({"text": text}));
    }

    /// Clicks on the element with this CSS selector.
    #[track_caller]
    pub fn clicks(&self, selector: &str) {
        self.command(&format!("/element/{}/click", self.element(selector)), &json!({}));
    }

    #[track_caller]
    fn element(&self, selector: &str) -> String {
        let found = self.command("/element", &json!({"using": "css selector", "value": selector}));
        found
            .as_object()
            .and_then(|found| found.values().next())
            .and_then(Value::as_str)
            .unwrap()
            .to_owned()
    }

    #[track_caller]
    fn command(&self, path: &str, body: &Value) -> Value {
        self.driver.command("POST", &format!("{}{path}", self.session), body)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Closing the session ends the browser. If the driver doesn't answer, kill the browser.
        if ask(self.driver.port, "DELETE", &self.session, "").is_err() {
            let _ = kill_process(self.process, Signal::KILL);
        }
    }
}

impl Driver {
    /// Starts `chromedriver`. It chooses its port and prints it.
    fn start(folder: &TempDir) -> Self {
        let said = folder.path().join("driver.log");
        let output = File::create(&said).unwrap();
        let mut command = Command::new("chromedriver");
        command
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(output.try_clone().unwrap())
            .stderr(output);
        let child = command.spawn().unwrap_or_else(|error| {
            panic!("these tests drive a browser with \"chromedriver\": {error}")
        });
        let mut driver = Self { child, port: 0 };
        driver.port = until("chromedriver says its port", LIMIT, || {
            let said = std::fs::read_to_string(&said).unwrap();
            let port = said
                .split("started successfully on port ")
                .nth(1)
                .and_then(|rest| rest.split_once('.'))?
                .0
                .parse()
                .ok();
            assert!(
                port.is_some() || driver.child.try_wait().unwrap().is_none(),
                "chromedriver ended: {said}"
            );
            port
        });
        driver
    }

    /// Sends a WebDriver command. Returns its result. Panics if the command fails.
    #[track_caller]
    fn command(&self, method: &str, path: &str, body: &Value) -> Value {
        let answer = ask(self.port, method, path, &body.to_string())
            .unwrap_or_else(|error| panic!("{method} {path}: {error}"));
        let mut value = answer.json()["value"].take();
        assert_eq!(
            answer.status,
            200,
            "{method} {path} {body}: {} {}",
            value["error"].take(),
            value["message"].take()
        );
        value
    }
}
