//! A terminal with output that tests can read.

use std::io::{self, Write};
use std::sync::Arc;

use parking_lot::Mutex;

use super::live_region::TerminalSize;
use super::terminal::{Screen, Stream, Terminal};
use crate::model::event::Event;
use crate::model::masking::{Consumer, Masked};
use crate::model::secret::Secrets;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().clone()).unwrap()
    }
}

/// A terminal, and the text that was written to it.
pub struct CapturedTerminal {
    pub terminal: Arc<Terminal>,
    pub secrets: Arc<Secrets>,
    stdout: Buffer,
    stderr: Buffer,
}

impl CapturedTerminal {
    /// No colours, no width: a pipe.
    pub fn plain() -> Self {
        Self::new(false)
    }

    /// With colours.
    pub fn coloured() -> Self {
        Self::new(true)
    }

    /// A terminal of this size with both streams. The written text is that of standard error.
    pub fn screen(size: &Arc<Mutex<TerminalSize>>, colour: bool) -> Self {
        let both = Buffer::default();
        let secrets = Arc::new(Secrets::new());
        let stream = || Stream { writer: Box::new(both.clone()), colour };
        let terminal = Terminal::new(stream(), stream(), None, secrets.clone());
        let size = size.clone();
        let screen = Screen { size: Box::new(move || *size.lock()), shared: true };
        Self {
            terminal: Arc::new(terminal.drawing_on(Some(screen))),
            secrets,
            stdout: Buffer::default(),
            stderr: both,
        }
    }

    fn new(colour: bool) -> Self {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let secrets = Arc::new(Secrets::new());
        let stream = |buffer: &Buffer| Stream { writer: Box::new(buffer.clone()), colour };
        let terminal =
            Arc::new(Terminal::new(stream(&stdout), stream(&stderr), None, secrets.clone()));
        Self { terminal, secrets, stdout, stderr }
    }

    /// Passes an event to a consumer, as a run does.
    pub fn tell(&self, consumer: &dyn Consumer, event: &Event) {
        assert_eq!(consumer.event(&Masked::new(event.clone(), &self.secrets)), Ok(()));
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }
}
