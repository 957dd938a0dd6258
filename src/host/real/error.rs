//! Describes errors of the operating system.

use std::io;
use std::path::Path;

use rustix::io::Errno;

use crate::host::{HostError, HostErrorKind};

/// `Could not <action> "<path>": <cause>`.
pub(super) fn failed(action: &str, path: &Path, error: &io::Error) -> HostError {
    HostError::new(
        kind(error),
        format!("Could not {action} \"{}\": {}", path.display(), cause(error)),
    )
}

pub(super) fn kind(error: &io::Error) -> HostErrorKind {
    use io::ErrorKind as Io;
    match error.kind() {
        // A part of the path is not a folder, so nothing can exist below it.
        Io::NotFound | Io::NotADirectory => HostErrorKind::NotFound,
        Io::PermissionDenied | Io::ReadOnlyFilesystem => HostErrorKind::PermissionDenied,
        Io::AlreadyExists | Io::DirectoryNotEmpty => HostErrorKind::AlreadyExists,
        Io::StorageFull | Io::QuotaExceeded => HostErrorKind::NoSpace,
        Io::TimedOut => HostErrorKind::Timeout,
        Io::ConnectionRefused
        | Io::ConnectionReset
        | Io::ConnectionAborted
        | Io::BrokenPipe
        | Io::HostUnreachable
        | Io::NetworkUnreachable
        | Io::NetworkDown
        | Io::AddrNotAvailable
        | Io::UnexpectedEof
        | Io::NotConnected => HostErrorKind::Unreachable,
        Io::IsADirectory | Io::InvalidData | Io::InvalidInput | Io::InvalidFilename => {
            HostErrorKind::Invalid
        }
        _ => HostErrorKind::Other,
    }
}

/// The cause: a clause without a full stop.
pub(super) fn cause(error: &io::Error) -> String {
    use io::ErrorKind as Io;
    let known = match error.kind() {
        Io::NotFound => "it does not exist",
        Io::NotADirectory => "a part of the path is not a folder",
        Io::PermissionDenied => "permission denied",
        Io::ReadOnlyFilesystem => "the file system is read-only",
        Io::AlreadyExists => "something with that name already exists",
        Io::DirectoryNotEmpty => "the folder is not empty",
        Io::StorageFull => "the disk is full",
        Io::QuotaExceeded => "the disk quota is used up",
        Io::IsADirectory => "it is a folder",
        Io::InvalidFilename => "the name is too long or not allowed",
        Io::CrossesDevices => "the two are on different file systems",
        Io::ResourceBusy => "it is in use",
        Io::TimedOut => "no answer in time",
        Io::ConnectionRefused => "connection refused: nobody listens there",
        Io::ConnectionReset | Io::ConnectionAborted | Io::BrokenPipe | Io::UnexpectedEof => {
            "the connection was lost"
        }
        Io::HostUnreachable | Io::NetworkUnreachable | Io::NetworkDown => "there is no route to it",
        Io::AddrNotAvailable => "the address is not one of this machine's",
        _ => match Errno::from_io_error(error) {
            Some(Errno::LOOP) => "symlinks form a loop",
            Some(Errno::MFILE | Errno::NFILE) => "too many files are open",
            Some(Errno::NOEXEC) => "it is not a program that this machine can run",
            Some(Errno::IO) => "the disk reports an error",
            _ => "",
        },
    };
    if known.is_empty() { plain(&error.to_string()) } else { known.to_owned() }
}

/// The system's own text without its number.
fn plain(text: &str) -> String {
    let text = text.split(" (os error").next().unwrap_or(text);
    let mut characters = text.chars();
    match characters.next() {
        // An abbreviation keeps its capitals.
        Some(first) if !characters.as_str().starts_with(char::is_uppercase) => {
            first.to_lowercase().chain(characters).collect()
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_names_the_action_the_path_and_the_cause() {
        let error = failed("read", Path::new("/a b/é"), &io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(
            error,
            HostError::new(HostErrorKind::NotFound, "Could not read \"/a b/é\": it does not exist")
        );
    }

    #[test]
    fn every_number_becomes_words_without_it() {
        for (errno, kind_of, words) in [
            (Errno::NOSPC, HostErrorKind::NoSpace, "the disk is full"),
            (Errno::DQUOT, HostErrorKind::NoSpace, "the disk quota is used up"),
            (Errno::LOOP, HostErrorKind::Other, "symlinks form a loop"),
            (Errno::ROFS, HostErrorKind::PermissionDenied, "the file system is read-only"),
            (Errno::XDEV, HostErrorKind::Other, "the two are on different file systems"),
            (Errno::NAMETOOLONG, HostErrorKind::Invalid, "the name is too long or not allowed"),
            (Errno::NODEV, HostErrorKind::Other, "no such device"),
        ] {
            let error = io::Error::from(errno);
            assert_eq!((kind(&error), cause(&error).as_str()), (kind_of, words));
        }
    }
}
