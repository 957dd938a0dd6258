//! A full pipe that nobody reads.

use std::fs::File;
use std::io::{ErrorKind, PipeReader, Write};
use std::os::fd::OwnedFd;

use rustix::io::ioctl_fionbio;

/// A pipe that blocks every write, as if the reading program were stopped. The reading end stays
/// open until this is dropped.
pub struct FullPipe {
    _reader: PipeReader,
    writer: OwnedFd,
}

impl FullPipe {
    pub fn new() -> Self {
        let (reader, mut writer) = std::io::pipe().unwrap();
        ioctl_fionbio(&writer, true).unwrap();
        loop {
            match writer.write(&[b'.'; 4096]) {
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => panic!("a pipe takes bytes until it is full: {error}"),
            }
        }
        ioctl_fionbio(&writer, false).unwrap();
        Self { _reader: reader, writer: writer.into() }
    }

    /// The writing end.
    pub fn end(&self) -> File {
        self.writer.try_clone().unwrap().into()
    }
}
