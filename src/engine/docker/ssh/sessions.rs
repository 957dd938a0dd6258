//! Sessions over a login. Each carries one connection to the engine.
//!
//! A server limits the number of sessions per login (`MaxSessions`, by default 10), and shows the
//! limit only by refusing one. So spc opens sessions until the login refuses; the number that was
//! open then is its capacity. A connection without a free session waits until one ends. If none
//! ends soon, because all carry streams, spc logs in again. Logins happen one after another,
//! because a server may reject clients that are not logged in yet (`MaxStartups`).

use std::fs::OpenOptions;
use std::io;
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::{Mutex, MutexGuard};
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::process::Child;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::files::read;
use super::line::Line;
use super::ssh_messages::{self, BEGUN};

/// If a session is silent for this long, it is assumed to have begun without the marker: the key
/// may be restricted to one command.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a connection waits for the end of a session before spc logs in again.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection waits in all: less than the time limit of a short answer.
const ALL: Duration = Duration::from_secs(25);
/// A server releases a session a moment after it has ended here.
const MOMENT: Duration = Duration::from_millis(50);
/// A server that refuses the only session of a login this often allows none.
const REFUSALS: usize = 20;
/// The most logins at a time.
const LOGINS: usize = 16;
/// The most bytes that a login script may print before a session begins.
const NOISE: usize = 64 << 10;

/// The sessions of a machine.
pub(super) struct Sessions {
    logins: Mutex<Vec<LoginSlots>>,
    /// Notified when a session has ended.
    ended: Notify,
    /// Held by the one connection that searches for a free session; the others wait for it.
    turn: tokio::sync::Mutex<()>,
    /// Whether sessions may be silent: the key leads only to Docker's client.
    silent: AtomicBool,
}

/// A login, and its capacity.
struct LoginSlots {
    line: Arc<Line>,
    open: usize,
    /// The number of open sessions when it refused one more. A session that had just ended may be
    /// included.
    most: Option<usize>,
    /// Whether it refused one more twice.
    is_sure: bool,
}

/// A reserved session of a login; released when this is dropped.
struct SessionSlot {
    sessions: Arc<Sessions>,
    slots: usize,
    line: Arc<Line>,
    /// The number that was open before.
    others: usize,
}

/// A session; it ends when this is dropped.
pub(super) struct Session {
    // In this order: the session ends before its reservation is released.
    _ssh: Child,
    _place: SessionSlot,
}

impl Sessions {
    /// Over `line`, from which further logins are made.
    pub(super) fn new(line: Arc<Line>) -> Self {
        let slots = LoginSlots { line, open: 0, most: None, is_sure: false };
        Self {
            logins: Mutex::new(vec![slots]),
            ended: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            silent: AtomicBool::new(false),
        }
    }

    /// A connection to the engine in a session of its own; waits for a free one.
    pub(super) async fn open(self: &Arc<Self>) -> io::Result<(UnixStream, Session)> {
        let mut alone_refused = 0;
        loop {
            let place = self.place().await?;
            alone_refused += usize::from(place.others == 0);
            if let Some(session) = self.begin(place).await? {
                return Ok(session);
            }
            if alone_refused == REFUSALS {
                return Err(io::Error::other(
                    "the server there refuses every session (MaxSessions)",
                ));
            }
            sleep(MOMENT).await;
        }
    }

    /// Reserves a session when it is this connection's turn.
    async fn place(self: &Arc<Self>) -> io::Result<SessionSlot> {
        let _turn = self.turn.lock().await;
        let until = Instant::now() + ALL;
        let mut refused_login = None;
        loop {
            let ended = self.ended.notified();
            if let Some(place) = self.reserve() {
                return Ok(place);
            }
            if timeout(PATIENCE, ended).await.is_ok() {
                continue;
            }
            if let Some(place) = self.reserve_more() {
                return Ok(place);
            }
            refused_login = self.log_in_again().await.or(refused_login);
            if Instant::now() > until {
                return Err(self.no_room(refused_login));
            }
        }
    }

    /// Reserves a session of the first login with a free one.
    fn reserve(self: &Arc<Self>) -> Option<SessionSlot> {
        self.reserve_where(|slots| slots.most.is_none_or(|most| slots.open < most))
    }

    /// Reserves a session if the capacity may be larger than assumed.
    fn reserve_more(self: &Arc<Self>) -> Option<SessionSlot> {
        self.reserve_where(|slots| !slots.is_sure)
    }

    fn reserve_where(self: &Arc<Self>, fits: impl Fn(&LoginSlots) -> bool) -> Option<SessionSlot> {
        let mut logins = self.logins();
        let (number, slots) = logins
            .iter_mut()
            .enumerate()
            .find(|(_, slots)| slots.line.check().is_ok() && fits(slots))?;
        let place = SessionSlot {
            sessions: self.clone(),
            slots: number,
            line: slots.line.clone(),
            others: slots.open,
        };
        slots.open += 1;
        Some(place)
    }

    /// Begins a session; `None` if the server refuses it.
    async fn begin(&self, place: SessionSlot) -> io::Result<Option<(UnixStream, Session)>> {
        let login = &place.line.login;
        let (mut stream, theirs) = UnixStream::pair()?;
        let theirs: OwnedFd = theirs.into_std()?.into();
        rustix::io::ioctl_fionbio(&theirs, false)?;
        let said = OpenOptions::new().create(true).append(true).open(login.dial_log())?;
        let said_before = read(&login.dial_log()).len();
        let mut command = login.dial();
        // Ctrl-C must not reach it: it ends only when this connection is dropped.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::from(theirs.try_clone()?)).stdout(Stdio::from(theirs)).stderr(said);
        let child = command.spawn()?;
        // The command holds the other end of the stream. Dropping it lets the stream end with the
        // session.
        drop(command);
        if self.has_begun(&mut stream).await? {
            self.learn(&place, true);
            return Ok(Some((stream, Session { _ssh: child, _place: place })));
        }
        place.line.check()?;
        // Others write there too, so there may be one attempt more than necessary.
        let said = read(&login.dial_log()).split_off(said_before);
        if ssh_messages::is_refused_session(&said) {
            self.learn(&place, false);
            return Ok(None);
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, ssh_messages::last(&said)))
    }

    /// Whether a session has begun on `stream`, and did not end.
    async fn has_begun(&self, stream: &mut UnixStream) -> io::Result<bool> {
        if self.silent.load(Ordering::Relaxed) {
            return Ok(true);
        }
        let mut heard = Vec::new();
        while !heard.ends_with(format!("{BEGUN}\n").as_bytes()) {
            let next = stream.read_u8();
            match timeout(if heard.is_empty() { SILENCE } else { ALL }, next).await {
                Err(_) if !heard.is_empty() => return Err(io::ErrorKind::TimedOut.into()),
                Err(_) => {
                    self.silent.store(true, Ordering::Relaxed);
                    return Ok(true);
                }
                Ok(Ok(_)) if heard.len() == NOISE => {
                    return Err(io::Error::other("a login script there prints without end"));
                }
                Ok(Ok(byte)) => heard.push(byte),
                Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(false),
                Ok(Err(error)) => return Err(error),
            }
        }
        Ok(true)
    }

    /// Updates the known capacity of a login.
    fn learn(&self, place: &SessionSlot, has_begun: bool) {
        let mut logins = self.logins();
        let Some(slots) = logins.get_mut(place.slots) else { return };
        match slots.most {
            Some(most) if has_begun => slots.most = Some(most.max(place.others + 1)),
            Some(most) => slots.is_sure |= most == place.others,
            None if has_begun => {}
            None => slots.most = Some(place.others.max(1)),
        }
    }

    /// Logs in again; returns why it failed.
    async fn log_in_again(&self) -> Option<String> {
        let (machine, logins) = {
            let logins = self.logins();
            (logins.first()?.line.login.machine.clone(), logins.len())
        };
        if logins == LOGINS {
            return Some(format!("{LOGINS} logins are as many as spc makes"));
        }
        match Line::open(&machine, false, false).await {
            Ok(line) => {
                self.logins().push(LoginSlots {
                    line: Arc::new(line),
                    open: 0,
                    most: None,
                    is_sure: false,
                });
                None
            }
            Err(refusal) => Some(refusal.why),
        }
    }

    fn no_room(&self, refused_login: Option<String>) -> io::Error {
        let logins = self.logins();
        let open: usize = logins.iter().map(|slots| slots.open).sum();
        let more = refused_login
            .map_or_else(String::new, |why| format!(", and another login failed: {why}"));
        let words = format!(
            "all {open} sessions that the server there gives (MaxSessions) were in use for {} s{more}; let it forward sockets \
             (AllowStreamLocalForwarding yes), or raise MaxSessions in its sshd_config",
            ALL.as_secs()
        );
        io::Error::other(words)
    }

    fn logins(&self) -> MutexGuard<'_, Vec<LoginSlots>> {
        self.logins.lock()
    }
}

impl Drop for SessionSlot {
    fn drop(&mut self) {
        if let Some(slots) = self.sessions.logins().get_mut(self.slots) {
            slots.open = slots.open.saturating_sub(1);
        }
        self.sessions.ended.notify_one();
    }
}
