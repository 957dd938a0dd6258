//! `x-spc-verify`: a new container answers a request before it takes over.

use similar_asserts::assert_eq;

use super::replacement::{level, names, running, web};
use super::*;
use crate::engine::sim::ExecAnswer;

fn verified(value: &str, order: &str) -> Value {
    let request = json!({"url": "http://web:8000/up", "header": {"X-Release": value}});
    let description = with(web(value, order), "services.web.x-spc-verify", request);
    with(description, "services.web.deploy.update_config.monitor", "0s")
}

fn answering(output: &str) -> Process {
    Process::new().answers("curl *", ExecAnswer::stdout(output.to_owned()))
}

#[test]
fn a_new_container_takes_over_once_it_is_verified() {
    for order in ["stop-first", "start-first"] {
        let machine = running(&verified("1", order));
        if order == "start-first" {
            machine.engine.keep_ready("web", 1);
        }
        let output = "HTTP/1.1 200 OK\r\nx-release: 2\r\n\r\n";
        machine.engine.set_process("shop-web-1.new", answering(output));
        machine.up(&verified("2", order)).unwrap();
        assert_eq!((level(&machine, "shop-web-1").as_str(), names(&machine).len()), ("2", 1));
    }
}

#[test]
fn a_wrong_answer_restores_the_old_container_and_names_all_of_it() {
    for (output, found) in [
        (
            "HTTP/1.1 200 OK\r\nX-Release: 1\r\n\r\n",
            "answered with status 200, but the header \"X-Release: 1\", expected \"2\"",
        ),
        (
            "HTTP/1.1 204 No Content\r\n\r\n",
            "answered with status 204, but without the header \"X-Release\", expected \"2\"",
        ),
        (
            "HTTP/1.1 503 Busy\r\nX-Release: 2\r\n\r\n",
            "answered with status 503, expected 200 to 299",
        ),
        ("curl: (7) Failed to connect", "gave no answer in 10 s, expected a status of 200 to 299"),
    ] {
        for order in ["stop-first", "start-first"] {
            let machine = running(&verified("1", order));
            if order == "start-first" {
                machine.engine.keep_ready("web", 1);
            }
            machine.engine.set_process("shop-web-1.new", answering(output));
            let failure = machine.up(&verified("2", order)).unwrap_err();
            let message = "\"web\" was ready, but its verification failed: http://web:8000/up ";
            assert_eq!(failure.message, format!("{message}{found}"));
            assert_eq!(failure.kind, Kind::Unhealthy);
            assert_eq!(failure.fields["url"], json!("http://web:8000/up"));
            let web = machine.state().container("shop-web-1").unwrap().clone();
            assert_eq!((level(&machine, "shop-web-1").as_str(), names(&machine).len()), ("1", 1));
            assert_eq!(web.starts, if order == "start-first" { 1 } else { 2 });
            assert_eq!(web.networks["shop_front"].aliases, ["web", "site"]);
        }
    }
}

#[test]
fn wget_asks_where_there_is_no_curl_and_without_both_the_error_says_so() {
    let none = |program: &str| {
        ExecAnswer::cannot_run(&format!("exec: \"{program}\": executable file not found in $PATH"))
    };
    let machine = running(&verified("1", "stop-first"));
    let wget = ExecAnswer::failure(0, "  HTTP/1.1 200 OK\n  X-Release: 2\n");
    let process = Process::new().answers("curl *", none("curl")).answers("wget *", wget);
    machine.engine.set_process("shop-web-1.new", process);
    machine.up(&verified("2", "stop-first")).unwrap();
    let process = Process::new().answers("curl *", none("curl")).answers("wget *", none("wget"));
    machine.engine.set_process("shop-web-1.new", process);
    let failure = machine.up(&verified("3", "stop-first")).unwrap_err();
    assert_eq!(
        failure.message,
        "\"web\" can't be verified: its image has neither \"curl\" nor \"wget\""
    );
    assert_eq!(level(&machine, "shop-web-1"), "2");
}

#[test]
fn a_server_may_need_a_moment_until_it_listens() {
    let machine = running(&verified("1", "stop-first"));
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let process = Process::new().on_exec(move |request, _| {
        let is_request = request.command[0] == "curl" && request.command.len() > 1;
        (is_request && asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed) < 3)
            .then(|| ExecAnswer::failure(7, "curl: (7) Failed to connect"))
    });
    machine.engine.set_process("shop-web-1.new", process);
    machine.up(&verified("2", "stop-first")).unwrap();
    assert_eq!(level(&machine, "shop-web-1"), "2");
}

#[test]
fn a_first_container_is_verified_too() {
    let machine = machine();
    machine.engine.set_process("web", answering("HTTP/1.1 500 No\r\n\r\n"));
    let failure = machine.up(&verified("1", "stop-first")).unwrap_err();
    assert!(failure.message.contains("status 500"), "{failure}");
}
