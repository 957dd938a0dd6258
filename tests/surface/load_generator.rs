//! The load generator sees every failure that a server can cause, and no other.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::load_generator::{FailureClass, Kind, Latency, Load, Measurement, Period};

/// A server that handles each connection with `serve`, on a thread of its own. It lives as long as
/// the tests.
fn server(serve: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    let serve = Arc::new(serve);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let serve = serve.clone();
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    port
}

/// A request as a server reads it.
struct Request {
    line: String,
    body: Vec<u8>,
}

/// The next request of a connection. `None` if the client closed it.
fn next_request(reader: &mut BufReader<TcpStream>) -> Option<Request> {
    let (mut line, mut length) = (String::new(), 0);
    loop {
        let mut text = String::new();
        if reader.read_line(&mut text).unwrap_or(0) == 0 {
            return None;
        }
        let text = text.trim_end().to_ascii_lowercase();
        if text.is_empty() {
            break;
        }
        if let Some(value) = text.strip_prefix("content-length: ") {
            length = value.parse().unwrap();
        }
        if line.is_empty() {
            line = text;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(Request { line, body })
}

/// The right body for a request of the generator.
fn right_body(request: &Request) -> Vec<u8> {
    let text =
        request.line.split("text=").nth(1).map(|rest| rest.split(['&', ' ']).next().unwrap());
    text.map_or_else(|| request.body.clone(), |text| text.as_bytes().to_vec())
}

fn answer(stream: &mut TcpStream, status: &str, headers: &str, body: &[u8]) {
    let head = format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n", body.len());
    let _ = stream.write_all(&[head.as_bytes(), body].concat());
}

/// A server that answers the first `right` requests of each connection, and then does `then`.
fn server_that(
    right: usize,
    headers: &'static str,
    then: impl Fn(TcpStream, Request) + Send + Sync + 'static,
) -> u16 {
    server(move |stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut writer = stream.try_clone().unwrap();
        for _ in 0..right {
            let Some(request) = next_request(&mut reader) else { return };
            answer(&mut writer, "200 OK", headers, &right_body(&request));
        }
        if let Some(request) = next_request(&mut reader) {
            then(stream, request);
        }
    })
}

fn load(port: u16, kind: Kind) -> Load {
    let mut load = Load::new(port).with(kind, 1);
    load.pause = Duration::from_millis(1);
    load.slow = Duration::from_millis(100);
    load.most_time = Duration::from_secs(60);
    load.upload_bytes = 100_000;
    load
}

/// Runs a load until `requests` requests have ended.
fn measure(load: Load, requests: usize) -> Measurement {
    let running = load.start();
    let end = Instant::now() + Duration::from_secs(60);
    while running.requests() < requests {
        assert!(Instant::now() < end, "{} of {requests} requests ended", running.requests());
        std::thread::sleep(Duration::from_millis(5));
    }
    running.stop()
}

#[track_caller]
fn assert_only(measured: &Measurement, class: FailureClass) {
    let failures = measured.failures();
    assert!(!failures.is_empty(), "no failure");
    assert_eq!(failures.keys().collect::<Vec<_>>(), [&class], "{:?}", measured.notes);
}

#[test]
fn right_answers_are_no_failures() {
    let port = server_that(usize::MAX, "X-Release: v7\r\n", |_, _| {});
    for kind in [Kind::KeepAliveGet, Kind::KeepAlivePost, Kind::FreshGet, Kind::Slow] {
        let measured = measure(load(port, kind), 20);
        assert_eq!((measured.failures(), measured.exhausted), (BTreeMap::new(), false), "{kind}");
        assert_eq!(measured.of(kind), (measured.requests(), 0));
        assert_eq!(measured.releases(), BTreeMap::from([("v7", measured.requests())]));
    }
}

#[test]
fn an_announced_close_is_no_failure() {
    let port = server_that(1, "Connection: close\r\n", |_, _| {});
    for kind in [Kind::KeepAliveGet, Kind::KeepAlivePost] {
        assert_eq!(measure(load(port, kind), 20).failures(), BTreeMap::new(), "{kind}");
    }
}

#[test]
fn a_connection_that_the_server_closed_while_idle_is_a_failure() {
    let port = server(|stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let Some(request) = next_request(&mut reader) else { return };
        answer(&mut stream.try_clone().unwrap(), "200 OK", "", &right_body(&request));
        stream.shutdown(Shutdown::Both).unwrap();
    });
    let mut load = load(port, Kind::KeepAlivePost);
    load.pause = Duration::from_millis(50);
    let measured = measure(load, 20);
    assert_only(&measured, FailureClass::Closed);
    // Every other request opens a connection, and the next one meets its end.
    assert!(measured.failed().abs_diff(measured.requests() / 2) <= 1, "{:?}", measured.failures());
}

#[test]
fn a_request_without_an_answer_is_a_failure_and_is_not_sent_again() {
    for kind in [Kind::KeepAliveGet, Kind::KeepAlivePost, Kind::FreshGet] {
        let port = server_that(0, "", |stream, _| drop(stream));
        let measured = measure(load(port, kind), 5);
        assert_only(&measured, FailureClass::Reset);
        assert_eq!(measured.failed(), measured.requests());
    }
}

#[test]
fn an_answer_that_was_only_partly_read_is_a_failure() {
    let heads = ["Content-Length: 1000", "Transfer-Encoding: chunked"];
    for head in heads {
        let port = server_that(0, "", move |mut stream, request| {
            let body = String::from_utf8(right_body(&request)).unwrap();
            let size = format!("{:x}\r\n", body.len());
            let size = if head.starts_with('T') { &size } else { "" };
            write!(stream, "HTTP/1.1 200 OK\r\n{head}\r\n\r\n{size}{body}\r\n").unwrap();
        });
        assert_only(&measure(load(port, Kind::Slow), 5), FailureClass::Truncated);
    }
}

#[test]
fn another_status_is_a_failure_with_the_answer_as_its_reason() {
    let port = server_that(0, "", |mut stream, _| {
        answer(&mut stream, "502 Bad Gateway", "X-Release: v7\r\n", b"no live upstreams");
    });
    let measured = measure(load(port, Kind::FreshGet), 20);
    assert_eq!(
        (measured.failed_elsewhere("v7"), measured.failed_elsewhere("v6")),
        (0, measured.failed())
    );
    assert_only(&measured, FailureClass::Status);
    assert_eq!(measured.notes[0].failure.reason, "502: no live upstreams");
    assert_eq!((measured.notes.len(), measured.notes[0].kind), (5, Kind::FreshGet));
}

#[test]
fn the_answer_to_another_request_is_a_failure() {
    let port = server_that(0, "", |mut stream, _| answer(&mut stream, "200 OK", "", b"{}"));
    for kind in [Kind::KeepAlivePost, Kind::Slow, Kind::Upload] {
        assert_only(&measure(load(port, kind), 5), FailureClass::Content);
    }
}

#[test]
fn a_server_that_does_not_listen_is_a_failure() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    for kind in [Kind::KeepAliveGet, Kind::WebSocket] {
        assert_only(&measure(load(port, kind), 2), FailureClass::Connect);
    }
}

#[test]
#[ignore = "slow: it waits for the time limit of a request"]
fn an_answer_that_does_not_come_is_a_failure() {
    let port = server_that(0, "", |stream, _| {
        std::thread::sleep(Duration::from_secs(60));
        drop(stream);
    });
    assert_only(&measure(load(port, Kind::KeepAlivePost), 1), FailureClass::Timeout);
}

/// A server of WebSockets that answers messages, then does `then`.
fn websockets(messages: usize, then: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    server(move |mut stream| {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        if next_request(&mut reader).is_none() {
            return;
        }
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x89\x00")
            .unwrap();
        let mut echoed = 0;
        while echoed < messages {
            let mut head = [0; 6];
            if reader.read_exact(&mut head).is_err() {
                return;
            }
            let mut payload = vec![0; usize::from(head[1] & 0x7f)];
            reader.read_exact(&mut payload).unwrap();
            // Its first frame may be the pong.
            if head[0] == 0x81 {
                echoed += 1;
                stream.write_all(&[&[0x81, head[1] & 0x7f], payload.as_slice()].concat()).unwrap();
            }
        }
        then(stream);
    })
}

fn socket_load(port: u16) -> Load {
    let mut load = load(port, Kind::WebSocket);
    load.message_interval = Duration::from_millis(1);
    load
}

#[test]
fn a_websocket_that_stays_open_is_not_cut() {
    let port = websockets(usize::MAX, |_| {});
    let running = socket_load(port).start();
    std::thread::sleep(Duration::from_millis(300));
    let measured = running.stop();
    assert_eq!((measured.requests(), measured.failed(), measured.cuts.len()), (1, 0, 0));
    assert!(measured.messages > 5, "{}", measured.messages);
}

#[test]
fn websockets_that_are_cut_are_no_failed_requests() {
    let port = websockets(2, |mut stream| {
        stream.write_all(&[0x88, 2, 0x03, 0xf4]).unwrap();
    });
    let measured = measure(socket_load(port), 5);
    assert_eq!(measured.failures(), BTreeMap::new());
    assert!(measured.cuts.len() >= 4, "{:?}", measured.cuts);
    assert_eq!(measured.cuts[0].reason, "closed with code 1012");

    let port = websockets(2, drop);
    let measured = measure(socket_load(port), 5);
    assert_eq!(measured.failures(), BTreeMap::new());
    assert!(measured.cuts[0].reason.contains("clos") || measured.cuts[0].reason.contains("lost"));
}

#[test]
fn a_refused_websocket_is_a_failed_request() {
    let port = server_that(0, "", |mut stream, _| answer(&mut stream, "502 Bad Gateway", "", b""));
    let measured = measure(load(port, Kind::WebSocket), 3);
    assert_only(&measured, FailureClass::Status);
    assert_eq!(measured.cuts.len(), 0);
}

/// Waits until the load ends by itself: the number of its requests stands still.
#[track_caller]
fn end_of(load: Load) -> Measurement {
    let running = load.start();
    let end = Instant::now() + Duration::from_secs(60);
    let mut sent = 0;
    loop {
        std::thread::sleep(Duration::from_secs(1));
        let now = running.requests();
        if now > 0 && now == sent {
            return running.stop();
        }
        assert!(Instant::now() < end, "it goes on: {now}");
        sent = now;
    }
}

#[test]
fn a_load_ends_at_its_limits() {
    let port = server_that(usize::MAX, "", |_, _| {});
    let mut by_count = load(port, Kind::KeepAliveGet);
    by_count.most_requests = 10;
    let measured = end_of(by_count);
    assert_eq!((measured.requests(), measured.exhausted), (10, true));

    let mut by_time = load(port, Kind::KeepAliveGet);
    by_time.most_time = Duration::from_millis(50);
    assert!(end_of(by_time).exhausted);
}

#[test]
fn latency_is_measured_during_a_deploy_and_outside() {
    let deploying = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let port = server({
        let deploying = deploying.clone();
        move |mut stream| {
            let mut reader = BufReader::new(stream.try_clone().unwrap());
            while let Some(request) = next_request(&mut reader) {
                if deploying.load(std::sync::atomic::Ordering::Relaxed) {
                    std::thread::sleep(Duration::from_millis(50));
                }
                answer(&mut stream, "200 OK", "", &right_body(&request));
            }
        }
    });
    let running = load(port, Kind::KeepAlivePost).start();
    std::thread::sleep(Duration::from_millis(300));
    running.during(|| {
        deploying.store(true, std::sync::atomic::Ordering::Relaxed);
        std::thread::sleep(Duration::from_millis(500));
        deploying.store(false, std::sync::atomic::Ordering::Relaxed);
    });
    std::thread::sleep(Duration::from_millis(100));
    let measured = running.stop();
    let latency = |period| measured.latency(period, Kind::is_quick).unwrap();
    let (during, outside) = (latency(Period::During), latency(Period::Outside));
    assert!(during.p50 >= Duration::from_millis(50), "{during:?}");
    assert!(outside.p50 < during.p50, "{outside:?} {during:?}");
    assert_eq!(measured.latency(Period::During, |kind| kind == Kind::Slow), None::<Latency>);
}
