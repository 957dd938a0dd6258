use super::*;

fn tcp(host: &str, port: u16, tls: bool) -> Address {
    Address::Tcp { host: host.into(), port, tls }
}

fn ssh(user: Option<&str>, host: &str, port: Option<u16>, socket: Option<&str>) -> Address {
    Address::Ssh(SshAddress {
        user: user.map(Into::into),
        host: host.into(),
        port,
        socket: socket.map(Into::into),
    })
}

#[test]
fn the_supported_forms_are_read_and_written_back() {
    let cases = [
        ("unix:///run/user/1000/docker.sock", Address::Unix("/run/user/1000/docker.sock".into())),
        (
            "unix:///home/Größe 1/데이터/docker.sock",
            Address::Unix("/home/Größe 1/데이터/docker.sock".into()),
        ),
        ("tcp://build.example:4000", tcp("build.example", 4000, false)),
        ("tcp://[::1]:2375", tcp("::1", 2375, false)),
        ("ssh://host", ssh(None, "host", None, None)),
        ("ssh://me@build.example:2222", ssh(Some("me"), "build.example", Some(2222), None)),
        ("ssh://me@[fe80::1%eth0]:22", ssh(Some("me"), "fe80::1%eth0", Some(22), None)),
        (
            "ssh://host/run/user/1000/docker.sock",
            ssh(None, "host", None, Some("/run/user/1000/docker.sock")),
        ),
    ];
    for (text, address) in cases {
        assert_eq!(Address::parse(text, false).as_ref(), Ok(&address), "{text}");
        assert_eq!(address.to_string(), text);
    }
}

#[test]
fn other_ways_to_write_them_are_read_too() {
    assert_eq!(Address::parse("http://10.0.0.7:2375/", false), Ok(tcp("10.0.0.7", 2375, false)));
    assert_eq!(Address::parse("engine:2375", false), Ok(tcp("engine", 2375, false)));
    assert_eq!(Address::parse("ssh://host/", false), Ok(ssh(None, "host", None, None)));
    assert_eq!(
        Address::parse("ssh://me%40corp@host:22/a%20b/d.sock", false),
        Ok(ssh(Some("me@corp"), "host", Some(22), Some("/a b/d.sock")))
    );
}

#[test]
fn the_default_port_depends_on_tls() {
    assert_eq!(Address::parse("tcp://engine", false), Ok(tcp("engine", 2375, false)));
    assert_eq!(Address::parse("tcp://engine", true), Ok(tcp("engine", 2376, true)));
}

#[test]
fn a_malformed_address_is_refused_with_the_reason_and_the_forms() {
    let cases = [
        ("/var/run/docker.sock", "it names no protocol"),
        ("unix://docker.sock", "the socket's path has to begin with \"/\""),
        ("tcp://", "it is not host:port"),
        ("tcp://engine:port", "the port is not a number up to 65535"),
        ("tcp://engine:99999", "the port is not a number up to 65535"),
        ("tcp://me@engine:2375", "it holds a user name"),
        ("tcp://engine:2375/docker", "a path after the port is not supported"),
        ("fd://3", "fd:// is where an engine listens; it is no way to it"),
        ("npipe:////./pipe/docker_engine", "a named pipe is there on Windows only"),
        ("gopher://engine", "the protocol \"gopher\" is not supported"),
        ("ssh://", "it names no host"),
        ("ssh://me@", "it names no host"),
        ("ssh://host:ssh", "the port is not a number up to 65535"),
        ("ssh://host:", "the port is not a number up to 65535"),
        ("ssh://::1", "an IPv6 address is written in brackets"),
        ("ssh://[::1", "a \"]\" is missing"),
        ("ssh://host/a.sock?x", "nothing may stand after the socket's path"),
        ("ssh://-oProxyCommand=x", "that is no host name"),
        ("ssh://host;x", "that is no host name"),
        ("ssh://-x@host", "that is no user name"),
        ("ssh://$(x)@host", "that is no user name"),
        ("ssh://host/a${HOME}.sock", "the socket's path can't be told to ssh"),
    ];
    for (text, why) in cases {
        assert_eq!(Address::parse(text, false), Err(AddressError::new(why)), "{text}");
    }
}

#[test]
fn a_password_is_refused_and_not_shown() {
    let error = Address::parse("ssh://me:secret@host", false).unwrap_err();
    assert_eq!(error.why, "it holds a password");
    assert!(error.hint.starts_with("remove the password"));
    assert_eq!(shown("ssh://me:secret@host:22"), "ssh://me:***@host:22");
    assert_eq!(shown("tcp://me:secret@host"), "tcp://me:***@host");
    assert_eq!(shown("ssh://me@host:22"), "ssh://me@host:22");
}
