//! Sets up a simulated host, and reads back what happened on it.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::errno::Errno;
use super::executor::SimTaskExecutor;
use super::files::Files;
use super::{Change, ChangeSide, CommandAnswer, HttpAnswer, Overlay, SimHost};
use crate::host::{CommandRequest, Host, HttpRequest, Listener, StandardStream};

impl SimHost {
    /// A host with the files of another one at and below `root`. It reads each of them once and
    /// keeps it.
    pub fn copying(host: Arc<dyn Host>, root: &Path) -> Self {
        let copy = Self::new(SimTaskExecutor::new(0));
        copy.files.lock().set_beneath(Overlay::new(host, [root.to_path_buf()]));
        copy
    }

    /// Sets the identity of the machine: another machine, or the same one after a restart.
    #[must_use]
    pub fn with_boot(mut self, boot: &str) -> Self {
        boot.clone_into(&mut self.boot);
        self
    }

    /// Adds a file, with its parent folders.
    ///
    /// # Panics
    /// Panics if a file is in place of a folder: a mistake of the test.
    #[must_use]
    pub fn with_file(self, path: impl AsRef<Path>, content: impl Into<Bytes>) -> Self {
        self.add_file(path, content);
        self
    }

    /// The same for an existing host: a change by someone else.
    ///
    /// # Panics
    /// Panics if a file is in place of a folder: a mistake of the test.
    pub fn add_file(&self, path: impl AsRef<Path>, content: impl Into<Bytes>) {
        self.given(path.as_ref(), |files, path, now| {
            files.replace(path, content.into(), None, now)
        });
    }

    /// Adds a folder, with its parent folders.
    ///
    /// # Panics
    /// Panics if a file is in place of a folder: a mistake of the test.
    #[must_use]
    pub fn with_folder(self, path: impl AsRef<Path>) -> Self {
        self.given(path.as_ref(), Files::create_folder);
        self
    }

    /// Adds a symlink at `path` to `target`.
    ///
    /// # Panics
    /// Panics if a file is in place of a folder: a mistake of the test.
    #[must_use]
    pub fn with_symlink(self, path: impl AsRef<Path>, target: impl Into<PathBuf>) -> Self {
        self.add_symlink(path, target);
        self
    }

    /// The same for an existing host: a change by someone else.
    ///
    /// # Panics
    /// Panics if a file is in place of a folder: a mistake of the test.
    pub fn add_symlink(&self, path: impl AsRef<Path>, target: impl Into<PathBuf>) {
        self.given(path.as_ref(), |files, path, now| files.symlink(path, target.into(), now));
    }

    /// Puts files of another host below its own. They are read if nothing was changed, and never
    /// written.
    #[must_use]
    pub fn over(self, beneath: Overlay) -> Self {
        self.files.lock().set_beneath(beneath);
        self
    }

    /// Sets Unix permission bits of the file at `path`. The simulated user owns it.
    ///
    /// # Panics
    /// Panics if nothing exists there: a mistake of the test.
    #[must_use]
    pub fn with_mode(self, path: impl AsRef<Path>, mode: u32) -> Self {
        self.set_mode(path, mode);
        self
    }

    /// The same for an existing host: a change by someone else.
    ///
    /// # Panics
    /// Panics if nothing exists there: a mistake of the test.
    pub fn set_mode(&self, path: impl AsRef<Path>, mode: u32) {
        self.given(path.as_ref(), |files, path, _| files.set_mode(path, mode));
    }

    /// Limits the disk to this many more bytes.
    #[must_use]
    pub fn with_free_space(self, bytes: u64) -> Self {
        self.files.lock().set_free(Some(bytes));
        self
    }

    /// The same, from now on; `None` means no limit.
    pub fn set_free_space(&self, bytes: Option<u64>) {
        self.files.lock().set_free(bytes);
    }

    /// Sets a variable of the process environment.
    #[must_use]
    pub fn with_variable(self, name: &str, value: &str) -> Self {
        self.set_variable(name, Some(value));
        self
    }

    /// Sets a variable from now on, or removes it.
    pub fn set_variable(&self, name: &str, value: Option<&str>) {
        let mut environment = self.environment.lock();
        match value {
            Some(value) => environment.insert(name.to_owned(), value.to_owned()),
            None => environment.remove(name),
        };
    }

    /// Sets the folder in which spc was started.
    ///
    /// # Panics
    /// Panics if a file is in place of a folder: a mistake of the test.
    #[must_use]
    pub fn with_current_folder(mut self, path: impl Into<PathBuf>) -> Self {
        self.current_folder = path.into();
        let folder = self.current_folder.clone();
        self.with_folder(folder)
    }

    /// Adds the next line that is typed at the terminal. Standard input, output and error are
    /// terminals from now on.
    #[must_use]
    pub fn with_answer(self, line: &str) -> Self {
        self.add_answer(line);
        self
    }

    /// The same, from now on.
    pub fn add_answer(&self, line: &str) {
        self.answers.lock().push_back(line.to_owned());
        self.terminals.lock().extend(
            [StandardStream::Stdin, StandardStream::Stdout, StandardStream::Stderr]
                .map(|stream| stream as u8),
        );
    }

    /// Makes `stream` a terminal.
    #[must_use]
    pub fn with_terminal(self, stream: StandardStream) -> Self {
        self.terminals.lock().insert(stream as u8);
        self
    }

    /// Sets the content of standard input.
    #[must_use]
    pub fn with_stdin(mut self, content: impl Into<Bytes>) -> Self {
        self.stdin = content.into();
        self
    }

    /// Answers host commands. The last script is asked first; `None` passes the command on. A
    /// command without an answer does not exist.
    #[must_use]
    pub fn on_command(
        self,
        script: impl Fn(&CommandRequest) -> Option<CommandAnswer> + Send + Sync + 'static,
    ) -> Self {
        self.add_command(script);
        self
    }

    /// The same, from now on.
    pub fn add_command(
        &self,
        script: impl Fn(&CommandRequest) -> Option<CommandAnswer> + Send + Sync + 'static,
    ) {
        self.command_scripts.add(script);
    }

    /// Sets the addresses of a name. Names below `localhost` always mean this machine. Other names
    /// need not resolve to be answered.
    #[must_use]
    pub fn with_name(mut self, name: &str, addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        self.network.names.insert(name.to_owned(), addresses.into_iter().collect());
        self
    }

    /// Adds an address of this machine, except loopback.
    #[must_use]
    pub fn with_address(mut self, address: IpAddr) -> Self {
        self.network.own.insert(address);
        self
    }

    /// Answers HTTP requests. The last script is asked first; `None` passes the request on. Without
    /// an answer the connection is refused.
    #[must_use]
    pub fn on_http(
        self,
        script: impl Fn(&HttpRequest) -> Option<HttpAnswer> + Send + Sync + 'static,
    ) -> Self {
        self.add_http(script);
        self
    }

    /// The same, from now on.
    pub fn add_http(
        &self,
        script: impl Fn(&HttpRequest) -> Option<HttpAnswer> + Send + Sync + 'static,
    ) {
        self.http_scripts.add(script);
    }

    /// Makes `address` (`host:port`) accept TCP connections after `latency`.
    #[must_use]
    pub fn with_listener(self, address: &str, latency: Duration) -> Self {
        let own = address.to_owned();
        self.on_connect(move |address| (address == own).then_some(latency))
    }

    /// Answers TCP connections with the time until they are accepted. The last script is asked
    /// first; `None` passes the connection on. Without an answer the connection is refused.
    #[must_use]
    pub fn on_connect(
        self,
        script: impl Fn(&str) -> Option<Duration> + Send + Sync + 'static,
    ) -> Self {
        self.connect_scripts.add(script);
        self
    }

    /// Sets the process that listens on a port of this machine: `nginx (pid 812)`.
    #[must_use]
    pub fn with_port_owner(self, port: u16, process: &str) -> Self {
        self.set_port_owner(port, Some(process));
        self
    }

    /// Sets the process that listens there from now on, or removes it.
    pub fn set_port_owner(&self, port: u16, process: Option<&str>) {
        let mut owners = self.port_owners.lock();
        match process {
            Some(process) => owners.insert(port, process.to_owned()),
            None => owners.remove(&port),
        };
    }

    /// Adds a socket of another process of the machine.
    pub fn listen(&self, listener: Listener) {
        self.listeners.lock().push(listener);
    }

    /// Removes all sockets of this port.
    pub fn stop_listening(&self, port: u16) {
        self.listeners.lock().retain(|listener| listener.port != port);
    }

    /// How often a file was read.
    pub fn reads_of(&self, path: &str) -> usize {
        self.reads.lock().get(Path::new(path)).copied().unwrap_or_default()
    }

    /// The commands run so far, in order.
    pub fn commands(&self) -> Vec<CommandRequest> {
        self.commands.lock().clone()
    }

    /// The HTTP requests made so far, in order; each redirect followed is one.
    pub fn requests(&self) -> Vec<HttpRequest> {
        self.requests.lock().clone()
    }

    /// The questions asked at the terminal so far, in order.
    pub fn questions(&self) -> Vec<String> {
        self.questions.lock().clone()
    }

    /// The changes so far, in order: files, folders, and commands that were run.
    pub fn changes(&self) -> Vec<Change> {
        self.changes.made()
    }

    /// Kills the run at its nth change from now (1 is the next). `None` cancels a kill that did not
    /// happen.
    pub fn kill_at(&self, kill: Option<(u64, ChangeSide)>) {
        self.changes.kill_at(kill);
    }

    /// Every file that differs from the host beneath, with its permission bits.
    pub fn own_files(&self) -> BTreeMap<PathBuf, (Bytes, u32)> {
        self.files
            .lock()
            .own()
            .map(|(path, content, mode)| (path.clone(), (content.clone(), mode)))
            .collect()
    }

    /// Paths of the host beneath that were removed or moved away.
    pub fn removed(&self) -> Vec<PathBuf> {
        self.files.lock().removed().cloned().collect()
    }

    fn given(
        &self,
        path: &Path,
        action: impl FnOnce(&mut Files, &Path, DateTime<Utc>) -> std::result::Result<(), Errno>,
    ) {
        let now = self.now();
        let mut files = self.files.lock();
        let done = path
            .parent()
            .map_or(Ok(()), |folder| files.create_folder(folder, now))
            .and_then(|()| action(&mut files, path, now));
        if let Err(errno) = done {
            panic!("a test can't have \"{}\": {}", path.display(), errno.words());
        }
    }
}
