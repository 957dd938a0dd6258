//! Common mistakes in first runbooks.

/// The command that reports the mistake.
pub enum Command {
    /// `spc run` with these arguments for the runbook.
    Run(&'static [&'static str]),
    Check,
    /// In a test on the simulated machine, set up like this.
    Simulated(&'static str),
}

pub struct Mistake {
    pub what: &'static str,
    pub command: Command,
    /// The runbook.
    pub text: &'static str,
    /// Further files: path and content.
    pub files: &'static [(&'static str, &'static str)],
    /// Whether the message has a line and a column. A message about a command-line option has none.
    pub has_place: bool,
    /// Whether the message has a hint. A crash has none, because spc shows the log instead.
    pub has_hint: bool,
}

const fn run(what: &'static str, text: &'static str) -> Mistake {
    Mistake { what, command: Command::Run(&[]), text, files: &[], has_place: true, has_hint: true }
}

const fn simulated(what: &'static str, machine: &'static str, text: &'static str) -> Mistake {
    Mistake {
        what,
        command: Command::Simulated(machine),
        text,
        files: &[],
        has_place: true,
        has_hint: true,
    }
}

impl Mistake {
    const fn with(mut self, files: &'static [(&'static str, &'static str)]) -> Self {
        self.files = files;
        self
    }
}

pub const MISTAKES: &[Mistake] = &[
    run(
        "A misspelt key",
        "let shop = stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", prots: [\"80:80\"] },\n} });\nshop.up();\n",
    ),
    run(
        "A value of the wrong type",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", ports: \"80:80\" },\n} }).up();\n",
    ),
    run(
        "A map without #",
        "stack(\"shop\", #{ services: {\n    web: #{ image: \"nginx\" },\n} }).up();\n",
    ),
    run("A missing semicolon", "let name = \"shop\"\nstack(name, #{}).up();\n"),
    run(
        "A brace that nothing closes",
        "fn describe() {\n    stack(\"shop\", #{ services: #{\n        web: #{ image: \"nginx\" },\n    );\n}\ndescribe().up();\n",
    ),
    run("Single quotes", "stack('shop', #{}).up();\n"),
    run("Quotes in quotes", "let tag = \"v1\";\nprint(\"tag: ${env(\"TAG\", tag)}\");\n"),
    run("A reserved word", "log::debug(\"starting\");\n"),
    run("null", "let tag = null;\n"),
    run("True", "let fresh = True;\n"),
    run("elif", "let a = 1;\nif a == 1 { print(1); } elif a == 2 { print(2); }\n"),
    run("and", "let a = 1;\nif a == 1 and a < 3 { print(1); }\n"),
    run("A comment with #", "# start the shop\nprint(1);\n"),
    run("A text that is filled in", "let a = 1;\nprint(f\"{a}\");\n"),
    run("A misspelt variable", "let service = \"db\";\nprint(servce);\n"),
    run(
        "A misspelt method",
        "let shop = stack(\"shop\", #{ services: #{ web: #{ image: \"nginx\" } } });\nshop.restrt();\n",
    ),
    run("A number compared with a text", "let port = \"8080\";\nif port > 1024 { print(port); }\n"),
    run("A constant that is changed", "const TAG = \"v1\";\nTAG = \"v2\";\n"),
    run("A misspelt path", "let text = fs::read(\"confg/nginx.conf\");\n")
        .with(&[("config/nginx.conf", "server {}\n")]),
    run("A misspelt import", "import \"stak\" as shop;\nshop::describe().up();\n")
        .with(&[("scripts/stack.rhai", "fn describe() { stack(\"shop\", #{}) }\n")]),
    run("A misspelt variable of the environment", "let word = env(\"DB_PASSWRD\");\n")
        .with(&[(".env", "DB_PASSWORD=x\n")]),
    run("A missing secret", "let word = secret(\"db_password\");\n"),
    run("Several mistakes in spc.toml", "print(1);\n").with(&[(
        "spc.toml",
        "spc = \"0.1\"\nproject_directory = \"gone\"\n[alow]\ncommands = [\"git\"]\n[allow]\ncomands = [\"git\"]\nread = [\"~/data\", 5]\nprivileged = \"yes\"\nnetwork = [\"https://example.org/a\", \"a b\"]\n",
    )]),
    run("A line of .env that is not closed", "print(env(\"A\"));\n")
        .with(&[(".env", "A=1\nB = \"open\nC=3\n")]),
    run(
        "A port that is too large",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", ports: [\"80800:80\"] },\n} }).up();\n",
    ),
    run(
        "Services that wait for each other",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", depends_on: [\"api\"] },\n    api: #{ image: \"api\", depends_on: [\"web\"] },\n} }).up();\n",
    ),
    run(
        "A relative target of a mount",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", volumes: [\"./site:site\"] },\n} }).up();\n",
    ),
    Mistake {
        has_place: false,
        command: Command::Run(&["--tga", "v2"]),
        ..run(
            "A misspelt option",
            "let o = args(#{ tag: arg::text(\"v1\", \"Release\") });\nprint(o.tag);\n",
        )
    },
    Mistake {
        command: Command::Check,
        ..run(
            "A key that is not supported yet, and another mistake",
            "stack(\"shop\", #{ services: #{\n    web: #{ imge: \"nginx\", expose: [80] },\n} }).up();\n",
        )
    },
    simulated(
        "A port that is taken",
        "sim::take_port(8000);",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", ports: [\"8000:80\"] },\n} }).up();\n",
    ),
    simulated(
        "A misspelt image",
        "sim::image(\"ngnix\", #{ missing: true });",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"ngnix\" },\n} }).up();\n",
    ),
    simulated(
        "A registry that is not reachable",
        "sim::registry(false);",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\" },\n} }).up();\n",
    ),
    Mistake {
        has_hint: false,
        ..simulated(
            "A container that crashes at its start",
            "sim::process(\"web\", #{ exits_after: \"100ms\", exit_code: 3, logs: [\"bind: permission denied\"] });",
            "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\" },\n} }).up();\n",
        )
    },
    simulated(
        "A health check whose program is missing",
        "sim::process(\"web\", #{ exec: #{ \"curl *\": #{ code: 127, stderr: \"exec: curl: not found\" } } });",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", healthcheck: #{ test: [\"CMD\", \"curl\", \"localhost\"], retries: 3, interval: \"1s\" } },\n} }).up();\n",
    ),
    run("A path out of the project", "let text = fs::read(\"../other/.env\");\n"),
    run("An absolute path", "let text = fs::read(\"/etc/hostname\");\n"),
    run(
        "A home folder in a mount",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", volumes: [\"~/site:/site\"] },\n} }).up();\n",
    ),
    run(
        "A Windows path in a mount",
        "stack(\"shop\", #{ services: #{\n    web: #{ image: \"nginx\", volumes: [\"C:\\\\site:/site\"] },\n} }).up();\n",
    ),
    simulated(
        "A name that a container of another project has",
        "stack(\"other\", #{ services: #{ db: #{ image: \"postgres\", container_name: \"db\" } } }).up();",
        "stack(\"shop\", #{ services: #{\n    db: #{ image: \"postgres\", container_name: \"db\" },\n} }).up();\n",
    ),
    simulated(
        "A command in a service that is stopped",
        "",
        "let shop = stack(\"shop\", #{ services: #{ db: #{ image: \"postgres\" } } });\nshop.up();\nshop.stop();\nshop.service(\"db\").exec([\"psql\", \"-l\"]);\n",
    ),
    simulated(
        "A method without its parentheses",
        "",
        "let shop = stack(\"shop\", #{ services: #{ db: #{ image: \"postgres\" } } });\nshop.up();\nprint(shop.service(\"db\").count);\n",
    ),
    simulated(
        "A command that the image doesn't have",
        "sim::process(\"db\", #{ exec: #{ \"psqll*\": #{ code: 127, stderr: \"exec: psqll: not found\" } } });",
        "let shop = stack(\"shop\", #{ services: #{ db: #{ image: \"postgres\" } } });\nshop.up();\nshop.service(\"db\").exec([\"psqll\", \"-l\"]);\n",
    ),
    run("A command with a huge output", "print(sh([\"yes\"], #{ quiet: true }).stdout);\n")
        .with(&[("spc.toml", "[allow]\ncommands = [\"yes\"]\n")]),
];
