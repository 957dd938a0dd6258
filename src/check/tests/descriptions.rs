//! Literals of descriptions and options.

use super::{found, found_in, rules};
use similar_asserts::assert_eq;

#[test]
fn wrong_keys_and_values_are_found_in_every_literal() {
    let text = r#"
const LOGGING = #{ drver: "json-file" };
fn check(prod) { #{ test: "true", intervl: "5s", retries: if prod { "five" } else { 5 } } }
fn describe(o) {
    let common = #{ restart: "sometimes", logging: global::LOGGING };
    let more = merge(common, #{ scael: 2 });
    stack("shop", #{
        netwroks: #{},
        services: #{
            db: common + #{ image: "db", ports: ["99999:1", 5432] + if o.prod { ["x"] } else { [] } },
            web: more + #{ image: o.image, healthcheck: check(o.prod), stop_grace_period: 5, environment: #{ A: [1], B: 5, C: o.c } },
        },
    })
}
describe(#{ prod: true, image: "x", c: 1 });
"#;
    assert_eq!(
        found(text),
        [
            "2:20 unknown-key: Unknown key \"drver\" in \"services.db.logging\" | did you mean \"driver\"?",
            "3:35 unknown-key: Unknown key \"intervl\" in \"services.web.healthcheck\" | did you mean \"interval\"?",
            "3:69 wrong-value: \"services.web.healthcheck.retries\" has to be a whole number from 0 on, but it is the string \"five\"",
            "5:30 wrong-value: \"restart\" can't be \"sometimes\" | available: no, always, unless-stopped, on-failure, on-failure:TIMES",
            "6:33 unknown-key: Unknown key \"scael\" in \"services.web\" | did you mean \"scale\"?",
            "8:9 unknown-key: Unknown key \"netwroks\" | did you mean \"networks\"?",
            "10:50 wrong-value: \"99999:1\" is not a port: 99999 is too large | ports are numbers from 1 to 65535",
            "10:82 wrong-value: \"x\" is not a port | write \"HOST:CONTAINER\", \"IP:HOST:CONTAINER\" or \"CONTAINER\"; a range is \"8000-8003\"",
            "11:91 wrong-value: \"services.web.stop_grace_period\" needs a unit | write \"5s\" for seconds",
            "11:113 wrong-value: \"services.web.environment.A\" has to be a string, a number or a truth value, but it is a list",
        ]
    );
}

#[test]
fn long_forms_and_items_of_lists_are_read_at_their_place() {
    let text = r#"stack("shop", #{
    volumes: #{ data: #{} }, secrets: #{ key: #{ fiel: "x" }, both: #{ file: "a", environment: "B" } },
    services: #{ web: #{
        image: "web",
        volumes: [
            "data:/a:rw", "data:/b:wr", #{ type: "volume", source: "data", target: "/c", tmpfs: #{} }, "data:relative",
            #{ type: "bind", source: "./x", target: "/d", bind: #{ create_host_pth: true } }, #{ source: "data" }, #{ type: "bnid" },
        ],
        ports: [80, #{ target: "http" }, #{ published: 8080 }],
        depends_on: #{ web: #{ condition: "service_up" } },
        build: #{ contxt: "." }, command: #{ a: 1 }, secrets: [#{ source: "key", mode: "rw" }], networks: [],
    } },
});"#;
    assert_eq!(
        found(text),
        [
            "2:50 unknown-key: Unknown key \"fiel\" in \"secrets.key\" | did you mean \"file\"?",
            "2:69 wrong-value: The secret \"both\" needs exactly one of \"file\" and \"environment\"",
            "6:27 wrong-value: \"data:/b:wr\" has an unknown mount option | available: ro, rw, nocopy",
            "6:90 unknown-key: Unknown key \"tmpfs\" in \"services.web.volumes.2\" | available: read_only, source, target, type, volume",
            "6:104 wrong-value: The target of the mount \"data:relative\" has to be an absolute path in the container | write \"data:/relative\"",
            "7:68 unknown-key: Unknown key \"create_host_pth\" in \"services.web.volumes.4.bind\" | did you mean \"create_host_path\"?",
            "7:95 wrong-value: \"services.web.volumes.5\" needs the key \"type\"",
            "7:125 wrong-value: \"services.web.volumes.6.type\" can't be \"bnid\" | did you mean \"bind\"?",
            "9:32 wrong-value: \"http\" is not a port: a number from 1 to 65535",
            "9:42 wrong-value: \"services.web.ports.2\" needs the key \"target\"",
            "10:43 wrong-value: \"services.web.depends_on.web.condition\" can't be \"service_up\" | available: service_completed_successfully, service_healthy, service_started",
            "11:19 unknown-key: Unknown key \"contxt\" in \"services.web.build\" | did you mean \"context\"?",
            "11:43 wrong-value: \"services.web.command\" has to be a string or a list of strings, but it is a map",
            "11:88 wrong-value: \"services.web.secrets.0.mode\" is not a file mode | write it in octal: \"0440\"",
        ]
    );
}

#[test]
fn computed_values_in_a_description_are_not_checked() {
    let text = r#"
let o = args(#{ tag: arg::text("x", "Tag"), kind: arg::text("bind", "Kind") });
let port = 80;
let mount = #{ type: o.kind, source: "./x", target: "/x", bind: #{ create_host_path: true } };
let services = #{ "a": #{ image: `web:${o.tag}`, ports: [`${port}:80`, o.tag], volumes: if o.tag == "y" { [mount] }, retires: () } };
services.b = #{ image: "b" };
stack("x", #{ services: services, volumes: o.volumes, "x-own": #{ any: [1] } });
stack("y", #{ services: #{ a: #{ image: "x", depends_on: o.needs, healthcheck: o.check ?? #{ test: "true" } } } + o.more });
stack(#{ name: "z", services: o.services });
"#;
    assert_eq!(rules(text), ["5:118 unknown-key"]);
}

#[test]
fn names_that_the_description_has_none_of_are_found() {
    let text = r#"
let web = #{ image: "web", networks: ["front", "bakc"], depends_on: ["db", "cahce"], volumes: ["data:/d", "dta:/e", "./x:/x"] };
stack("shop", #{
    networks: #{ front: #{}, back: #{} }, volumes: #{ data: #{} }, secrets: #{ key: #{ environment: "KEY" } },
    services: #{ web: web, db: #{ image: "db", secrets: ["kye"], depends_on: #{ gone: #{ required: false }, cache: #{}, bd: #{} } }, cache: web + #{ scale: 1 } },
});
let open = #{ a: #{ image: "a", depends_on: ["b"] } };
open.b = #{ image: "b" };
stack("open", #{ services: open });
"#;
    assert_eq!(
        found(text),
        [
            "2:48 unknown-name: There is no network \"bakc\" | did you mean \"back\"?",
            "2:76 unknown-name: There is no service \"cahce\" | did you mean \"cache\"?",
            "2:107 unknown-name: There is no volume \"dta\" | declare \"dta\" under \"volumes\", beside \"services\"; a path begins with \"./\"",
            "5:58 unknown-name: There is no secret \"kye\" | did you mean \"key\"?",
            "5:121 unknown-name: There is no service \"bd\" | did you mean \"db\"?",
        ]
    );
}

#[test]
fn a_misspelt_image_is_the_only_finding_of_its_service() {
    assert_eq!(
        found("stack(\"x\", #{ services: #{ web: #{ imge: \"nginx\" } } });"),
        ["1:36 unknown-key: Unknown key \"imge\" in \"services.web\" | did you mean \"image\"?"]
    );
}

#[test]
fn a_description_all_of_which_is_written_out_is_read_as_a_whole() {
    let text = "stack(\"x\", #{ services: #{\n    a: #{ image: \"a\", depends_on: [\"b\"] },\n    b: #{ image: \"b\", depends_on: [\"a\"] },\n} });\nstack(\"y\", #{ services: #{ c: #{ command: \"x\" } } });\nstack(\"My Shop\", #{});";
    assert_eq!(
        found(text),
        [
            "2:23 wrong-value: The services depend on each other in a circle: a → b → a | remove one of these dependencies from depends_on",
            "5:31 wrong-value: The service \"c\" has neither \"image\" nor \"build\"",
            "6:7 wrong-value: \"My Shop\" is not a project name: lower-case letters, digits, \"-\" and \"_\", beginning with a letter or digit | \"myshop\" would be one",
        ]
    );
}

#[test]
fn options_are_read_by_the_functions_that_take_them() {
    let text = r#"
let s = stack();
s.up((), #{ timeuot: "5s", adopt: "yes" });
s.up(#{ remove_orphans: true });
s.service("db").exec("x", #{ enviroment: #{}, check: 1, timeout: 30, user: "0" });
exec("db", "x", #{ chek: false });
s.service("db").logs(#{ tial: 5, since: "yesterday" });
s.logs((), #{ follow: true, tail: -1 });
sh("ls", #{ quite: true });
http::get("http://x", #{ timeout: "5 parsecs", body: #{ any: 1 } });
fs::write("x", "y", #{ mod: 0o600 });
retry(#{ tmies: 3 }, || 1);
retry(3, || 1);
image("x").build(#{ contxt: "." });
s.build((), #{ no_cache: true, pul: true });
let given = #{ volume: true };
s.down(given);
"#;
    assert_eq!(
        found(text),
        [
            "3:13 unknown-key: The options of up have no \"timeuot\" | did you mean \"timeout\"?",
            "3:35 wrong-value: \"adopt\" of the options of up has to be true or false, not a string",
            "5:30 unknown-key: The options of exec have no \"enviroment\" | did you mean \"environment\"?",
            "5:54 wrong-value: \"check\" of the options of exec has to be true or false, not an integer",
            "5:66 wrong-value: \"timeout\" of the options of exec: 30 is not a duration | add a unit: \"30s\" or \"30m\"",
            "6:20 unknown-key: The options of exec have no \"chek\" | did you mean \"check\"?",
            "7:25 unknown-key: The options of logs have no \"tial\" | did you mean \"tail\"?",
            "8:35 wrong-value: \"tail\" of the options of logs has to be an integer from 0 up, not -1",
            "9:13 unknown-key: The sh options have no \"quite\" | did you mean \"quiet\"?",
            "10:35 wrong-value: \"timeout\" of the http options: \"5 parsecs\" is not a duration; write it like \"1m30s\" or \"500ms\"",
            "11:24 unknown-key: The options of fs::write have no \"mod\" | did you mean \"mode\"?",
            "12:10 unknown-key: The retry options have no \"tmies\" | did you mean \"times\"?",
            "14:21 unknown-key: Unknown key \"contxt\" | did you mean \"context\"?",
            "15:32 unknown-key: The options of build have no \"pul\" | did you mean \"pull\"?",
            "16:16 unknown-key: The options of down have no \"volume\" | did you mean \"volumes\"?",
        ]
    );
}

#[test]
fn options_of_a_scripts_function_are_those_that_it_has_defaults_for() {
    let found = found_in(&[
        (
            "main.rhai",
            "import \"deploy\" as deploy;\ndeploy::canary(1, #{ steps: [1], bkae: \"5s\" });\ndeploy::canary(1, #{ bake: \"5s\" } + #{ drian: 1 });",
        ),
        (
            "deploy.rhai",
            "fn canary(service, given) {\n    let o = with_defaults(given, #{ steps: [5, 25], bake: \"30s\", drain: \"30s\" });\n    [service, o]\n}",
        ),
    ]);
    assert_eq!(
        found,
        [
            "main.rhai:2:34 unknown-key: The options of \"canary\" have no \"bkae\" | did you mean \"bake\"?",
            "main.rhai:3:40 unknown-key: The options of \"canary\" have no \"drian\" | did you mean \"drain\"?",
        ]
    );
}

#[test]
fn compose_variables_in_plain_strings_are_warned_of() {
    let text = r#"stack("x", #{ services: #{ a: #{
    image: "redis:${TAG:-7}",
    user: "${UID}",
    hostname: "$HOST",
    command: "serve --port ${PORT-80}",
    entrypoint: ["sh", "-c", "exec $0 $$HOME"],
    environment: #{ A: "${A:?needed}", B: "pa$$w0rd", C: "$2y$05$abcDEF", D: "$host$request_uri", E: `${1 + 1}`, F: "$PATH:/x", G: "cost: $5" },
    healthcheck: #{ test: "test -n \"$HOME\" && echo ${X:-y} $(date)" },
    labels: #{ rule: "Host(`$${DOMAIN}`)" },
} } });
print("${not} in a $DESCRIPTION");"#;
    assert_eq!(
        found(text),
        [
            "2:12 wrong-value: \"redis:${TAG:-7}\" is not an image name: it contains \"$\", and nothing inserts a value there | to insert a value in a script, use backticks: `nginx:${env(\"TAG\")}`",
            "3:11 interpolation: \"${UID}\" reaches the container unchanged: nothing inserts a value | write env(\"UID\")",
            "4:15 interpolation: \"$HOST\" reaches the container unchanged: nothing inserts a value | write env(\"HOST\")",
            "5:14 interpolation: \"${PORT-80}\" reaches the container unchanged: nothing inserts a value | write `serve --port ${env(\"PORT\", \"80\")}`",
            "6:30 interpolation: \"$$HOME\" reaches the container with both \"$\" | only compose files escape it: write \"$HOME\"",
            "7:24 interpolation: \"${A:?needed}\" reaches the container unchanged: nothing inserts a value | write env(\"A\")",
            "7:117 interpolation: \"$PATH\" reaches the container unchanged: nothing inserts a value | write `${env(\"PATH\")}:/x`",
            "9:22 interpolation: \"${DOMAIN}\" reaches the container unchanged: nothing inserts a value | only compose files escape \"$\": write one \"$\", and use backticks to insert a value",
        ]
    );
}

#[test]
fn probes_that_pass_too_early_are_warned_of() {
    let weak = |test: &str| {
        let text = format!(
            "stack(\"x\", #{{ services: #{{ a: #{{ image: \"a\", healthcheck: #{{ test: {test} }} }} }} }});"
        );
        rules(&text).len() == 1
    };
    for test in [
        r#""pg_isready""#,
        r#""pg_isready -U postgres -d spc_db""#,
        r#"["CMD", "pg_isready", "-U", "postgres"]"#,
        r#"["CMD-SHELL", "pg_isready -U postgres || exit 1"]"#,
        r#"["CMD", "sh", "-c", "pg_isready -U postgres"]"#,
        r#""/usr/bin/pg_isready -h /var/run/postgresql""#,
        r#"`pg_isready -U ${env("U", "x")}`"#,
        r#"if true { "pg_isready" } else { "true" }"#,
        r#""mysqladmin ping -p secret""#,
        r#"["CMD", "mysqladmin", "ping", "-h", "localhost"]"#,
    ] {
        assert!(weak(test), "{test}");
    }
    for test in [
        r#""pg_isready -h 127.0.0.1 -U postgres""#,
        r#"["CMD", "pg_isready", "--host=localhost"]"#,
        r#"["CMD", "pg_isready", "-hlocalhost"]"#,
        r#"["CMD-SHELL", "PGHOST=127.0.0.1 pg_isready"]"#,
        r#"["CMD", "pg_isready"] + ["-h", "127.0.0.1"]"#,
        r#"["CMD", "redis-cli", "ping"]"#,
        r#"["CMD", "mysqladmin", "ping", "-h", "127.0.0.1"]"#,
        r#"["NONE"]"#,
        r#""curl -f http://localhost/""#,
    ] {
        assert!(!weak(test), "{test}");
    }
    assert_eq!(
        found("healthcheck(service(\"db\"), #{ test: \"pg_isready\" });"),
        [
            "1:37 weak-probe: \"pg_isready\" connects over the socket, where the image's temporary server answers during initialisation | connect over TCP: add -h 127.0.0.1"
        ]
    );
}

#[test]
fn a_whole_description_of_another_type_is_named_with_the_calls_that_take_one() {
    for (call, position, value) in [
        ("stack(\"x\");", "1:7", "the string \"x\""),
        ("stack(1);", "1:7", "the number 1"),
        ("stack(\"x\", 1.5);", "1:12", "the number 1.5"),
        ("stack(\"x\", \"y\");", "1:12", "the string \"y\""),
        ("stack(\"x\", true);", "1:12", "the truth value true"),
        ("stack(\"x\", []);", "1:12", "a list"),
    ] {
        assert_eq!(
            found(call),
            [format!(
                "{position} wrong-value: The description has to be a map, but it is {value} | it takes stack() or stack(description) or stack(name, description)"
            )],
            "{call}"
        );
    }
}
