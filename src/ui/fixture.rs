//! A terminal whose output tests can read.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use super::terminal::{Stream, Terminal};
use crate::model::secret::Secrets;

#[derive(Clone, Default)]
struct Buffer(Arc<Mutex<Vec<u8>>>);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Buffer {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

/// A terminal and what was written to it.
pub struct Captured {
    pub terminal: Arc<Terminal>,
    pub secrets: Arc<Secrets>,
    stdout: Buffer,
    stderr: Buffer,
}

impl Captured {
    /// No colours, no width: a pipe.
    pub fn plain() -> Self {
        Self::new(false)
    }

    /// With colours.
    pub fn coloured() -> Self {
        Self::new(true)
    }

    fn new(colour: bool) -> Self {
        let (stdout, stderr) = (Buffer::default(), Buffer::default());
        let secrets = Arc::new(Secrets::new());
        let stream = |buffer: &Buffer| Stream { writer: Box::new(buffer.clone()), colour };
        let terminal = Arc::new(Terminal::new(stream(&stdout), stream(&stderr), None, secrets.clone()));
        Self { terminal, secrets, stdout, stderr }
    }

    pub fn stdout(&self) -> String {
        self.stdout.text()
    }

    pub fn stderr(&self) -> String {
        self.stderr.text()
    }
}
