//! Verifies a new container before it takes over: `x-spc-verify`.
//!
//! The request comes from a command in the container, because only there it surely reaches this
//! container: the name of the service leads to any of its containers, and the engine may be on
//! another machine. So the image needs `curl` or `wget`.

use std::time::Duration;

use super::VerbContext;
use super::observe::{InspectedContainer, inspect};
use super::readiness::{ContainerCommand, ProbeResult, cannot_run, run_in};
use crate::model::spec::Verification;
use crate::model::time::readable;
use crate::model::{Failure, Kind};

/// How long a server may need until it answers at all. Without a health check, a container is ready
/// before its server listens.
const PATIENCE: Duration = Duration::from_secs(10);
/// The pause between two attempts.
const AGAIN: Duration = Duration::from_millis(250);
/// The time limit of one request.
const LIMIT: Duration = Duration::from_secs(10);

/// An answer: its status, and its headers in order.
#[derive(Debug, Clone, PartialEq, Eq)]
struct HttpAnswer {
    status: u16,
    header: Vec<(String, String)>,
}

/// The programs that can make the request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Client {
    Curl,
    Wget,
}

impl Client {
    fn command(self, request: &Verification) -> Vec<String> {
        let host = format!("Host: {}", request.host);
        let words: Vec<&str> = match self {
            Self::Curl => vec![
                "curl",
                "--silent",
                "--show-error",
                "--noproxy",
                "*",
                "--dump-header",
                "-",
                "--output",
                "/dev/null",
                "--header",
                &host,
                &request.inside,
            ],
            // Only options that busybox has too.
            Self::Wget => {
                vec!["wget", "-S", "-t", "1", "-O", "/dev/null", "--header", &host, &request.inside]
            }
        };
        words.into_iter().map(str::to_owned).collect()
    }
}

/// Makes the request inside the container, and compares the answer.
pub async fn verify(
    ctx: &VerbContext,
    container: &str,
    service: &str,
    request: &Verification,
) -> Result<(), Failure> {
    let seen = inspect(&*ctx.engine, container).await?;
    let of = |failure: Failure| failure.field("service", service).field("url", request.url.clone());
    let answer = answer(ctx, &seen, service, request).await.map_err(of)?;
    match difference(&answer, request) {
        None => Ok(()),
        Some(difference) => {
            let message = format!(
                "\"{service}\" was ready, but its verification failed: {} answered with {difference}",
                request.url
            );
            Err(of(Failure::new(Kind::Unhealthy, message).field("status", answer.status)))
        }
    }
}

async fn answer(
    ctx: &VerbContext,
    seen: &InspectedContainer,
    service: &str,
    request: &Verification,
) -> Result<HttpAnswer, Failure> {
    let begun = ctx.host.monotonic();
    let mut client = Client::Curl;
    loop {
        let command = ContainerCommand {
            command: client.command(request),
            // The request must not leave the container.
            environment: ["http_proxy=", "HTTP_PROXY=", "all_proxy=", "ALL_PROXY="]
                .map(str::to_owned)
                .to_vec(),
            simulated: Some(expected_answer(request)),
            limit: LIMIT,
        };
        let result = run_in(ctx, seen, &command).await?;
        if result.as_ref().is_some_and(|result| cannot_run(result.code)) {
            if client == Client::Wget {
                let message = format!(
                    "\"{service}\" can't be verified: its image has neither \"curl\" nor \"wget\""
                );
                return Err(Failure::new(Kind::Unhealthy, message)
                    .hint("add one of them to the image, or remove x-spc-verify"));
            }
            client = Client::Wget;
            continue;
        }
        if let Some(answer) = result.as_ref().and_then(|result| parse(&result.output)) {
            return Ok(answer);
        }
        let waited = ctx.host.monotonic().saturating_sub(begun);
        if waited >= PATIENCE {
            return Err(no_answer(service, request, result));
        }
        ctx.host.sleep(AGAIN).await;
    }
}

fn no_answer(service: &str, request: &Verification, result: Option<ProbeResult>) -> Failure {
    let message = format!(
        "\"{service}\" was ready, but its verification failed: {} gave no answer in {}, expected a status of 200 to 299",
        request.url,
        readable(PATIENCE)
    );
    let failure = Failure::new(Kind::Unhealthy, message);
    match result {
        Some(result) => {
            failure.detail(format!("last request, exit code {}", result.code), result.output)
        }
        None => failure,
    }
}

/// The answer that passes, for simulated containers.
fn expected_answer(request: &Verification) -> String {
    let header = request.header.iter().map(|(name, value)| format!("{name}: {value}\r\n"));
    format!("HTTP/1.1 200 OK\r\n{}\r\n", header.collect::<String>())
}

/// The first answer in the output of a client that is not an interim one. `wget` indents it, and
/// follows redirects.
fn parse(output: &str) -> Option<HttpAnswer> {
    let mut lines = output.lines().map(str::trim);
    loop {
        let first = lines.by_ref().find(|line| line.starts_with("HTTP/"))?;
        let status: u16 = first.split_whitespace().nth(1)?.parse().ok()?;
        if status < 200 {
            continue;
        }
        let header = lines
            .by_ref()
            .map_while(|line| line.split_once(':'))
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect();
        return Some(HttpAnswer { status, header });
    }
}

/// What differs from the expected answer: `status 503, expected 200 to 299`.
fn difference(answer: &HttpAnswer, request: &Verification) -> Option<String> {
    let HttpAnswer { status, header } = answer;
    if !(200..300).contains(status) {
        return Some(format!("status {status}, expected 200 to 299"));
    }
    let wrong: Vec<String> = request
        .header
        .iter()
        .filter_map(|(name, value)| {
            let found: Vec<&str> = header
                .iter()
                .filter(|(other, _)| other.eq_ignore_ascii_case(name))
                .map(|(_, found)| found.as_str())
                .collect();
            if found.contains(&value.as_str()) {
                return None;
            }
            Some(if found.is_empty() {
                format!("without the header \"{name}\", expected \"{value}\"")
            } else {
                format!("the header \"{name}: {}\", expected \"{value}\"", found.join(", "))
            })
        })
        .collect();
    (!wrong.is_empty()).then(|| format!("status {status}, but {}", wrong.join(", and ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(header: &[(&str, &str)]) -> Verification {
        Verification {
            url: "http://web/up".to_owned(),
            host: "web".to_owned(),
            inside: "http://127.0.0.1/up".to_owned(),
            header: header.iter().map(|&(name, value)| (name.into(), value.into())).collect(),
        }
    }

    #[test]
    fn answers_of_curl_and_wget_are_read_alike() {
        let curl = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nX-Release: v2\r\nDate: Mon, 30 Nov\r\n\r\n";
        let wget = "Connecting to 127.0.0.1 (127.0.0.1:80)\n  HTTP/1.1 200 OK\n  x-release: v2\n  Date: Mon, 30 Nov\n  \nsaving to '/dev/null'\n";
        for (output, name) in [(curl, "X-Release"), (wget, "x-release")] {
            let answer = parse(output).unwrap();
            let header = [(name, "v2"), ("Date", "Mon, 30 Nov")];
            assert_eq!(
                answer.header,
                header.map(|(name, value)| (name.to_owned(), value.to_owned()))
            );
            assert_eq!(difference(&answer, &request(&[("X-Release", "v2")])), None);
        }
        let moved = "  HTTP/1.1 302 Found\n  Location: http://web/login\n  HTTP/1.1 200 OK\n";
        assert_eq!(parse(moved).unwrap().status, 302, "where it leads to is not the container");
        assert_eq!(parse("wget: can't connect to remote host: Connection refused"), None);
    }

    #[test]
    fn a_difference_names_what_was_expected_and_what_was_found() {
        let found = |output: &str, header: &[(&str, &str)]| {
            difference(&parse(output).unwrap(), &request(header)).unwrap()
        };
        assert_eq!(found("HTTP/1.1 503 Busy\n", &[]), "status 503, expected 200 to 299");
        assert_eq!(
            found("HTTP/2 204\nX-Release: v1\n", &[("X-Release", "v2"), ("X-Zone", "a")]),
            "status 204, but the header \"X-Release: v1\", expected \"v2\", and without the header \"X-Zone\", expected \"a\""
        );
    }
}
