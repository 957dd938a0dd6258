//! Maps errors to the port's kinds, in the engine's words.

use std::error::Error as _;
use std::io;

use bollard::errors::Error as ClientError;

use super::unreadable::not_as_described;
pub(super) use super::unreadable::unreadable;
use crate::engine::{EngineError, EngineErrorKind as Kind};

/// An error of the client library.
pub(super) fn from_client(error: ClientError) -> EngineError {
    match error {
        ClientError::DockerResponseServerError { status_code, message } => {
            from_status(status_code, &message)
        }
        ClientError::DockerStreamError { error } => from_stream(&error),
        ClientError::RequestTimeoutError => {
            EngineError::new(Kind::Timeout, "the Docker Engine did not answer in time")
                .with_hint("check the engine's log; the engine may need a restart")
        }
        ClientError::HyperResponseError { err } => connection(&err),
        ClientError::IOError { err } => from_io(&err),
        ClientError::JsonDataError { message, contents, .. } => {
            not_as_described(&message, contents.as_bytes())
        }
        ClientError::JsonSerdeError { err } => not_as_described(&err.to_string(), b""),
        ClientError::HttpHeaderNotFoundError(name) => {
            unreadable(format!("it has no header \"{name}\""))
        }
        ClientError::HttpHeaderToStrError { .. }
        | ClientError::Base64DecodeError { .. }
        | ClientError::StrParseError { .. } => {
            unreadable("it has characters that don't belong there")
        }
        other => EngineError::new(
            Kind::Server,
            format!(
                "could not send a request to the Docker Engine: {}",
                sentence(&other.to_string())
            ),
        ),
    }
}

/// The status and the message of an answer.
pub(super) fn from_status(status: u16, message: &str) -> EngineError {
    let kind = match status {
        401 => Kind::Denied,
        403 if is_denied(message) => Kind::Denied,
        // "Forbidden" is also the engine's answer if the state does not allow something: a network
        // in use, a subnet or an address in use, a read-only file system.
        304 | 403 | 409 => Kind::Conflict,
        404 => Kind::NotFound,
        408 | 504 => Kind::Timeout,
        400..=499 => Kind::Invalid,
        501 => Kind::Unsupported,
        _ if is_full(message) => Kind::NoSpace,
        _ => Kind::Server,
    };
    let message = match sentence(message) {
        empty if empty.is_empty() => {
            format!("the Docker Engine answered with status {status} and no message")
        }
        message => message,
    };
    let error = EngineError::new(kind, message);
    if status == 403 && error.kind == Kind::Denied { error.with_hint(DENIED_HINT) } else { error }
}

/// The same for a question about the engine itself. There 403 is about permissions, not about the
/// state of an object. `endpoint` is `/info`, and `purpose` is what spc needs it for: `the engine's
/// clock`.
pub(super) fn from_asking(error: ClientError, endpoint: &str, purpose: &str) -> EngineError {
    match error {
        ClientError::DockerResponseServerError { status_code: 401 | 403, message } => {
            let said = sentence(own_words(&message));
            let said = if said.is_empty() { String::new() } else { format!(": {said}") };
            EngineError::new(
                Kind::Denied,
                format!("{FORBIDDEN_BEFORE}: spc asks \"GET {endpoint}\" for {purpose}{said}"),
            )
            .with_hint(allow(endpoint))
        }
        other => from_client(other),
    }
}

/// The message of a proxy or plugin in front of the engine, without the text that
/// [`forbidden_before`] adds.
pub(super) fn own_words(message: &str) -> &str {
    message
        .trim_start_matches(FORBIDDEN_BEFORE)
        .trim_start_matches(" (403)")
        .trim_start_matches(": ")
}

/// The next step if a question about the engine itself is refused.
pub(super) fn allow(endpoint: &str) -> String {
    format!("ask the administrator of the proxy or plugin to allow \"GET {endpoint}\"")
}

/// The beginning of the message for a 403 that is not the engine's: its body is not JSON.
const FORBIDDEN_BEFORE: &str = "a proxy or plugin in front of the Docker Engine forbids it";

const DENIED_HINT: &str = "ask the administrator of the proxy or plugin to allow this request";

/// Whether a 403 is about permissions, and not about the state of an object.
fn is_denied(message: &str) -> bool {
    message.contains("authorization denied") || message.starts_with(FORBIDDEN_BEFORE)
}

/// The message for a 403 response without a JSON body, which comes from a proxy in front of the
/// engine.
pub(super) fn forbidden_before(body: &str) -> String {
    match without_markup(body) {
        empty if empty.is_empty() => format!("{FORBIDDEN_BEFORE} (403)"),
        text => format!("{FORBIDDEN_BEFORE} (403): {text}"),
    }
}

/// The most characters of a page that are shown.
const SHOWN_OF_A_PAGE: usize = 200;

/// The text of a proxy's page, or its `message` if it is JSON; other texts unchanged.
fn without_markup(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        let json: Option<serde_json::Value> = serde_json::from_str(text).ok();
        let message = json.as_ref().and_then(|json| json.get("message")?.as_str());
        return message.unwrap_or(text).trim().to_owned();
    }
    let mut plain = String::new();
    let mut is_tag = false;
    for letter in text.chars() {
        match letter {
            '<' => {
                is_tag = true;
                plain.push(' ');
            }
            '>' if is_tag => is_tag = false,
            letter if !is_tag => plain.push(letter),
            _ => {}
        }
    }
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match words.char_indices().nth(SHOWN_OF_A_PAGE) {
        // The mark lets the mask find the beginning of a secret that was cut.
        Some((end, _)) => format!("{}…", &words[..end]),
        None => words,
    }
}

/// Whether a message reports that the engine's disk or quota is full.
fn is_full(message: &str) -> bool {
    ["no space left on device", "disk quota exceeded"].iter().any(|words| message.contains(words))
}

/// An error during a pull, push, build or import, for which the engine sends only a text.
pub(super) fn from_stream(message: &str) -> EngineError {
    let kind = if is_full(message) {
        Kind::NoSpace
    } else {
        transfer_kind(message).unwrap_or(Kind::Failed)
    };
    EngineError::new(kind, sentence(message))
}

/// An error of a whole pull or push. Before the first report the engine answers 500, or 404, if a
/// registry refuses or is not reachable.
pub(super) fn about_transfer(mut error: EngineError) -> EngineError {
    match error.kind {
        Kind::Server => error.kind = transfer_kind(&error.message).unwrap_or(Kind::Failed),
        Kind::Conflict => error.kind = transfer_kind(&error.message).unwrap_or(Kind::Denied),
        Kind::NotFound => error.kind = transfer_kind(&error.message).unwrap_or(Kind::NotFound),
        _ => {}
    }
    error
}

/// The meaning of a registry's message.
fn transfer_kind(message: &str) -> Option<Kind> {
    let message = message.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
    // A registry hides from strangers whether an image exists ("pull access denied … does not exist
    // or may require"). "Not found" is more useful for the user.
    if says(&[
        "manifest unknown",
        "manifest for",
        "name unknown",
        "does not exist",
        "no such image",
    ]) {
        Some(Kind::NotFound)
    } else if says(&[
        "unauthorized",
        "access denied",
        "authentication required",
        "no basic auth credentials",
        "denied:",
    ]) {
        Some(Kind::Denied)
    } else {
        None
    }
}

/// An error of the HTTP connection.
pub(super) fn connection(error: &hyper::Error) -> EngineError {
    let cause = error.source();
    if error.is_parse() {
        return unreadable("it is not HTTP");
    }
    match cause.and_then(|cause| cause.downcast_ref::<io::Error>()) {
        // The body that spc was sending: the context of a build, the archive of an import.
        Some(cause) if error.is_user() => EngineError::new(
            Kind::Failed,
            format!("could not read the data to send to the engine: {cause}"),
        ),
        Some(cause) => from_io(cause),
        None => lost(root_cause(error)),
    }
}

/// The innermost cause of an error, which the others wrap.
pub(super) fn root_cause<'a>(
    mut error: &'a (dyn std::error::Error + 'static),
) -> &'a (dyn std::error::Error + 'static) {
    while let Some(cause) = error.source() {
        error = cause;
    }
    error
}

/// An error of the socket.
pub(super) fn from_io(error: &io::Error) -> EngineError {
    // A stream reader wraps the connection's error.
    if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<hyper::Error>()) {
        return connection(inner);
    }
    match error.kind() {
        io::ErrorKind::PermissionDenied => EngineError::new(
            Kind::PermissionDenied,
            "no permission to open the Docker Engine's socket",
        ),
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {
            EngineError::new(Kind::Unreachable, "the Docker Engine is not running")
                .with_hint("start the Docker Engine, then run the same command again")
        }
        io::ErrorKind::FileTooLarge => unreadable(error),
        io::ErrorKind::TimedOut => EngineError::new(
            Kind::Unreachable,
            "the Docker Engine did not accept a connection in time",
        ),
        _ => lost(error),
    }
}

fn lost(cause: impl std::fmt::Display) -> EngineError {
    EngineError::new(
        Kind::Unreachable,
        format!("the connection to the Docker Engine was lost: {cause}"),
    )
}

/// The connection ended too early.
pub(super) fn cut_off(what: &str) -> EngineError {
    EngineError::new(
        Kind::Unreachable,
        format!("the connection to the Docker Engine ended before {what}"),
    )
}

/// The engine's message without the parts that are useful only in logs.
fn sentence(message: &str) -> String {
    let message = without_markup(message);
    let message = message.trim_start_matches("Error response from daemon: ");
    message.strip_suffix('.').filter(|rest| !rest.ends_with('.')).unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status_code: u16, message: &str) -> ClientError {
        ClientError::DockerResponseServerError { status_code, message: message.into() }
    }

    #[test]
    fn an_answers_status_becomes_the_ports_case_with_the_engines_words() {
        let cases = [
            (400, Kind::Invalid),
            (401, Kind::Denied),
            (403, Kind::Conflict),
            (404, Kind::NotFound),
            (405, Kind::Invalid),
            (409, Kind::Conflict),
            (500, Kind::Server),
            (503, Kind::Server),
        ];
        for (status, kind) in cases {
            assert_eq!(
                from_client(answered(status, "No such container: db\n")),
                EngineError::new(kind, "No such container: db"),
                "{status}"
            );
        }
    }

    #[test]
    fn an_answer_without_words_still_says_its_status() {
        assert_eq!(
            from_status(500, "").message,
            "the Docker Engine answered with status 500 and no message"
        );
    }

    #[test]
    fn messages_are_sentences_without_a_full_stop() {
        assert_eq!(
            from_status(409, "The name is in use. Rename it to reuse that name.").message,
            "The name is in use. Rename it to reuse that name"
        );
        assert_eq!(from_status(500, "and so on...").message, "and so on...");
    }

    #[test]
    fn forbidden_is_what_the_state_does_not_allow_unless_a_plugin_decides_who_may() {
        assert!(from_status(403, "network x has active endpoints").is_conflict());
        assert_eq!(from_status(403, "authorization denied by plugin p: no").kind, Kind::Denied);
    }

    #[test]
    fn a_response_forbidden_by_a_proxy_is_denied_and_shown_as_text() {
        let page = "<html><head></head>\n<body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.</body></html>\n";
        let denied = from_status(403, &forbidden_before(page));
        let text = "a proxy or plugin in front of the Docker Engine forbids it (403): 403 Forbidden Request forbidden by administrative rules";
        assert_eq!((denied.kind, denied.message.as_str()), (Kind::Denied, text));
        assert_eq!(denied.hint.as_deref(), Some(DENIED_HINT));
        assert_eq!(from_status(403, &forbidden_before("RBAC: access denied")).kind, Kind::Denied);
        assert_eq!(
            from_status(403, &forbidden_before("")).message,
            "a proxy or plugin in front of the Docker Engine forbids it (403)"
        );
        assert_eq!(
            from_status(502, "<html><h1>502 Bad Gateway</h1></html>").message,
            "502 Bad Gateway"
        );
        assert_eq!(
            from_status(409, "a <b> is taken").message,
            "a <b> is taken",
            "an engine's message is no page"
        );
    }

    #[test]
    fn a_full_disk_differs_from_other_server_errors() {
        let words = "write /var/lib/docker/overlay2/0a-init/link: no space left on device";
        assert_eq!(from_status(500, words).kind, Kind::NoSpace);
        assert_eq!(
            from_status(500, "mkdir /var/lib/docker/overlay2/0a: disk quota exceeded").kind,
            Kind::NoSpace
        );
        assert_eq!(from_stream(words).kind, Kind::NoSpace);
        assert_eq!(about_transfer(from_status(500, words)).kind, Kind::NoSpace);
        assert_eq!(from_status(409, words).kind, Kind::Conflict, "what the status says counts");
    }

    #[test]
    fn a_denial_by_a_registry_differs_from_an_unreachable_registry() {
        let cases = [
            (
                404,
                "pull access denied for local/none, repository does not exist or may require 'docker login'",
                Kind::NotFound,
            ),
            (
                404,
                "manifest for redis:99 not found: manifest unknown: manifest unknown",
                Kind::NotFound,
            ),
            (403, "denied: requested access to the resource is denied", Kind::Denied),
            (
                500,
                "Head \"https://registry.example/v2/\": unauthorized: incorrect username or password",
                Kind::Denied,
            ),
            (
                500,
                "Get \"https://registry.example/v2/\": dial tcp: lookup registry.example: no such host",
                Kind::Failed,
            ),
        ];
        for (status, message, kind) in cases {
            assert_eq!(
                about_transfer(from_client(answered(status, message))).kind,
                kind,
                "{message}"
            );
        }
        let stream = from_client(ClientError::DockerStreamError {
            error: "denied: requested access to the resource is denied".into(),
        });
        assert_eq!(stream.kind, Kind::Denied);
        assert_eq!(from_stream("unexpected EOF").kind, Kind::Failed);
    }

    #[test]
    fn socket_errors_say_whether_the_engine_runs_or_may_not_be_opened() {
        assert_eq!(
            from_client(io::Error::from(io::ErrorKind::PermissionDenied).into()).kind,
            Kind::PermissionDenied
        );
        assert_eq!(
            from_client(io::Error::from(io::ErrorKind::ConnectionRefused).into()).kind,
            Kind::Unreachable
        );
        let lost = from_client(io::Error::from(io::ErrorKind::ConnectionReset).into());
        assert_eq!(
            (lost.kind, lost.message.as_str()),
            (Kind::Unreachable, "the connection to the Docker Engine was lost: connection reset")
        );
    }

    #[test]
    fn a_call_without_an_answer_is_a_timeout() {
        let error = from_client(ClientError::RequestTimeoutError);
        assert_eq!(
            (error.kind, error.message.as_str()),
            (Kind::Timeout, "the Docker Engine did not answer in time")
        );
    }
}
