//! A terminal emulator: the output as a user sees it.

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Instant;

use parking_lot::{Mutex, MutexGuard};
use rustix::termios::{Winsize, tcsetwinsize};

use super::DEADLINE;
use super::running::{other_side, pseudo_terminal};

/// A pseudo-terminal and its screen.
pub struct Screen {
    keys: OwnedFd,
    shown: Arc<Mutex<ScreenState>>,
}

struct ScreenState {
    parser: vt100::Parser,
    bytes: Vec<u8>,
    is_over: bool,
}

impl Screen {
    /// An empty screen.
    pub fn new(columns: u16, rows: u16) -> Self {
        let keys = pseudo_terminal();
        let parser = vt100::Parser::new(rows.try_into().unwrap(), columns.try_into().unwrap(), 0);
        let screen = Self {
            keys,
            shown: Arc::new(Mutex::new(ScreenState { parser, bytes: Vec::new(), is_over: false })),
        };
        screen.set_size(columns, rows);
        screen
    }

    /// The terminal for a program.
    pub fn terminal(&self) -> Stdio {
        self.read();
        other_side(&self.keys).into()
    }

    /// Changes its size.
    pub fn resize(&self, columns: u16, rows: u16) {
        self.lock()
            .parser
            .screen_mut()
            .set_size(rows.try_into().unwrap(), columns.try_into().unwrap());
        self.set_size(columns, rows);
    }

    fn set_size(&self, columns: u16, rows: u16) {
        tcsetwinsize(
            &self.keys,
            Winsize { ws_row: rows, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 },
        )
        .unwrap();
    }

    /// Types keys; `"\u{3}"` is Ctrl-C.
    pub fn types(&self, keys: &str) {
        File::from(self.keys.try_clone().unwrap()).write_all(keys.as_bytes()).unwrap();
    }

    /// The text of the screen, without spaces at the ends of lines.
    pub fn text(&self) -> String {
        let contents = self.lock().parser.screen().contents();
        contents.lines().map(|line| format!("{}\n", line.trim_end())).collect()
    }

    /// All output so far, with control sequences.
    pub fn sent(&self) -> String {
        String::from_utf8_lossy(&self.lock().bytes).into_owned()
    }

    /// Whether the cursor is visible, and whether it is at the beginning of an empty row.
    pub fn is_tidy(&self) -> bool {
        let shown = self.lock();
        let screen = shown.parser.screen();
        let (row, column) = screen.cursor_position();
        let rest = screen
            .rows(0, screen.size().1.into())
            .skip(row.into())
            .all(|row| row.trim().is_empty());
        !screen.hide_cursor() && column == 0 && rest
    }

    /// Waits until the screen shows all these texts at the same time.
    #[track_caller]
    pub fn until(&self, texts: &[&str]) {
        let deadline = Instant::now() + DEADLINE;
        let blanks_apart = |text: &str| {
            text.lines()
                .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ") + "\n")
                .collect::<String>()
        };
        loop {
            let text = blanks_apart(&self.text());
            if texts.iter().all(|wanted| text.contains(wanted)) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{texts:?} did not come; what stands there:\n{}",
                self.text()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Waits until the screen shows the remaining output. The programs must have ended.
    #[track_caller]
    pub fn finish(&self) {
        let deadline = Instant::now() + DEADLINE;
        while !self.lock().is_over {
            assert!(Instant::now() < deadline, "somebody still has the terminal");
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
    }

    /// Reads output until no program has the terminal open.
    fn read(&self) {
        static ONE: Mutex<()> = Mutex::new(());
        let _one = ONE.lock();
        if Arc::strong_count(&self.shown) > 1 {
            return;
        }
        let (mut keys, shown) = (File::from(self.keys.try_clone().unwrap()), self.shown.clone());
        std::thread::spawn(move || {
            let mut chunk = [0; 4096];
            while let Ok(count @ 1..) = keys.read(&mut chunk) {
                let mut shown = shown.lock();
                shown.parser.process(&chunk[..count]);
                shown.bytes.extend_from_slice(&chunk[..count]);
            }
            shown.lock().is_over = true;
        });
    }

    fn lock(&self) -> MutexGuard<'_, ScreenState> {
        self.shown.lock()
    }
}
