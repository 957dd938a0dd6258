//! Sessions over a login, each of which leads one connection to the engine.
//!
//! A server gives a login so many sessions at a time (`MaxSessions`, by default 10) and tells only
//! by refusing one. So a login is asked until it refuses; what it had open then is its room. A
//! connection that finds none waits for a session to end. Where none ends for a moment, as all lead
//! streams, there is another login: one after the other, because a server may turn away those who
//! are not logged in yet (`MaxStartups`).

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

/// How long a session may be silent until it is taken for one that begins without these words: a
/// key may be allowed one command alone.
const SILENCE: Duration = Duration::from_secs(3);
/// How long a connection waits for a session to end before there is another login.
const PATIENCE: Duration = Duration::from_secs(1);
/// How long a connection waits in all: less than the engine has for a short answer.
const ALL: Duration = Duration::from_secs(25);
/// A server frees a session a moment after it has ended here.
const MOMENT: Duration = Duration::from_millis(50);
/// A server that refuses a login's only session so often gives none.
const REFUSALS: usize = 20;
/// Logins at a time.
const LOGINS: usize = 16;
/// Bytes that a login script may print before a session begins.
const NOISE: usize = 64 << 10;

/// The sessions of a machine.
pub(super) struct Sessions {
    logins: Mutex<Vec<LoginSlots>>,
    /// Signalled when a session has ended.
    ended: Notify,
    /// Held by the one connection that looks for room; the others queue behind it.
    turn: tokio::sync::Mutex<()>,
    /// Whether sessions may be silent: the key leads to Docker's client alone.
    silent: AtomicBool,
}

/// A login, and what it has room for.
struct LoginSlots {
    line: Arc<Line>,
    open: usize,
    /// What was open when it refused one more. A session that had just ended may have counted
    /// then.
    most: Option<usize>,
    /// Whether it refused one more twice.
    is_sure: bool,
}

/// A place for a session in a room; dropped, it is free again.
struct SessionSlot {
    sessions: Arc<Sessions>,
    slots: usize,
    line: Arc<Line>,
    /// What was open before.
    others: usize,
}

/// A session; dropped, it ends.
pub(super) struct Session {
    // In this order: the place is free when the session has ended.
    _ssh: Child,
    _place: SessionSlot,
}

impl Sessions {
    /// Over `line`, from which further logins follow.
    pub(super) fn new(line: Arc<Line>) -> Self {
        let slots = LoginSlots { line, open: 0, most: None, is_sure: false };
        Self {
            logins: Mutex::new(vec![slots]),
            ended: Notify::new(),
            turn: tokio::sync::Mutex::new(()),
            silent: AtomicBool::new(false),
        }
    }

    /// A connection to the engine in a session of its own, waiting for room.
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

    /// A place for a session, when it is this connection's turn.
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

    /// A place in the first room that has one.
    fn reserve(self: &Arc<Self>) -> Option<SessionSlot> {
        self.reserve_where(|slots| slots.most.is_none_or(|most| slots.open < most))
    }

    /// A place where there may be one more than was thought.
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

    /// Begins a session; nothing if the server has no room for it.
    async fn begin(&self, place: SessionSlot) -> io::Result<Option<(UnixStream, Session)>> {
        let login = &place.line.login;
        let (mut stream, theirs) = UnixStream::pair()?;
        let theirs: OwnedFd = theirs.into_std()?.into();
        rustix::io::ioctl_fionbio(&theirs, false)?;
        let said = OpenOptions::new().create(true).append(true).open(login.dial_log())?;
        let said_before = read(&login.dial_log()).len();
        let mut command = login.dial();
        // Ctrl-C is spc's to answer, and only when this connection is dropped is it to end.
        command.process_group(0).kill_on_drop(true);
        command.stdin(Stdio::from(theirs.try_clone()?)).stdout(Stdio::from(theirs)).stderr(said);
        let child = command.spawn()?;
        // It holds the other end of the stream too, whose end tells of the session's.
        drop(command);
        if self.has_begun(&mut stream).await? {
            self.learn(&place, true);
            return Ok(Some((stream, Session { _ssh: child, _place: place })));
        }
        place.line.check()?;
        // Others write there too: then it is tried once more than it need be.
        let said = read(&login.dial_log()).split_off(said_before);
        if ssh_messages::is_refused_session(&said) {
            self.learn(&place, false);
            return Ok(None);
        }
        Err(io::Error::new(io::ErrorKind::UnexpectedEof, ssh_messages::last(&said)))
    }

    /// Whether a session has begun on `stream`, rather than ended.
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

    /// Keeps what a room has shown of its size.
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

    /// Makes another login; why it failed.
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
