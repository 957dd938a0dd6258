//! Requests in flight through a simulated nginx: each rule of the model.

use super::*;
use std::collections::HashMap;

const FOLDER: &str = "/etc/nginx/conf.d/releases";

/// nginx and two backends on one network. The clients send a request each 100 ms from now on.
struct Stack {
    fixture: EngineFixture,
    ids: [String; 2],
}

fn of_service(image: &str, service: &str, alias: &[&str]) -> ContainerCreateBody {
    let labels = [
        ("com.docker.compose.service".to_owned(), service.to_owned()),
        ("dev.spc.release".to_owned(), "v1".to_owned()),
    ];
    ContainerCreateBody {
        labels: Some(HashMap::from(labels)),
        ..on_network(image, "back", alias, None)
    }
}

fn clients(every: u64, takes: u64) -> Clients {
    Clients {
        proxy: "nginx".to_owned(),
        service: "backend".to_owned(),
        port: 8000,
        every: Duration::from_millis(every),
        takes: Duration::from_millis(takes),
        keep_alive: false,
    }
}

fn stack_with(setup: impl FnOnce(SimEngineBuilder) -> SimEngineBuilder) -> Stack {
    let fixture =
        fixture(|builder| setup(builder.image("nginx:1", ImageSpec::command(&["nginx"]))));
    fixture.run(fixture.engine.network_create(network("back", Some("10.1.0.0/24")))).unwrap();
    fixture.up("nginx", of_service("nginx:1", "nginx", &["nginx"]));
    let ids = ["backend-1", "backend-2"]
        .map(|name| fixture.up(name, of_service("app:1", "backend", &["backend"])));
    Stack { fixture, ids }
}

fn stack() -> Stack {
    stack_with(|builder| builder)
}

impl Stack {
    fn clients(self, every: u64, takes: u64) -> Self {
        self.fixture.engine.add_clients(clients(every, takes));
        self
    }

    fn pass(&self, seconds: f64) {
        self.fixture.pass(seconds);
    }

    /// Container, status and reason of each lost request, and how many there are.
    fn lost(&self) -> (u64, Vec<(String, u16, String)>) {
        let report = self.fixture.engine.requests();
        let failures = report.failures.into_iter();
        (report.lost, failures.map(|lost| (lost.container, lost.status, lost.reason)).collect())
    }

    fn nothing_is_lost(&self) {
        assert_eq!(self.lost(), (0, Vec::new()));
    }

    fn first_reason(&self) -> String {
        self.lost().1.first().map(|(_, _, reason)| reason.clone()).unwrap_or_default()
    }

    /// The output of a command in nginx's container.
    fn nginx(&self, command: &[&str]) -> String {
        let command = command.iter().map(|word| (*word).to_owned()).collect();
        let request = ExecRequest { command, ..ExecRequest::default() };
        self.fixture.run(async {
            let session = self.fixture.engine.exec_start("nginx", &request).await.unwrap();
            let chunks: Vec<_> = session.output.try_collect().await.unwrap();
            chunks.iter().map(|chunk| String::from_utf8_lossy(&chunk.bytes).into_owned()).collect()
        })
    }

    /// The clients of the first `share` percent go to these hosts.
    fn route(&self, generation: &str, hosts: &[&str], share: u64) {
        let servers: Vec<String> =
            hosts.iter().map(|host| format!("    server {host}:8000 resolve;\n")).collect();
        let upstream = format!("upstream backend_next {{\n{}}}\n", servers.concat());
        let split: String = (0..share).map(|bucket| format!("{bucket} backend_next;\n")).collect();
        for (name, text) in [
            ("backend.upstream", upstream),
            ("backend.split", split),
            ("generation", format!("default \"{generation}\";\n")),
        ] {
            let mut tar = tar::Builder::new(Vec::new());
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            header.set_mode(0o644);
            let path = format!("{}/{name}", FOLDER.trim_start_matches('/'));
            tar.append_data(&mut header, path, text.as_bytes()).unwrap();
            let tar = Bytes::from(tar.into_inner().unwrap());
            self.fixture.run(self.fixture.engine.container_upload("nginx", "/", tar)).unwrap();
        }
    }

    fn reload(&self) {
        self.nginx(&["nginx", "-s", "reload"]);
    }

    fn generation(&self) -> String {
        self.nginx(&["curl", "http://127.0.0.1:8090/generation"]).trim().to_owned()
    }

    /// The far ends of nginx's connections, and the number of old workers.
    fn connections(&self) -> (Vec<String>, usize) {
        let text = self.nginx(&["/bin/sh", "-c", "awk '{}' /proc/net/tcp"]);
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        let workers = lines.pop().unwrap().parse().unwrap();
        lines.pop();
        (lines, workers)
    }

    fn stop(&self, name: &str, grace: u64) {
        let request =
            StopRequest { grace: Some(Duration::from_secs(grace)), ..StopRequest::default() };
        self.fixture.run(self.fixture.engine.container_stop(name, &request)).unwrap();
    }

    fn short(&self, at: usize) -> &str {
        &self.ids[at][..12]
    }
}

#[test]
fn requests_take_turns_between_the_containers_with_the_alias() {
    let stack = stack().clients(100, 250);
    stack.pass(1.05);
    assert_eq!(stack.fixture.engine.requests().sent, 10);
    let (far, workers) = stack.connections();
    assert_eq!(workers, 0);
    assert!(far.contains(&"0300010A:1F40".to_owned()), "{far:?}");
    assert!(far.contains(&"0400010A:1F40".to_owned()), "{far:?}");
    stack.nothing_is_lost();
}

#[test]
fn without_a_running_proxy_a_request_has_no_status() {
    let stack = stack().clients(100, 50);
    stack.stop("nginx", 1);
    stack.pass(0.5);
    let (_, lost) = stack.lost();
    assert!(lost.iter().all(|(container, status, _)| container == "nginx" && *status == 0));
    assert_eq!(stack.first_reason(), "the proxy \"nginx\" does not run");
}

#[test]
fn a_recreated_proxy_cuts_what_is_in_flight_through_it() {
    let stack = stack().clients(1_000, 20_000);
    stack.pass(1.5);
    stack.fixture.run(stack.fixture.engine.container_remove("nginx", true, false)).unwrap();
    let (count, lost) = stack.lost();
    assert_eq!((count, lost[0].1), (1, 0));
    assert!(lost[0].2.starts_with("nginx ended"), "{lost:?}");
}

#[test]
fn without_a_container_there_is_no_upstream() {
    let stack = stack();
    for name in ["backend-1", "backend-2"] {
        stack.stop(name, 1);
    }
    let stack = stack.clients(100, 50);
    stack.pass(0.15);
    assert_eq!(stack.first_reason(), "nginx has no address for its upstream \"backend\"");
    assert_eq!(stack.lost().1[0].1, 502);
}

#[test]
fn an_application_that_is_not_up_refuses_requests() {
    let slow = Process::new().ready_after(Duration::from_secs(5));
    let stack = stack_with(|builder| builder.process("backend-2", slow)).clients(100, 50);
    stack.pass(3.0);
    let (_, lost) = stack.lost();
    assert!(lost.iter().all(|(container, status, _)| container == "backend-2" && *status == 502));
    assert!(stack.first_reason().starts_with("the application in the container is not up yet"));
}

#[test]
fn a_killed_container_loses_its_requests() {
    let stack = stack().clients(400, 2_000);
    stack.pass(1.0);
    stack.fixture.run(stack.fixture.engine.container_kill("backend-1", "KILL")).unwrap();
    stack.pass(0.1);
    let (count, lost) = stack.lost();
    assert_eq!((count, lost[0].0.as_str(), lost[0].1), (1, "backend-1", 502));
    assert!(lost[0].2.starts_with("the container was killed"), "{lost:?}");
}

#[test]
fn a_graceful_stop_finishes_requests_within_its_grace_period() {
    for (grace, lost) in [(10, 0), (1, 1)] {
        let stack = stack();
        stack.stop("backend-2", 1);
        stack.pass(2.0);
        let stack = stack.clients(4_000, 3_000);
        stack.pass(5.0);
        stack.stop("backend-1", grace);
        assert_eq!(stack.lost().0, lost, "a grace period of {grace} s: {:?}", stack.lost());
    }
}

#[test]
fn an_application_that_drops_its_requests_loses_them_at_a_graceful_stop() {
    let stack = stack_with(|builder| builder.process("backend-1", Process::new().drops_requests()));
    stack.stop("backend-2", 1);
    stack.pass(2.0);
    let stack = stack.clients(4_000, 3_000);
    stack.pass(5.0);
    stack.stop("backend-1", 10);
    assert_eq!(stack.lost().0, 1);
    assert!(stack.first_reason().starts_with("the container ended"));
}

#[test]
fn a_container_that_stops_takes_no_new_request() {
    let stack = stack();
    stack.stop("backend-2", 1);
    stack.pass(2.0);
    let stack = stack.clients(1_000, 3_000);
    stack.pass(1.5);
    stack.stop("backend-1", 10);
    assert!(stack.first_reason().starts_with("the container stops and takes no new request"));
}

#[test]
fn a_disconnect_cuts_requests_also_if_the_container_is_connected_again() {
    let stack = stack().clients(400, 2_000);
    stack.pass(1.0);
    let engine = &stack.fixture.engine;
    stack.fixture.run(async {
        engine.network_disconnect("back", "backend-1", false).await.unwrap();
        let endpoint = EndpointSettings {
            aliases: Some(vec!["backend".to_owned()]),
            ..EndpointSettings::default()
        };
        engine.network_connect("back", "backend-1", endpoint).await.unwrap();
    });
    let (count, lost) = stack.lost();
    assert_eq!((count, lost[0].0.as_str(), lost[0].1), (1, "backend-1", 504));
    stack.pass(3.0);
    assert_eq!(stack.lost().0, 1, "new requests find its new connection: {:?}", stack.lost());
}

#[test]
fn nginx_uses_an_address_for_a_second_after_its_container_is_gone() {
    let stack = stack().clients(100, 50);
    stack.pass(1.3);
    stack.stop("backend-1", 1);
    stack.pass(3.0);
    let (count, _) = stack.lost();
    assert!((1..=6).contains(&count), "{:?}", stack.lost());
    assert!(stack.first_reason().starts_with("no running container has the address 10.1.0.3"));
}

#[test]
fn an_address_of_another_service_is_no_answer() {
    let stack = stack().clients(100, 50);
    stack.pass(1.3);
    stack.stop("backend-1", 1);
    stack.fixture.up("other", of_service("app:1", "other", &[]));
    stack.pass(1.0);
    let (_, lost) = stack.lost();
    assert!(lost.iter().any(|(container, _, reason)| {
        container == "other" && reason.starts_with("the address belongs to another service")
    }));
}

#[test]
fn the_configuration_that_nginx_runs_counts_not_the_file() {
    let stack = stack();
    stack.route("7", &[stack.short(1)], 100);
    let stack = stack.clients(100, 5_000);
    stack.pass(1.0);
    assert_eq!(stack.generation(), "");
    assert!(stack.connections().0.contains(&"0300010A:1F40".to_owned()));
    stack.reload();
    assert_eq!(stack.generation(), "7");
    stack.pass(6.0);
    let (far, _) = stack.connections();
    assert!(far.iter().all(|far| far == "0400010A:1F40"), "{far:?}");
}

#[test]
fn a_new_name_has_no_address_right_after_a_reload() {
    let stack = stack();
    stack.route("7", &[stack.short(1)], 100);
    let stack = stack.clients(10, 50);
    stack.pass(0.5);
    stack.reload();
    let probe = ["/bin/sh", "-c", "curl 'http://127.0.0.1:8090/probe/backend_next/'"];
    assert!(stack.nginx(&probe).starts_with("502 502"));
    stack.pass(0.5);
    assert!(stack.nginx(&probe).starts_with("200 200"));
    let (count, lost) = stack.lost();
    assert!((5..=15).contains(&count), "{count}");
    assert_eq!(lost[0].2, "nginx has no address for its upstream \"backend_next\"");
}

#[test]
fn old_workers_live_until_their_requests_end() {
    let stack = stack().clients(1_000, 3_000);
    stack.pass(1.5);
    stack.route("7", &[stack.short(1)], 100);
    stack.reload();
    assert_eq!(stack.connections().1, 1);
    stack.pass(3.0);
    assert_eq!(stack.connections().1, 0);
    assert_eq!(stack.lost().0, 0, "{:?}", stack.lost());
}

#[test]
fn a_kept_connection_sends_one_more_request_to_old_workers() {
    let stack = stack();
    stack.stop("backend-2", 1);
    stack.fixture.run(stack.fixture.engine.container_start("backend-2")).unwrap();
    stack.fixture.engine.add_clients(Clients { keep_alive: true, ..clients(4_000, 1_000) });
    stack.pass(5.5);
    stack.route("7", &[stack.short(1)], 100);
    stack.reload();
    assert_eq!(stack.connections(), (Vec::new(), 1), "its connection is open");
    stack.pass(2.6);
    assert_eq!(stack.connections().1, 1, "the old workers have the next request");
    stack.pass(1.5);
    assert_eq!(stack.connections().1, 0);
    stack.nothing_is_lost();
}

#[test]
fn a_share_of_the_clients_gets_the_other_upstream() {
    let stack = stack();
    stack.route("7", &[stack.short(1)], 20);
    stack.reload();
    stack.pass(0.5);
    let stack = stack.clients(10, 50);
    stack.pass(10.0);
    let log = stack.fixture.run(async {
        let request = LogsRequest::default();
        let output = stack.fixture.engine.container_logs("nginx", &request).await.unwrap();
        let chunks: Vec<_> = output.try_collect().await.unwrap();
        chunks.iter().map(|it| String::from_utf8_lossy(&it.bytes).into_owned()).collect::<String>()
    });
    let next = log.lines().filter(|line| line.contains("\"upstream_group\":\"backend_next\""));
    let next = next.count();
    assert!(next.abs_diff(200) <= 10, "{next} of {}", log.lines().count());
}

#[test]
fn a_release_answers_as_the_test_says() {
    let stack = stack();
    stack.fixture.engine.set_answers(ReleaseAnswers {
        service: "backend".to_owned(),
        release: "v1".to_owned(),
        errors: 0.2,
        takes: Duration::from_secs(1),
    });
    let stack = stack.clients(100, 50);
    stack.pass(11.05);
    let report = stack.fixture.engine.requests();
    assert_eq!((report.errors, report.lost), (20, 0));
    assert_eq!(stack.connections().0.len(), 10, "each takes a second");
}

#[test]
fn a_reload_can_come_late_or_never_or_without_addresses() {
    for (effect, at_once, later) in [
        (ProxyFaultEffect::Late(Duration::from_secs(5)), "", "7"),
        (ProxyFaultEffect::Ignored, "", ""),
        (ProxyFaultEffect::StaleAddresses, "7", "7"),
    ] {
        let stack = stack();
        stack.fixture.engine.proxy_fault(ProxyFault { nth: 1, effect: effect.clone() });
        stack.route("7", &[stack.short(1)], 100);
        stack.reload();
        assert_eq!(stack.generation(), at_once, "{effect:?}");
        stack.pass(6.0);
        assert_eq!(stack.generation(), later, "{effect:?}");
        let probe = ["/bin/sh", "-c", "curl 'http://127.0.0.1:8090/probe/backend_next/'"];
        let expected = if matches!(effect, ProxyFaultEffect::Late(_)) { "200" } else { "502" };
        assert!(stack.nginx(&probe).starts_with(expected), "{effect:?}");
        stack.reload();
        stack.pass(1.0);
        assert!(stack.nginx(&probe).starts_with("200"), "{effect:?}");
    }
}

#[test]
fn a_rejected_configuration_is_reported_once() {
    let stack = stack();
    stack.fixture.engine.proxy_fault(ProxyFault { nth: 1, effect: ProxyFaultEffect::Rejected });
    assert!(stack.nginx(&["nginx", "-t"]).contains("[emerg]"));
    assert_eq!(stack.nginx(&["nginx", "-t"]), "");
}

#[test]
fn a_started_proxy_reads_its_files() {
    let stack = stack();
    stack.route("7", &[stack.short(1)], 100);
    stack
        .fixture
        .run(stack.fixture.engine.container_restart("nginx", &StopRequest::default()))
        .unwrap();
    assert_eq!(stack.generation(), "7");
}
