//! Secrets: spc delivers them as files, and they appear in no other place.

use super::docker::{containers, docker, exec, inspect};
use super::images::busybox;
use super::project::Project;
use super::watch::EventWatch;

const FIRST: &str = "s3cret of the test: \"quoted\" & more/";
const SECOND: &str = "an0ther s3cret";
const OF_VARIABLE: &str = "fr0m-a-variable";

fn describe(project: &Project, word: &str) {
    let image = busybox();
    project.stack(&format!(
        r#"secrets: #{{ pass: #{{ file: "./pass" }}, token: #{{ environment: "TOKEN" }} }},
        services: #{{
            open: #{{
                image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", environment: #{{ WORD: "{word}" }},
                secrets: ["token", #{{ source: "pass", target: "db_pass", uid: "1000", gid: "50", mode: 0o440 }}],
            }},
            closed: #{{
                image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", read_only: true, user: "1000", environment: #{{ WORD: "{word}" }},
                secrets: ["token", #{{ source: "pass", uid: "1000", mode: "0400" }}],
            }},
        }}"#
    ));
}

/// Every file below a folder, as text.
fn all_text(folder: &std::path::Path) -> String {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .map(|path| {
            if path.is_dir() {
                all_text(&path)
            } else {
                String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned()
            }
        })
        .collect()
}

#[test]
fn secrets_are_files_with_owner_and_mode_even_in_a_read_only_container() {
    let project = Project::new("secret-files");
    project.file("pass", FIRST).file(".env", &format!("TOKEN={OF_VARIABLE}\n"));
    describe(&project, "one");
    project.up().ends(0);
    let (open, closed) = (project.container("open"), project.container("closed"));
    let stat = |container: &str, path: &str| exec(container, &["stat", "-c", "%u %g %a", path]);
    assert_eq!(exec(&open, &["cat", "/run/secrets/db_pass"]), FIRST);
    assert_eq!(stat(&open, "/run/secrets/db_pass"), "1000 50 440\n");
    assert_eq!(exec(&open, &["cat", "/run/secrets/token"]), OF_VARIABLE);
    assert_eq!(stat(&open, "/run/secrets/token"), "0 0 444\n");
    // The container runs as an unprivileged user, who can read the file.
    assert_eq!(exec(&closed, &["cat", "/run/secrets/pass"]), FIRST);
    assert_eq!(stat(&closed, "/run/secrets/pass"), "1000 0 400\n");
    assert_eq!(exec(&closed, &["cat", "/run/secrets/token"]), OF_VARIABLE);
    assert!(
        super::docker::try_docker(&["exec", &closed, "touch", "/etc/x"]).is_err(),
        "its root is read-only"
    );

    // The file survives a restart, and a stop with a later start.
    docker(&["restart", "--time", "0", &closed]);
    assert_eq!(exec(&closed, &["cat", "/run/secrets/pass"]), FIRST);
    project.script("app::describe().stop();").ends(0);
    project.up().ends(0).does_not_print(&["created"]);
    assert_eq!(exec(&closed, &["cat", "/run/secrets/pass"]), FIRST);
}

#[test]
fn volumes_of_secrets_are_removed_with_their_containers() {
    let anonymous = |project: &Project| -> Vec<String> {
        let mounts = inspect(&project.container("closed"))["Mounts"].as_array().cloned().unwrap();
        mounts
            .iter()
            .filter(|mount| mount["Destination"] == "/run/secrets")
            .map(|mount| mount["Name"].as_str().unwrap().to_owned())
            .collect()
    };
    let project = Project::new("secret-volumes");
    project.file("pass", FIRST).file(".env", &format!("TOKEN={OF_VARIABLE}\n"));
    describe(&project, "one");
    project.up().ends(0);
    let first = anonymous(&project);
    assert_eq!(first.len(), 1);
    describe(&project, "two");
    project.up().ends(0).prints(&["environment WORD changed"]);
    let second = anonymous(&project);
    assert_ne!(first, second);
    assert!(
        !super::docker::is_there("volume", &first[0]),
        "the replaced container's secrets are gone"
    );
    // `down` also removes them without the option `volumes`, because secrets are no data.
    project.script("app::describe().down();").ends(0);
    assert!(!super::docker::is_there("volume", &second[0]));
}

#[test]
fn a_secret_value_appears_in_no_inspection_event_output_or_record() {
    let project = Project::new("secret-leaks");
    project.file("pass", FIRST).file(".env", &format!("TOKEN={OF_VARIABLE}\n"));
    describe(&project, "one");
    let mut watch = EventWatch::on(&project.name);
    let first = project.up().ends(0);
    let journal = project.spc(&["--json", "run", "scripts/up.rhai"]).ends(0);
    let printed =
        project.script("print(app::describe().service(\"open\").exec(\"cat /run/secrets/token; cat /run/secrets/db_pass >&2\"));").ends(0);
    project.file("pass", SECOND);
    let changed = project.up().ends(0);

    let inspected: String =
        containers(&project.name).keys().map(|name| inspect(name).to_string()).collect();
    let places = [
        ("inspect", inspected),
        ("events", watch.raw().to_owned()),
        ("records", all_text(&project.path(".spc"))),
        (
            "output",
            [first, journal, printed, changed]
                .map(|ended| ended.stdout + ended.stderr.as_str())
                .concat(),
        ),
    ];
    for (place, text) in places {
        assert!(!text.is_empty(), "{place}");
        for secret in [FIRST, &serde_json::to_string(FIRST).unwrap(), SECOND, OF_VARIABLE] {
            assert!(!text.contains(secret), "{place}: {secret}");
        }
    }
}

#[test]
fn a_changed_secret_replaces_the_containers_that_use_it() {
    let project = Project::new("secret-new");
    project.file("pass", FIRST).file(".env", &format!("TOKEN={OF_VARIABLE}\n"));
    let image = busybox();
    project.stack(
        &format!(
            r#"secrets: #{{ pass: #{{ file: "./pass" }}, token: #{{ environment: "TOKEN" }} }},
        services: #{{
            with: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", secrets: ["pass"] }},
            other: #{{ image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s", secrets: ["token"] }},
        }}"#
        )
        .replace("with:", "\"with\":"),
    );
    project.up().ends(0);
    let before = containers(&project.name);
    project.file("pass", SECOND);
    project.up().ends(0).prints(&["a secret's value changed"]);
    let after = containers(&project.name);
    assert_eq!(exec(&project.container("with"), &["cat", "/run/secrets/pass"]), SECOND);
    assert_ne!(before[&project.container("with")], after[&project.container("with")]);
    assert_eq!(before[&project.container("other")], after[&project.container("other")]);
}

#[test]
fn a_rotated_secret_is_detected_without_the_fingerprint_key() {
    let project = Project::new("secret-key");
    project.file("pass", FIRST).file(".env", &format!("TOKEN={OF_VARIABLE}\n"));
    describe(&project, "one");
    project.up().ends(0);
    let before = containers(&project.name);
    // Without `.spc`, like in a fresh clone of the project.
    let forget = || std::fs::remove_dir_all(project.path(".spc")).unwrap();
    forget();
    project.spc(&["plan", "scripts/up.rhai"]).ends(0).printed(&["nothing to do"]);
    project.up().ends(0).prints(&["unchanged"]).does_not_print(&["not compared"]);
    assert_eq!(containers(&project.name), before);

    project.file("pass", SECOND);
    let cause = "the value of the secret \"pass\" changed";
    project.spc(&["plan", "scripts/up.rhai"]).ends(0).printed(&[cause]);
    forget();
    project.up().ends(0).prints(&[cause]).does_not_print(&["not compared", FIRST, SECOND]);
    assert_eq!(exec(&project.container("open"), &["cat", "/run/secrets/db_pass"]), SECOND);
    assert_eq!(exec(&project.container("closed"), &["cat", "/run/secrets/pass"]), SECOND);
    project.up().ends(0).prints(&["unchanged"]).does_not_print(&["not compared"]);

    // The container replaces the file with a symlink, and then with a huge file. spc follows
    // neither.
    let open = project.container("open");
    exec(&open, &["sh", "-c", "rm /run/secrets/token && ln -s /etc/hostname /run/secrets/token"]);
    forget();
    project.up().ends(0).prints(&[
        "\"/run/secrets/token\" in it is not a regular file",
        "change a label of the service \"open\"",
    ]);
    exec(&open, &["sh", "-c", "rm /run/secrets/token && truncate -s 1000G /run/secrets/token"]);
    project.up().ends(0).prints(&["the value of the secret \"token\" changed"]);
    assert_eq!(exec(&project.container("open"), &["cat", "/run/secrets/token"]), OF_VARIABLE);
}

#[test]
fn a_secret_reaches_an_environment_only_through_expose() {
    let project = Project::new("secret-env");
    project.file("secrets/token", OF_VARIABLE);
    let describe = |value: &str| {
        project.stack(&format!(
            r#"services: #{{ web: #{{ image: "{}", command: ["sleep", "1000"], stop_grace_period: "0s", environment: #{{ TOKEN: {value} }} }} }}"#,
            busybox()
        ));
    };
    describe("`${secret(\"token\")}`");
    project.up().ends(2).prints(&[
        "The secret \"token\" can't be used in the environment of \"web\" as TOKEN without expose()",
        "expose(secret(\"token\"))",
    ]);
    describe("expose(secret(\"token\"))");
    project.up().ends(0);
    assert_eq!(exec(&project.container("web"), &["sh", "-c", "echo $TOKEN"]).trim(), OF_VARIABLE);
    project.up().ends(0).prints(&["unchanged"]);
}

/// Everything in an image: its history, its configuration and its layers.
fn all_of_image(project: &Project, image: &str) -> String {
    let saved = project.path("image.tar");
    docker(&["save", "--output", saved.to_str().unwrap(), image]);
    let saved = String::from_utf8_lossy(&std::fs::read(saved).unwrap()).into_owned();
    [docker(&["history", "--no-trunc", image]), inspect(image).to_string(), saved].concat()
}

#[test]
fn a_build_secret_is_readable_in_its_step_and_stored_nowhere() {
    use base64::Engine as _;
    let project = Project::new("secret-build");
    let image = "local/spct-secret-build:1";
    let dockerfile = format!(
        "FROM {}\nRUN --mount=type=secret,id=pass,required=true wc -c /run/secrets/pass && cat /run/secrets/pass | tr a-z b-za > /told\n\
         RUN --mount=type=secret,id=ca.pem cat /run/secrets/ca.pem\nCOPY note /\n",
        busybox()
    );
    project
        .file("pass", FIRST)
        .file(".env", &format!("TOKEN={OF_VARIABLE}\n"))
        .file("app/Dockerfile", &dockerfile)
        .file("app/note", "1");
    project.stack(&format!(
        r#"secrets: #{{ pass: #{{ file: "./pass" }}, token: #{{ environment: "TOKEN" }} }},
        services: #{{ web: #{{
            image: "{image}", command: ["sleep", "1000"], stop_grace_period: "0s",
            build: #{{ context: "app", secrets: ["pass", #{{ source: "token", target: "ca.pem" }}] }},
        }} }}"#
    ));
    let mut watch = EventWatch::on(&project.name);
    let build = || project.script("print(app::describe().build());").ends(0);
    let id = || inspect(image)["Id"].as_str().unwrap().to_owned();
    // The build step stores the secret with each letter replaced by the next one.
    let reported = |value: &str| {
        let container = docker(&["run", "--rm", image, "cat", "/told"]);
        let next = |letter: char| match letter {
            'z' => 'a',
            'a'..='y' => char::from(letter as u8 + 1),
            other => other,
        };
        assert_eq!(container, value.chars().map(next).collect::<String>());
    };
    let first = build();
    reported(FIRST);
    let built = id();
    let again = build();
    assert_eq!(id(), built);
    assert!(!again.stdout.contains("RUN"), "nothing is built: {}", again.stdout);
    let kept = all_of_image(&project, image);

    // With another value the step runs again, although nothing changed that the build cache
    // compares.
    project.file("pass", SECOND);
    let changed = build();
    reported(SECOND);
    let second = id();
    assert_ne!(second, built);
    build();
    assert_eq!(id(), second);

    // `up` uses the built image. The container inherits the fingerprint label of the image, but
    // this is no reason to recreate it.
    let up = project.up().ends(0);
    project.up().ends(0).prints(&["unchanged"]);
    let places = [
        ("image", [kept, all_of_image(&project, image)].concat()),
        ("container", inspect(&project.container("web")).to_string()),
        ("events", watch.raw().to_owned()),
        ("records", all_text(&project.path(".spc"))),
        (
            "output",
            [first, again, changed, up].map(|ended| ended.stdout + ended.stderr.as_str()).concat(),
        ),
    ];
    for (place, text) in places {
        assert!(!text.is_empty(), "{place}");
        for secret in [FIRST, SECOND, OF_VARIABLE] {
            let base64 = base64::engine::general_purpose::STANDARD_NO_PAD.encode(secret);
            assert!(!text.contains(secret) && !text.contains(&base64), "{place}: {secret}");
        }
    }
    docker(&["image", "rm", "--force", image]);
}

#[test]
fn a_secret_as_a_build_argument_is_rejected() {
    let project = Project::new("secret-args");
    project
        .file("secrets/token", OF_VARIABLE)
        .file("app/Dockerfile", &format!("FROM {}\nARG T\nRUN echo $T\n", busybox()));
    for value in ["secret(\"token\")", "expose(secret(\"token\"))"] {
        project
            .script(&format!("image(\"local/spct-secret-args:1\").build(#{{ context: \"app\", args: #{{ T: {value} }} }});"))
            .ends(2)
            .prints(&["build arguments stay in the image's history", "secrets: [\"token\"]"]);
    }
    assert!(!super::docker::is_there("image", "local/spct-secret-args:1"));
}
