use std::path::Path;
use std::sync::Arc;

use similar_asserts::assert_eq;

use super::*;
use crate::compose::file::source;
use crate::model::spec::{Project, ReadOptions};

/// `line:column message` of all mistakes in a file.
fn wrong(text: &str) -> Vec<String> {
    let file = ComposeFile::read(
        Arc::new(source("compose.yaml", text.as_bytes())),
        text.as_bytes(),
        &|_| None,
    )
    .expect("a map");
    let options = ReadOptions { directory: Path::new("/srv/app"), lookup: &|_| None };
    let found = read(&file, &file.description(Vec::new()), &|description, scope| match scope {
        ComparisonScope::Whole => Project::read("shop", description, &options),
        ComparisonScope::Parts => Project::read_parts("shop", description, &options),
    });
    let lines = |faults: Faults| {
        faults
            .list
            .iter()
            .map(|failure| line(failure, failure.hint.as_deref()))
            .chain(faults.is_cut.then(|| "…".to_owned()))
            .collect()
    };
    found.map_or_else(lines, |_| Vec::new())
}

#[test]
fn all_faults_of_a_file_are_found_at_their_places() {
    let text = "\
services:
  web:
    imge: nginx
    ports: [\"80:80\", \"x:1\", \"81:81\", \"y:2\"]
    volumes:
      - data:/data
      - nothing:/one
      - other:/two
    depends_on: [db, dbb, dc]
    environment:
      - PW=${PW:?set it}
  db:
    image: postgres
    restart: sometimes
    healthcheck: {test: [CMD, x], intervall: 1s}
    depends_on: {cache: {condition: service_helthy}}
  cache:
    ports: [\"82:82\"]
volumes:
  data: {drivr: local}
secrets:
  key: {}
";
    let expected = [
        "3:5: Unknown key \"imge\" in \"services.web\" (did you mean \"image\"?)",
        "4:22: \"x:1\" is not a port (write \"HOST:CONTAINER\", \"IP:HOST:CONTAINER\" or \"CONTAINER\"; a range is \"8000-8003\")",
        "4:38: \"y:2\" is not a port (write \"HOST:CONTAINER\", \"IP:HOST:CONTAINER\" or \"CONTAINER\"; a range is \"8000-8003\")",
        "7:9: There is no volume \"nothing\" (declare \"nothing\" under \"volumes\", beside \"services\"; a path begins with \"./\")",
        "8:9: There is no volume \"other\" (declare \"other\" under \"volumes\", beside \"services\"; a path begins with \"./\")",
        "9:22: There is no service \"dbb\" (did you mean \"db\"?)",
        "9:27: There is no service \"dc\" (did you mean \"db\"?)",
        "11:12: Required variable \"PW\" is not set: set it (set it in the environment or in .env: PW=…)",
        "14:14: \"restart\" can't be \"sometimes\" (available: no, always, unless-stopped, on-failure, on-failure:TIMES)",
        "15:35: Unknown key \"intervall\" in \"services.db.healthcheck\" (did you mean \"interval\"?)",
        "16:37: \"services.db.depends_on.cache.condition\" can't be \"service_helthy\" (did you mean \"service_healthy\"?)",
        "17:3: The service \"cache\" has neither \"image\" nor \"build\"",
        "20:10: Unknown key \"drivr\" in \"volumes.data\" (did you mean \"driver\"?)",
        "22:8: The secret \"key\" needs exactly one of \"file\" and \"environment\"",
    ];
    assert_eq!(wrong(text), expected);
}

#[test]
fn faults_caused_by_another_fault_are_not_reported() {
    // Without the wrong network, key of a volume, target or build, other parts would be wrong too.
    for (text, expected) in [
        (
            "services: {a: {image: x, networks: [\"n!\"]}}\nnetworks: {\"n!\": {}}",
            "\"n!\" can't be a name",
        ),
        ("services: {a: {image: x, volumes: [v:/v]}}\nvolumes: 1", "\"volumes\" has to be a map"),
        (
            "services: {a: {image: x, volumes: [v:/v], scale: 2}}\nvolumes: {v: {x-spc-shared: maybe}}",
            "x-spc-shared",
        ),
        (
            "services: {a: {image: x, volumes: [{type: volume, source: v, target: 1}]}}\nvolumes: {v: {}}",
            "target",
        ),
        ("services: {a: {build: {context: 1}}}", "context"),
        (
            "services: {a: {image: x, profiles: {}, container_name: cc}, b: {image: x, container_name: dd}}",
            "profiles",
        ),
    ] {
        let found = wrong(text);
        assert!(found.len() == 1 && found[0].contains(expected), "{text}: {found:?}");
    }
}

#[test]
fn the_search_for_faults_has_a_bound_and_says_so() {
    let many: String =
        (0..MOST + 5).map(|number| format!("  s{number}: {{image: x, odd: 1}}\n")).collect();
    let found = wrong(&format!("services:\n{many}"));
    assert_eq!((found.len(), found.last().map(String::as_str)), (MOST + 1, Some("…")));
    let exactly: String =
        (0..MOST).map(|number| format!("  s{number}: {{image: x, odd: 1}}\n")).collect();
    assert_eq!(wrong(&format!("services:\n{exactly}")).len(), MOST);
}

#[test]
fn a_file_without_faults_has_none() {
    assert_eq!(
        wrong(
            "services: {a: {image: x, networks: [n], depends_on: [b]}, b: {image: y}}\nnetworks: {n: }"
        ),
        [""; 0]
    );
}

#[test]
fn a_key_that_is_why_there_is_no_image_is_the_only_fault() {
    let hint = "spc";
    for key in ["imge", "biuld", "extends", "provider"] {
        let found = wrong(&format!("services:\n  web:\n    {key}: {hint}\n"));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with("3:5: "), "{found:?}");
    }
    assert_eq!(
        wrong("services:\n  web:\n    portz: []\n"),
        [
            "2:3: The service \"web\" has neither \"image\" nor \"build\"",
            "3:5: Unknown key \"portz\" in \"services.web\" (did you mean \"ports\"?)"
        ]
    );
}

#[test]
fn a_description_of_a_script_names_all_its_faults_and_each_hint_once() {
    let description = json!({ "services": {
        "a": { "imge": "x", "expose": [80] },
        "b": { "image": "x", "tmpfs": "/a", "ports": ["x:1"], "tty": true },
    } });
    let options = ReadOptions { directory: Path::new("/srv/app"), lookup: &|_| None };
    let failure = read_map(&description, &|description, scope| match scope {
        ComparisonScope::Whole => Project::read("shop", description, &options),
        ComparisonScope::Parts => Project::read_parts("shop", description, &options),
    })
    .unwrap_err();
    let mut lines: Vec<&str> = vec![&failure.message];
    lines.extend(failure.details[0].text.lines());
    let without_hints: Vec<&str> =
        lines.iter().map(|line| line.split(" (").next().unwrap()).collect();
    assert_eq!(
        without_hints,
        [
            "The Compose key \"expose\" in \"services.a\" is not supported yet",
            "Unknown key \"imge\" in \"services.a\"",
            "\"x:1\" is not a port",
            "The Compose key \"tmpfs\" in \"services.b\" is not supported yet",
            "The Compose key \"tty\" in \"services.b\" is not supported yet",
        ]
    );
    assert_eq!(failure.details[0].title, "also wrong in this description");
    let hint = "remove it: containers on one network reach all ports of each other";
    assert_eq!(failure.hint.as_deref(), Some(hint));
    let hints = failure.details[0].text.matches("(supported here: build, command, ").count();
    assert_eq!(hints, 1, "{}", failure.details[0].text);
}

#[test]
fn a_key_with_a_broken_value_does_not_count_as_absent() {
    let broken = "${A:?set it}";
    for (file, column) in [
        ("services: {web: {image: \"$\"}}", 26),
        ("services: {web: {build: \"$\"}}", 26),
        ("services: {web: {build: {context: \"$\"}}}", 36),
        ("services: {web: {image: x, healthcheck: {test: \"$\"}}}", 49),
        (
            "services: {web: {image: x, depends_on: {db: {condition: service_healthy}}}, db: {image: x, healthcheck: {test: \"$\"}}}",
            113,
        ),
        ("services: {web: {image: x, volumes: [{type: \"$\", source: a, target: /b}]}}", 46),
        ("services: {web: {image: x, volumes: [{type: bind, source: \"$\", target: /b}]}}", 60),
        ("services: {web: {image: x, volumes: [{type: bind, source: a, target: \"$\"}]}}", 71),
        ("services: {web: {image: x, ports: [{target: \"$\"}]}}", 46),
        ("services: {web: {image: x, secrets: [{source: \"$\"}]}}", 48),
        ("services: {web: {image: x, secrets: [key]}}\nsecrets: {key: {file: \"$\"}}", 24),
        ("services: {web: {image: x, configs: [key]}}\nconfigs: {key: {content: \"$\"}}", 27),
        (
            "services: {web: {image: x, networks: {n: {ipv4_address: 10.0.0.5}}}}\nnetworks: {n: {ipam: {config: [{subnet: \"$\"}]}}}",
            42,
        ),
    ] {
        let line = file.lines().count();
        let expected = format!(
            "{line}:{column} Required variable \"A\" is not set: set it (set it in the environment or in .env: A=…)"
        );
        assert_eq!(wrong(&file.replace('$', broken)), [expected.replacen(' ', ": ", 1)], "{file}");
    }
}
