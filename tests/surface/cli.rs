//! The command line itself.

use crate::support::Spc;

#[test]
fn help_names_every_verb_and_option() {
    Spc::new()
        .args(["--help"])
        .stdout(
            r"
            Stack automation in runbooks: bring a stack up, ready, and down again; run what a shell script would
            do around it

            Usage: spc [OPTIONS] <COMMAND>

            Commands:
              run     Run a runbook
              plan    Show what a runbook would do to the engine as it stands, and do nothing
              repl    Type lines of a runbook one by one, at a prompt; lines that are piped in run as a script
              check   Read scripts and tell what is wrong in them, without running anything
              test    Test runbooks: every function test_… of the files …_test.rhai, each on a simulated
                      machine, in virtual time
              ps      Show the project's containers
              unlock  Remove the lock that a lost run left on the project
              help    Print this message or the help of the given subcommand(s)

            Options:
              -C, --directory <FOLDER>  Work as if started in this folder
              -p, --project <NAME>      Project name, over the one that the runbook gives
                  --env-file <FILE>     File of variables, in place of the project's .env; may be given several
                                        times
              -H, --host <ADDRESS>      Docker Engine to use: unix:///path, tcp://host:port or ssh://user@host;
                                        without it DOCKER_HOST, then the Docker context in use
                  --context <NAME>      Docker context to use, over DOCKER_HOST and the one in use
              -q, --quiet               Only errors, and what the runbook prints
              -v, --verbose             Also debug lines, how each step begins, and all of a build's log
                  --json                One JSON object per line instead of text
              -y, --yes                 Answer every question with yes
              -h, --help                Print help
              -V, --version             Print version
            ",
        )
        .run();
}

#[test]
fn help_of_run_names_what_only_it_takes() {
    Spc::new()
        .args(["run", "--help"])
        .stdout(
            r"
            Run a runbook

            Usage: spc run [OPTIONS] <RUNBOOK>...
                   spc run [OPTIONS] -e <CODE> [WORD]...

            Arguments:
              [RUNBOOK]...  The runbook, or - for standard input, and its own options; `--help` after it shows
                            them

            Options:
              -C, --directory <FOLDER>  Work as if started in this folder
                  --remove-orphans      Remove containers of services that are no longer described
                  --adopt               Take over what Docker Compose made for a project of this name
              -p, --project <NAME>      Project name, over the one that the runbook gives
                  --env-file <FILE>     File of variables, in place of the project's .env; may be given several
                                        times
                  --renew-anon-volumes  Give containers that have anonymous volumes new ones
              -e <CODE>                 Run this code in place of a file; the words after it are the code's own
                                        options
              -H, --host <ADDRESS>      Docker Engine to use: unix:///path, tcp://host:port or ssh://user@host;
                                        without it DOCKER_HOST, then the Docker context in use
                  --context <NAME>      Docker context to use, over DOCKER_HOST and the one in use
              -q, --quiet               Only errors, and what the runbook prints
              -v, --verbose             Also debug lines, how each step begins, and all of a build's log
                  --json                One JSON object per line instead of text
              -y, --yes                 Answer every question with yes
              -h, --help                Print help
              -V, --version             Print version
            ",
        )
        .run();
}

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
              <RUNBOOK>...

            Usage: spc run [OPTIONS] <RUNBOOK>...
                   spc run [OPTIONS] -e <CODE> [WORD]...

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
            ended.stderr.contains("has no meaning")
        };
        for (option, value) in
            [("project", "shop"), ("host", "unix:///nowhere"), ("context", "default")]
        {
            let is_listed = options.iter().any(|listed| listed == option);
            assert_eq!(is_refused(option, value), !is_listed, "{verb} --{option}: {help}");
        }
    }
}
