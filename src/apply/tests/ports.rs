//! Ports of the machine that a process uses which is not a container.

use super::*;
use crate::host::Listener;

fn listen(machine: &Machine, address: &str, protocol: &str, process: Option<&str>) {
    let process = process.map(str::to_owned);
    machine.host.listen(Listener {
        address: address.parse().unwrap(),
        port: 8000,
        protocol: protocol.to_owned(),
        process,
    });
}

fn web(ports: &[&str]) -> Value {
    json!({"services": {"web": {"image": "web:1", "ports": ports}, "db": {"image": "db:1"}}})
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn a_port_that_a_process_has_is_refused_before_anything_is_touched() {
    for (address, protocol, wanted, shown) in [
        ("0.0.0.0", "tcp", "8000:8000", "8000"),
        ("0.0.0.0", "tcp", "127.0.0.1:8000:8000", "8000"),
        ("127.0.0.1", "tcp", "8000:8000", "8000"),
        ("127.0.0.1", "tcp", "0.0.0.0:8000:8000", "8000"),
        ("::", "tcp", "[::1]:8000:8000", "8000"),
        ("::1", "tcp", "[::]:8000:8000", "8000"),
        ("::", "tcp", "8000:8000", "8000"),
        ("0.0.0.0", "udp", "8000:53/udp", "8000/udp"),
        ("0.0.0.0", "tcp", "7998-8001:7998-8001", "8000"),
    ] {
        let machine = machine();
        machine.up(&web(&[])).unwrap();
        listen(&machine, address, protocol, Some("nginx (pid 812)"));
        let events = machine.events();
        let failure = machine.up(&web(&[wanted])).unwrap_err();
        let message =
            format!("The port {shown} of \"web\" is already taken by the process nginx (pid 812)");
        assert_eq!(
            (failure.kind, failure.message),
            (Kind::Conflict, message),
            "{address} {wanted}"
        );
        assert_eq!(failure.path.unwrap().to_string(), "services.web.ports");
        assert_eq!(machine.happened_from(events), Vec::<String>::new(), "nothing was touched");
        machine.host.stop_listening(8000);
        machine.up(&web(&[wanted])).unwrap();
    }
}

#[test]
fn a_process_on_another_address_port_or_protocol_is_not_in_the_way() {
    for (address, protocol, wanted) in [
        ("127.0.0.1", "tcp", "127.0.0.2:8000:8000"),
        ("0.0.0.0", "udp", "8000:8000"),
        ("0.0.0.0", "tcp", "8000:53/udp"),
        ("0.0.0.0", "tcp", "8001:8000"),
        ("0.0.0.0", "tcp", "[::]:8000:8000"),
        ("0.0.0.0", "tcp", "8000"),
    ] {
        let machine = machine();
        listen(&machine, address, protocol, Some("nginx (pid 812)"));
        machine
            .up(&web(&[wanted]))
            .unwrap_or_else(|failure| panic!("{address} {wanted}: {failure}"));
    }
}

#[test]
fn a_port_that_a_container_has_is_the_containers_whoever_listens_for_it() {
    for process in [None, Some("docker-proxy (pid 7)"), Some("nginx (pid 812)")] {
        let machine = machine();
        machine.up(&web(&["8000:8000"])).unwrap();
        listen(&machine, "0.0.0.0", "tcp", process);
        machine
            .up(&with(web(&["8000:8000"]), "services.web.environment", json!({"A": "1"})))
            .unwrap();
    }
    // Left by a container that is ending, or by another engine: the engine reports it at the start.
    let machine = machine();
    listen(&machine, "0.0.0.0", "tcp", Some("docker-proxy (pid 7)"));
    machine.up(&web(&["8000:8000"])).unwrap();
}

#[test]
fn a_local_listener_does_not_conflict_with_a_remote_engine() {
    let machine = machine_with(1, SimEngineBuilder::remote);
    listen(&machine, "0.0.0.0", "tcp", None);
    machine.up(&web(&["8000:8000"])).unwrap();
}
