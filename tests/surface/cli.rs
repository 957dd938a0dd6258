//! The command line itself.

use crate::support::Spc;

#[test]
fn the_version_is_the_packages() {
    for arguments in [&["--version"][..], &["-V"]] {
        Spc::new().args(arguments).stdout(concat!("spc ", env!("CARGO_PKG_VERSION"), "\n")).run();
    }
}

#[test]
fn no_verb_at_all_shows_the_help_as_an_error() {
    let ended = Spc::new().output();
    assert_eq!((ended.code, ended.stdout.as_str()), (2, ""));
    assert!(
        ended.stderr.contains("Usage: spc [OPTIONS] <COMMAND>\n\nCommands:\n  run "),
        "{ended}"
    );
}

#[test]
fn an_unknown_verb_is_refused_with_the_nearest() {
    Spc::new()
        .args(["unlok"])
        .code(2)
        .stderr(
            r"
            error: unrecognized subcommand 'unlok'

              tip: a similar subcommand exists: 'unlock'

            Usage: spc [OPTIONS] <COMMAND>

            For more information, try '--help'.
            ",
        )
        .run();
}

#[test]
fn a_command_of_docker_compose_and_a_compose_file_lead_to_spc_run() {
    let ended = Spc::new().args(["up"]).output();
    let tip = "tip: with the compose file of this folder: spc run -e 'compose().up()'; with a runbook: spc run scripts/up.rhai";
    assert!(ended.code == 2 && ended.stderr.contains(tip), "{ended}");
    Spc::new()
        .file("docker-compose.yml", "services: {}\n")
        .args(["run", "docker-compose.yml"])
        .code(2)
        .stderr(
            r#"
            error: "docker-compose.yml" is a compose file, not a runbook
            help: give its name to a line of code: -e 'compose("docker-compose.yml").up()'
            "#,
        )
        .run();
}

#[test]
fn an_unknown_option_is_refused_with_the_nearest() {
    Spc::new()
        .args(["ps", "--projet", "x"])
        .code(2)
        .stderr(
            r"
            error: unexpected argument '--projet' found

              tip: a similar argument exists: '--project'

            Usage: spc ps --project <NAME>

            For more information, try '--help'.
            ",
        )
        .run();
}

#[test]
fn run_needs_a_runbook() {
    Spc::new()
        .args(["run"])
        .code(2)
        .stderr(
            r"
            error: the following required arguments were not provided:
              <RUNBOOK>

            Usage: spc run [OPTIONS] <RUNBOOK> [ARGS]...
                   spc run [OPTIONS] -e <CODE> [ARGS]...

            For more information, try '--help'.
            ",
        )
        .run();
    Spc::new().args(["run", ""]).code(2).stderr("error: The name of the runbook is empty\n").run();
}

#[test]
fn the_help_of_a_verb_lists_no_option_that_it_refuses() {
    let listed = |help: &str| -> Vec<String> {
        let long = |line: &str| Some(line.split("--").nth(1)?.split(' ').next()?.to_owned());
        help.lines().filter(|line| line.trim_start().starts_with('-')).filter_map(long).collect()
    };
    for verb in ["plan", "repl", "check", "test", "ps", "unlock"] {
        let help = Spc::new().args([verb, "--help"]).output();
        assert_eq!(help.code, 0, "{help}");
        let options = listed(&help.stdout);
        assert!(options.iter().any(|option| option == "json"), "{help}");
        let is_refused = |option: &str, value: &str| {
            let ended = Spc::new().args([verb, &format!("--{option}={value}")]).output();
            ended.stderr.contains("can't be used with tests")
        };
        for (option, value) in
            [("project", "shop"), ("host", "unix:///nowhere"), ("context", "default")]
        {
            let is_listed = options.iter().any(|listed| listed == option);
            assert_eq!(is_refused(option, value), !is_listed, "{verb} --{option}: {help}");
        }
    }
}
