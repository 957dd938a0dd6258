use std::path::Path;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::spec::{Project, ReadOptions};

fn variables(name: &str) -> Option<String> {
    match name {
        "TAG" => Some("15".to_owned()),
        "EMPTY" => Some(String::new()),
        "PORT" => Some("8080".to_owned()),
        _ => None,
    }
}

fn read(text: &str) -> Result<ComposeFile, Failure> {
    let file = ComposeFile::read(
        Arc::new(source("compose.yaml", text.as_bytes())),
        text.as_bytes(),
        &variables,
    )?;
    match file.faults.first() {
        Some(fault) => Err(fault.clone()),
        None => Ok(file),
    }
}

fn description(text: &str) -> Value {
    read(text).unwrap_or_else(|failure| panic!("{failure} {:?}", failure.place)).description
}

fn project(text: &str) -> Result<Project, Failure> {
    let file = read(text)?;
    let options = ReadOptions { directory: Path::new("/srv/app"), lookup: &variables };
    Project::read("spc", &file.description(Vec::new()), &options)
        .map_err(|failure| file.placed(failure))
}

/// A failure as `line:column underlined text: message (hint)`.
fn said(text: &str, failure: &Failure) -> String {
    let place = failure.place.as_deref().expect("a place");
    let line = text.trim_start_matches('\u{feff}').lines().nth(place.line - 1).unwrap_or_default();
    let marked: String = line.chars().skip(place.column - 1).take(place.width).collect();
    let hint = failure.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}:{} {marked}: {}{hint}", place.line, place.column, failure.message)
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let failure = project(text).expect_err(text);
    assert_eq!(said(text, &failure), expected);
    assert_eq!(failure.kind, crate::model::Kind::Usage);
}

const SHOP: &str = "services:\n  db:\n    image: postgres\n";

#[test]
fn anchors_are_merged_and_variables_replaced() {
    let text = "\
x-common: &common
  restart: always
  image: redis:${TAG}
services:
  a:
    <<: *common
    image: postgres:${TAG:-1}
  b: *common
";
    assert_eq!(
        description(text)["services"],
        json!({"a": {"restart": "always", "image": "postgres:15"}, "b": {"restart": "always", "image": "redis:15"}})
    );
}

#[test]
fn every_row_of_composes_documentation_of_interpolation_gives_its_value() {
    for (written, expected) in [
        ("$TAG", "15"),
        ("${TAG}", "15"),
        ("${NONE:-default}", "default"),
        ("${EMPTY:-default}", "default"),
        ("${NONE-default}", "default"),
        ("${EMPTY-default}", ""),
        ("${TAG:?error}", "15"),
        ("${EMPTY?error}", ""),
        ("${TAG:+replacement}", "replacement"),
        ("${EMPTY:+replacement}", ""),
        ("${EMPTY+replacement}", "replacement"),
        ("${NONE+replacement}", ""),
        ("${NONE:-${TAG}}", "15"),
        ("${NONE?${TAG}}", "!Required variable \"NONE\" is not set: 15"),
        ("${NONE:-${EMPTY-x}}", ""),
        ("$$TAG $${TAG}", "$TAG ${TAG}"),
        ("${EMPTY:?error}", "!Required variable \"EMPTY\" is empty: error"),
        ("${NONE?error}", "!Required variable \"NONE\" is not set: error"),
    ] {
        let found = read(&format!("services: {{ a: {{ command: '{written}' }} }}"));
        let found = found.map_or_else(
            |failure| format!("!{failure}"),
            |file| file.description["services"]["a"]["command"].as_str().unwrap().into(),
        );
        assert_eq!(found, expected, "{written}");
    }
}

#[test]
fn keys_are_not_interpolated() {
    assert_eq!(description("services: {}\nx-a: { $TAG: $TAG }\n")["x-a"], json!({"$TAG": "15"}));
}

#[test]
fn a_required_variable_is_named_at_its_own_column_also_in_texts_of_several_lines() {
    let help = "(set it in the environment or in .env: NONE=…)";
    let message = "Required variable \"NONE\" is not set: tell it";
    for (value, place) in [
        ("x ${NONE:?tell it}", "4:16"),
        ("\"\\u00e9\\t${NONE:?tell it}\"", "4:23"),
        ("'$${NONE:?tell it} ${NONE:?tell it}'", "4:33"),
        ("|\n      one\n      two ${NONE:?tell it}", "6:11"),
        ("[a, \"b${NONE:?tell it}\"]", "4:20"),
    ] {
        refused(
            &format!("{SHOP}    command: {value}\n"),
            &format!("{place} ${{NONE:?tell it}}: {message} {help}"),
        );
    }
    let failure = read("services: {a: {image: '${NONE?}'}}").unwrap_err();
    assert_eq!(failure.fields["variable"], "NONE");
}

#[test]
fn a_faulty_expression_that_was_merged_is_placed_where_it_was_written() {
    refused(
        "x-a: &a\n  image: ${A!}\nservices:\n  b:\n    <<: *a\n",
        "2:10 ${A!}: \"!\" can't follow the variable \"A\" (a name can be followed by :-default, -default, :?message, ?message, :+other or +other)",
    );
}

#[test]
fn notes_are_unique_and_sorted_by_line() {
    let text = "services:\n  a:\n    image: x\n    command: $NONE\n    labels:\n      b: |\n\n        ${OTHER}\n      a: ${NONE}\nversion: '3.8'\n";
    let notes: Vec<String> = read(text)
        .unwrap()
        .notes
        .iter()
        .map(|note| format!("{} {}", note.line, note.text))
        .collect();
    assert_eq!(
        notes,
        [
            "4 the variable \"NONE\" is not set, so it is empty",
            "8 the variable \"OTHER\" is not set, so it is empty",
            "10 \"version\" is obsolete and ignored: remove it",
        ]
    );
    assert_eq!(read("services: {a: {image: '${NONE:-}${EMPTY}'}}").unwrap().notes, []);
}

#[test]
fn an_unknown_key_is_shown_at_its_place_with_the_nearest() {
    refused(
        &format!("{SHOP}    helthcheck: {{test: 'true'}}\n"),
        "4:5 helthcheck: Unknown key \"helthcheck\" in \"services.db\" (did you mean \"healthcheck\"?)",
    );
    refused(
        &format!("{SHOP}    helthcheck:\n"),
        "4:5 helthcheck: Unknown key \"helthcheck\" in \"services.db\" (did you mean \"healthcheck\"?)",
    );
    refused("servics: {}\n", "1:1 servics: Unknown key \"servics\" (did you mean \"services\"?)");
    refused(
        "services: {a: {image: x}}\nprofiles: [production]\n",
        "2:1 profiles: Unknown key \"profiles\" (write `profiles` in a service; COMPOSE_PROFILES, or `profiles` in the options of compose(), activates them)",
    );
}

#[test]
fn a_key_of_compose_that_is_not_done_is_refused_by_name() {
    let hint = "(supported here: build, command, configs, container_name, depends_on, deploy, entrypoint, env_file, environment, extra_hosts, healthcheck, hostname, image, init, labels, logging, networks, ports, profiles, read_only, restart, scale, secrets, stop_grace_period, stop_signal, user, volumes, working_dir, x-spc-probe, x-spc-release, x-spc-verify)";
    refused(
        &format!("{SHOP}    gpus: all\n"),
        &format!(
            "4:5 gpus: The Compose key \"gpus\" in \"services.db\" is not supported yet {hint}"
        ),
    );
    refused(
        "include: [a.yaml]\nservices: {}\n",
        "1:1 include: The Compose key \"include\" is not supported yet (supported here: configs, name, networks, profiles, secrets, services, version, volumes)",
    );
    refused(
        "services: {a: {extends: {service: b}, image: x}}\n",
        &format!(
            "1:16 extends: The Compose key \"extends\" in \"services.a\" is not supported yet {hint}"
        ),
    );
}

#[test]
fn a_wrong_value_is_shown_at_its_place() {
    refused(
        "services: {db: {image: 15}}\n",
        "1:24 15: \"services.db.image\" has to be a string, but it is the number 15 (write it in quotes)",
    );
    refused(
        &format!("{SHOP}    ports:\n      - 80:80\n      - \"web:80\"\n"),
        "6:9 \"web:80\": \"web:80\" is not a port (write \"HOST:CONTAINER\", \"IP:HOST:CONTAINER\" or \"CONTAINER\"; a range is \"8000-8003\")",
    );
    refused("services:\n  db:\n", "2:3 db: The service \"db\" has neither \"image\" nor \"build\"");
    refused("services: [a]\n", "1:11 [a: \"services\" has to be a map, but it is a list");
    refused(
        &format!("{SHOP}    volumes: [data:/data]\n"),
        "4:15 data:/data: There is no volume \"data\" (declare \"data\" under \"volumes\", beside \"services\"; a path begins with \"./\")",
    );
}

#[test]
fn invalid_yaml_in_a_compose_file_is_reported_with_its_position() {
    refused(
        "services: [a\nb: 2\n",
        "2:2 :: The file is not YAML: did not find expected ',' or ']', while parsing a flow sequence",
    );
    refused(
        "services:\n\tdb: {}\n",
        "2:1 \tdb: The file is not YAML: found character that cannot start any token, while scanning for the next token (indent with spaces: YAML takes no tabs there)",
    );
    refused("services: *nobody\n", "1:11 *nobody: The file is not YAML: unknown anchor");
    refused(
        "services: {a: {image: x}}\n---\nservices: {}\n",
        "2:1 ---: The file contains more than one YAML document (keep one; use variables for what differs)",
    );
    refused(
        "services: {a: {image: x, image: y}}\n",
        "1:26 image: The key \"image\" is defined twice in this map",
    );
    refused(
        "services: {a: {image: !reset x}}\n",
        "1:23 !reset x: The file has the tag !reset, which is for merging files: spc reads a single one",
    );
    refused(
        "a: &a 1\nservices: {a: {<<: *a}}\n",
        "2:16 <<: \"<<\" takes a map or a list of maps (write <<: *NAME with the anchor of a map)",
    );
    refused("? [a, b]\n: c\n", "1:1 ? [a: The file has a list or a map as a key");
}

#[test]
fn a_file_that_describes_nothing_is_refused() {
    let empty =
        "The compose file is empty (it describes services: services: { NAME: { image: … } })";
    refused("", &format!("1:1 : {empty}"));
    refused("# nothing yet\n", &format!("1:1 # nothing yet: {empty}"));
    refused("---\n", &format!("1:1 ---: {empty}"));
    refused("- a\n", "1:1 - a: A compose file has to be a map (it begins with a key: services:)");
    refused(
        "just text\n",
        "1:1 just text: A compose file has to be a map (it begins with a key: services:)",
    );
}

#[test]
fn line_ends_and_marks_of_other_editors_make_no_difference() {
    let plain = "services:\n  웹-1: &a\n    image: x\n    command: |\n      a\n      b\n";
    assert_eq!(
        description(&format!("\u{feff}{}", plain.replace('\n', "\r\n"))),
        description(plain)
    );
    refused(
        "\u{feff}services:\r\n  db:\r\n    imge: x\r\n",
        "3:5 imge: Unknown key \"imge\" in \"services.db\" (did you mean \"image\"?)",
    );
    refused(
        "\u{feff}servces: {}\r\n",
        "1:1 servces: Unknown key \"servces\" (did you mean \"services\"?)",
    );
}

#[test]
fn a_file_that_is_no_text_says_where() {
    let read = |content: &[u8]| {
        ComposeFile::read(Arc::new(source("compose.yaml", content)), content, &variables)
            .unwrap_err()
    };
    let failure = read(b"services:\n  a\xff: {}\n");
    assert_eq!(failure.message, "The file is not written in UTF-8");
    let place = failure.place.unwrap();
    assert_eq!((place.line, place.column), (2, 4));
    assert_eq!(read(b"\xff\xfes\0").message, "The file is written in UTF-16");
}

#[test]
fn the_projects_name_is_made_one_as_compose_does() {
    let name = |text: &str| read(text).unwrap().project_name();
    assert_eq!(name("services: {}").unwrap(), None);
    assert_eq!(name("name: My ${TAG}_Shop\nservices: {}").unwrap().as_deref(), Some("my15_shop"));
    let text = "services: {}\nname: '가게'\n";
    let failure = name(text).unwrap_err();
    assert!(
        said(text, &failure).starts_with("2:7 '가게': \"가게\" is not a project name"),
        "{failure:?}"
    );
}

#[test]
fn a_key_without_a_value_is_what_it_is_in_compose() {
    let project = project(
        "services:\n  a:\n    image: x\n    command:\n    environment: {TAG: , NONE: , A: 1}\n    labels: {b: }\n    networks: {n: }\nnetworks: {n: }\nvolumes:\n  data:\n",
    )
    .unwrap();
    let service = &project.services["a"];
    assert_eq!(json!(service.environment), json!({"A": "1", "TAG": "15"}));
    assert_eq!(json!(service.labels), json!({"b": ""}));
    assert_eq!(
        (service.command.as_ref(), project.volumes["data"].name.as_str()),
        (None, "spc_data")
    );
    assert_eq!(service.networks.keys().collect::<Vec<_>>(), ["n"]);
}

#[test]
fn scalars_are_read_as_compose_reads_them() {
    let project = project(
        "services:\n  a:\n    image: x\n    init: yes\n    read_only: \"${NONE:-Off}\"\n    restart: no\n    user: 1000\n    \
         environment: {F: 1.0, G: 1.10, E: 1e3, O: 0755, Y: yes, B: true, N: -5}\n    \
         secrets: [{source: s, mode: 0440, uid: '${NONE:-7}'}]\n    ports: [22:22, '${PORT}:80', 53]\n    \
         healthcheck: {test: [CMD, 'true'], retries: '${NONE:-4}', start_interval: 2s}\n    stop_grace_period: 1m30s\n\
         secrets: {s: {environment: S}}\n",
    )
    .unwrap();
    let service = &project.services["a"];
    assert_eq!(
        json!(service.environment),
        json!({"F": "1", "G": "1.1", "E": "1000", "O": "0755", "Y": "yes", "B": "true", "N": "-5"})
    );
    assert_eq!(
        (service.init, service.read_only, service.restart),
        (Some(true), false, crate::model::spec::Restart::No)
    );
    assert_eq!((service.secrets[0].mode, service.secrets[0].uid), (0o440, 7));
    let ports: Vec<_> = service.ports.iter().map(|port| (port.published, port.target)).collect();
    assert_eq!(ports, [(Some(22), 22), (None, 53), (Some(8080), 80)]);
    assert_eq!(service.healthcheck.as_ref().unwrap().retries, Some(4));
}

#[test]
fn relative_paths_are_below_the_folder_given() {
    let project = project(
        "services:\n  a:\n    build: ./back\n    env_file: [a.env, {path: ../b.env, required: false}]\n    volumes: ['./src:/app:ro', /app/node_modules]\n    secrets: [s]\nsecrets: {s: {file: ./비밀/s.txt}}\n",
    )
    .unwrap();
    let service = &project.services["a"];
    assert_eq!(service.build.as_ref().unwrap().context, Path::new("/srv/app/back"));
    assert_eq!(
        service.env_file.iter().map(|file| file.path.display().to_string()).collect::<Vec<_>>(),
        ["/srv/app/a.env", "/srv/b.env"]
    );
    assert_eq!(service.writable_binds().count(), 0);
    assert_eq!(
        project.secrets["s"].source,
        crate::model::spec::SecretSource::File("/srv/app/비밀/s.txt".into())
    );
}

/// Scalars in a script's map, with texts that YAML would have to quote.
fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[^$\\x00-\\x08\\x0b-\\x1f\\x7f-\\x9f\\u{2028}\\u{2029}\\u{feff}\\u{fffe}\\u{ffff}]{0,12}"
            .prop_map(Value::from),
        prop::sample::select(
            &["yes", "22:22", "0755", "null", "~", "- a", "a: b", "#x", "1e3", "<<"][..]
        )
        .prop_map(Value::from),
    ]
}

fn map_of(value: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-z가-힣_.:-]{1,6}", value, 0..4)
        .prop_map(|map| Value::Object(map.into_iter().collect()))
}

fn value() -> impl Strategy<Value = Value> {
    scalar().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from), map_of(inner)]
    })
}

proptest! {
    /// `stack` reads a script's map and the same map in YAML in the same way.
    #[test]
    #[ignore = "slow: `make test` runs it"]
    fn a_description_is_the_same_from_a_map_and_from_yaml(
        extra in value(), pairs in map_of(scalar()), command in scalar(), port: u16, name in "[a-z]{1,5}",
    ) {
        let map = json!({
            "services": {
                (name.clone()): {"image": "x", "environment": pairs, "command": command, "x-more": extra},
                "other": {"image": "y", "labels": pairs, "ports": [port], "depends_on": [name]},
            },
        });
        let text = serde_yaml::to_string(&map).unwrap();
        let file = read(&text).unwrap();
        prop_assert_eq!(&file.description, &map, "{}", text);
        let options = ReadOptions { directory: Path::new("/srv/app"), lookup: &variables };
        match (Project::read("spc", &map, &options), project(&text)) {
            (Ok(of_map), Ok(of_yaml)) => prop_assert_eq!(of_map, of_yaml),
            (of_map, of_yaml) => prop_assert_eq!(of_map.unwrap_err().message, of_yaml.unwrap_err().message, "{}", text),
        }
    }

    #[test]
    fn no_text_makes_the_reader_panic(text in "[ a-z:\\[\\]{}&*!|>'\"%@#?,\t\n$<-]{0,60}") {
        if let Err(failure) = project(&text) {
            let place = failure.place.expect("a place");
            prop_assert!(place.line >= 1 && place.column >= 1);
        }
    }
}
