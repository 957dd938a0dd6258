//! `sim::`: the simulated machine of a test.

use std::time::Duration;

use rhai::plugin::*;
use rhai::{Array, Dynamic, Engine, Map};

use super::answers::{Answers, Pages, words_of};
use super::{call_positions::placed, machine, requests, views};
use crate::api::shared_module;
use crate::api::{Context, Raw, task};
use crate::engine::sim::{CallSide, Fault, ProxyFault, matches};
use crate::host::resolve::named_itself;
use crate::host::{Host, Listener};
use crate::model::suggest::did_you_mean;
use crate::model::{Failure, Kind};
use crate::testing::test_context::{RunKill, TestContext};
use crate::value::Options;
use crate::value::options::duration_of;
use crate::value::text::plain;

/// Registers `sim::`.
pub fn register(engine: &mut Engine) {
    engine.register_static_module("sim", shared_module!(module, "sim"));
}

fn kill(number: i64, when: CallSide) -> Result<RunKill, Failure> {
    match u64::try_from(number) {
        Ok(call) if call > 0 => Ok(RunKill::Call(call, when)),
        _ => Err(Failure::usage(format!("There is no call {number}: they count from 1"))),
    }
}

fn port_of(number: i64) -> Result<u16, Failure> {
    u16::try_from(number)
        .ok()
        .filter(|port| *port > 0)
        .ok_or_else(|| Failure::usage(format!("{number} is not a port: ports go from 1 to 65535")))
}

fn fault(test_context: &TestContext, given: &Dynamic) -> Result<(), Failure> {
    let mut options = Options::of(given, "parts of a fault")?;
    let on = options.text("on")?.unwrap_or_else(|| "any".to_owned());
    let nth = options.count("nth")?.unwrap_or(1);
    // `effect: 500` means the same as `effect: "500"`.
    let effect = options.take("effect").map(|effect| plain(&effect));
    options.finish()?;
    let effect = effect
        .ok_or_else(|| Failure::usage("A fault needs an effect").hint("write effect: \"500\""))?;
    if let Some(fault) = ProxyFault::parse(&on, nth, &effect) {
        test_context.world.engine.proxy_fault(fault?);
        return Ok(());
    }
    test_context.world.engine.fault(Fault::parse(&on, nth, &effect)?);
    Ok(())
}

fn no_such_volume(test_context: &TestContext, name: &str) -> Failure {
    let failure = Failure::new(Kind::NotFound, format!("There is no volume \"{name}\""));
    let state = test_context.world.engine.state();
    match did_you_mean(
        name,
        state.volumes.iter().map(|volume| volume.name.as_str()).collect::<Vec<_>>(),
    ) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

fn texts(texts: impl IntoIterator<Item = String>) -> Array {
    texts.into_iter().map(Dynamic::from).collect()
}

#[export_module]
mod module {
    /// Sets an environment variable for later runs; `()` removes it.
    ///
    /// ```rhai
    /// sim::env("POSTGRES_PASSWORD", "a test's own");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn env(call: NativeCallContext, name: &str, value: Dynamic) -> Raw<()> {
        placed(&call, |test_context| {
            let text = (!value.is_unit()).then(|| plain(&value));
            test_context.world.host.set_variable(name, text.as_deref());
            Ok(())
        })
    }

    /// Sets a variable that is a secret: the test fails if a run prints it, or if it is in an event
    /// or in an engine call other than the one that delivers it. Values of fewer than four letters
    /// are not searched.
    ///
    /// ```rhai
    /// sim::secret("POSTGRES_PASSWORD", "correct horse");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn secret(call: NativeCallContext, name: &str, value: &str) -> Raw<()> {
        placed(&call, |test_context| {
            test_context.world.host.set_variable(name, Some(value));
            test_context.keep_secret(name, value);
            Ok(())
        })
    }

    /// The virtual time since the test began.
    ///
    /// ```rhai
    /// sim::pass("10m");
    /// assert(sim::now() >= duration("10m"));
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn now(call: NativeCallContext) -> Raw<Duration> {
        placed(&call, |test_context| Ok(test_context.world.executor.now()))
    }

    /// The seed of this run of the test.
    ///
    /// ```rhai
    /// print(sim::seed());
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn seed(call: NativeCallContext) -> Raw<i64> {
        placed(&call, |test_context| Ok(i64::try_from(test_context.world.seed).unwrap_or(i64::MAX)))
    }

    /// Lets time pass: containers exit, health checks run, traffic arrives.
    ///
    /// ```rhai
    /// sim::pass("1h");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn pass(call: NativeCallContext, time: Dynamic) -> Raw<()> {
        let context = Context::of(&call)?;
        placed(&call, |_| {
            let time = duration_of(&time)?;
            task::wait(&context, async {
                context.host.sleep(time).await;
                Ok(())
            })
        })
    }

    /// Kills the next run at its `k`-th engine call, before the engine gets it.
    ///
    /// ```rhai,no_run
    /// sim::kill_at(12);
    /// assert(runbook("up").killed);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn kill_at(call: NativeCallContext, k: i64) -> Raw<()> {
        placed(&call, |test_context| {
            let kill = kill(k, CallSide::Before)?;
            test_context.order(|orders| orders.kill = Some(kill));
            Ok(())
        })
    }

    /// Kills the next run at its `k`-th engine call, `"before"` the engine gets it, or `"after"`
    /// the engine has done it.
    ///
    /// ```rhai,no_run
    /// sim::kill_at(12, "after");
    /// assert(runbook("up").killed);
    /// ```
    #[rhai_fn(name = "kill_at", return_raw, volatile)]
    pub fn kill_at_side(call: NativeCallContext, k: i64, side: &str) -> Raw<()> {
        placed(&call, |test_context| {
            let when = match side {
                "before" => CallSide::Before,
                "after" => CallSide::After,
                _ => {
                    let failure = Failure::usage(format!(
                        "A run is killed before or after a call, not \"{side}\" it"
                    ));
                    return Err(
                        failure.hint(did_you_mean(side, ["before", "after"]).unwrap_or_default())
                    );
                }
            };
            let kill = kill(k, when)?;
            test_context.order(|orders| orders.kill = Some(kill));
            Ok(())
        })
    }

    /// Kills the next run after it has lasted this long: at its first engine call from then on.
    ///
    /// ```rhai,no_run
    /// sim::kill_after("20s");
    /// assert(runbook("up").killed);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn kill_after(call: NativeCallContext, time: Dynamic) -> Raw<()> {
        placed(&call, |test_context| {
            let time = duration_of(&time)?;
            test_context.order(|orders| orders.kill = Some(RunKill::After(time)));
            Ok(())
        })
    }

    /// Presses Ctrl-C after the next run has lasted this long.
    ///
    /// ```rhai,no_run
    /// sim::interrupt_after("2s");
    /// assert_eq(runbook("up").code, 130);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn interrupt_after(call: NativeCallContext, time: Dynamic) -> Raw<()> {
        placed(&call, |test_context| {
            let time = duration_of(&time)?;
            test_context.order(|orders| orders.interrupt = Some(time));
            Ok(())
        })
    }

    /// Sets the clock of the machine that runs spc, ahead of the engine's clock by this time.
    ///
    /// ```rhai
    /// sim::clock_ahead("5m");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn clock_ahead(call: NativeCallContext, time: Dynamic) -> Raw<()> {
        placed(&call, |test_context| {
            test_context.world.host.set_clock_ahead(duration_of(&time)?);
            Ok(())
        })
    }

    /// Puts a file on the machine, with its parent folders; the path is relative to the project's
    /// directory. `()` removes an existing file. The project's own files already exist, except
    /// `.env`, `.spc` and `secrets`.
    ///
    /// ```rhai
    /// sim::file(".env", "POSTGRES_PORT=5433\n");
    /// assert_eq(fs::read(".env"), "POSTGRES_PORT=5433\n");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn file(call: NativeCallContext, path: &str, content: Dynamic) -> Raw<()> {
        let context = Context::of(&call)?;
        placed(&call, |test_context| {
            let host = &test_context.world.host;
            let path = named_itself(&**host, &test_context.path(&context, path));
            if content.is_unit() {
                return Ok(host.remove(&path)?);
            }
            if let Some(folder) = path.parent() {
                host.create_folder(&folder)?;
            }
            Ok(host.write(&path, plain(&content).as_bytes(), None)?)
        })
    }

    /// Types this line at the next question of a runbook.
    ///
    /// ```rhai
    /// sim::answer("yes");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn answer(call: NativeCallContext, line: &str) -> Raw<()> {
        placed(&call, |test_context| {
            test_context.world.host.add_answer(line);
            Ok(())
        })
    }

    /// The questions that were asked so far.
    ///
    /// ```rhai
    /// assert_eq(sim::questions(), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn questions(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| Ok(texts(test_context.world.host.questions())))
    }

    /// Describes an image of the registry: `command entrypoint environment user working_dir ports
    /// volumes labels healthcheck files`, and how long its pull `takes`. `here: true`: it needs no
    /// pull; `missing: true`: the registry doesn't have it. Any other image can be pulled, and runs
    /// until it is stopped.
    ///
    /// ```rhai
    /// sim::image("postgres:15-alpine", #{ takes: "20s", volumes: ["/var/lib/postgresql/data"] });
    /// sim::image("redis:7-alpine", #{ missing: true });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn image(call: NativeCallContext, name: &str, options: Dynamic) -> Raw<()> {
        placed(&call, |test_context| machine::image(test_context, name, &options))
    }

    /// Sets the results of builds of images whose name matches `pattern` (`*` matches anything):
    /// `step_takes`, and which step `fails_at` (a part of its words), with which `output` and
    /// `code`.
    ///
    /// ```rhai
    /// sim::build("spc-backend:*", #{ fails_at: "pip install", output: "no network", code: 1 });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn build(call: NativeCallContext, pattern: &str, options: Dynamic) -> Raw<()> {
        placed(&call, |test_context| machine::build(test_context, pattern, &options))
    }

    /// Sets whether a registry answers.
    ///
    /// ```rhai
    /// sim::registry(false);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn registry(call: NativeCallContext, answers: bool) -> Raw<()> {
        placed(&call, |test_context| {
            test_context.world.engine.set_registry(answers);
            Ok(())
        })
    }

    /// Sets the behaviour of containers that start from now on and whose name, service, image or
    /// command line matches `pattern` (`*` matches anything). The last match counts as a whole.
    ///
    /// `ready_after` (a duration, or `"never"`), `unready` (periods of time), `exits_after` with
    /// `exit_code`, `out_of_memory_after`, `stop_takes`, `stop_code`, `ignores_term`,
    /// `drops_requests` (it ends without finishing those of `sim::clients`), `cannot_start`, `logs` (texts, or `#{ after, text, stderr }`), `writes` (paths of volumes),
    /// and `exec`: the answers of commands. An answer is a text, a map `#{ code, stdout, stderr,
    /// takes, cannot_run, runs_on }`, a function of the command's words, a list of answers one
    /// after another, or a map of answers by patterns. A command without an answer, or with the
    /// answer `()`, succeeds without output; the health check passes when the container is ready. A
    /// container without a behaviour runs until it is stopped. A one-off container (`run`), and a
    /// job that something waits for, ends after a second with code 0.
    ///
    /// ```rhai
    /// sim::process("db", #{ ready_after: "20s", exec: #{ "psql *": "1 row", "pg_dump *": #{ code: 1, stderr: "no" } } });
    /// sim::process("backend", #{ exits_after: "5s", exit_code: 1, logs: ["no database"] });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn process(call: NativeCallContext, pattern: &str, options: Dynamic) -> Raw<()> {
        placed(&call, |test_context| machine::process(test_context, pattern, &options))
    }

    /// Sets the answer of commands of the machine itself (those of `sh`) whose words match
    /// `pattern`; answers are those of `exec` in `sim::process`. A command without an answer is not
    /// installed.
    ///
    /// ```rhai
    /// sim::command("git status *", #{ code: 128, stderr: "fatal: not a git repository" });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn command(call: NativeCallContext, pattern: &str, answer: Dynamic) -> Raw<()> {
        placed(&call, |test_context| {
            let (answers, pattern, stubs) = (
                Answers::of(test_context, &answer)?,
                pattern.to_owned(),
                test_context.stubs.clone(),
            );
            stubs.declare("sim::command", &pattern);
            test_context.world.host.add_command(move |request| {
                let words = words_of(&request.command);
                let fits = matches(&pattern, &words);
                stubs.ask("sim::command", &pattern, &words, fits);
                fits.then(|| answers.give(&request.command)).flatten().map(Into::into)
            });
            Ok(())
        })
    }

    /// The commands of the machine itself that ran so far, as text.
    ///
    /// ```rhai
    /// assert_eq(sim::commands(), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn commands(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| {
            Ok(texts(
                test_context.world.host.commands().iter().map(|request| words_of(&request.command)),
            ))
        })
    }

    /// Sets the answer to requests whose address, or method and address, matches `pattern`: a
    /// status, a body, a map `#{ status, body, headers, takes }`, or a function of `"GET
    /// http://…"`. To other requests nobody answers.
    ///
    /// ```rhai
    /// sim::http("http://localhost:8000/*", #{ status: 503, takes: "2s" });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn http(call: NativeCallContext, pattern: &str, answer: Dynamic) -> Raw<()> {
        placed(&call, |test_context| {
            let (pages, pattern, stubs) =
                (Pages::of(test_context, &answer)?, pattern.to_owned(), test_context.stubs.clone());
            stubs.declare("sim::http", &pattern);
            test_context.world.host.add_http(move |request| {
                let method = if request.method.is_empty() { "GET" } else { &request.method };
                let whole = format!("{method} {}", request.url);
                let fits = matches(&pattern, &request.url) || matches(&pattern, &whole);
                stubs.ask("sim::http", &pattern, &whole, fits);
                fits.then(|| pages.give(&whole)).flatten()
            });
            Ok(())
        })
    }

    /// Makes one engine call fail: `on` this call (`"any"` by default), the `nth` from now (1 by
    /// default), with the `effect`: `404 409 500 reply_lost hang stream_cut stale_list no_space
    /// engine_restart events_end`, `"slow 5s"`.
    ///
    /// `on: "nginx_reload"` is a reload of nginx by `std/nginx`: `"slow 5s"` applies it later,
    /// `"ignored"` never, `"stale_addresses"` without the addresses of new names. `on:
    /// "nginx_test"` is `nginx -t`, which can be `"rejected"`.
    ///
    /// ```rhai
    /// sim::fault(#{ on: "container_start", nth: 2, effect: "500" });
    /// sim::fault(#{ on: "nginx_reload", effect: "ignored" });
    /// ```
    #[rhai_fn(name = "fault", return_raw, volatile)]
    pub fn one_fault(call: NativeCallContext, parts: Dynamic) -> Raw<()> {
        placed(&call, |test_context| fault(test_context, &parts))
    }

    /// Fills the engine's disk, or frees it. On a full disk, calls that need space fail, and calls
    /// that end and remove containers work.
    ///
    /// ```rhai
    /// sim::disk_full(true);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn disk_full(call: NativeCallContext, is_full: bool) -> Raw<()> {
        placed(&call, |test_context| {
            test_context.world.engine.set_disk_full(is_full);
            Ok(())
        })
    }

    /// Restarts the engine, which is away for this long. Containers without a restart policy stay
    /// down.
    ///
    /// ```rhai
    /// sim::restart_engine("3s");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn restart_engine(call: NativeCallContext, away: Dynamic) -> Raw<()> {
        placed(&call, |test_context| {
            test_context.world.engine.restart(duration_of(&away)?);
            Ok(())
        })
    }

    /// Makes another process of the machine listen on a TCP port from now on.
    ///
    /// ```rhai
    /// sim::take_port(5432);
    /// sim::free_port(5432);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn take_port(call: NativeCallContext, port: i64) -> Raw<()> {
        placed(&call, |test_context| {
            let port = port_of(port)?;
            test_context.world.engine.take_port(port);
            let address = std::net::Ipv4Addr::UNSPECIFIED.into();
            test_context.world.host.listen(Listener {
                address,
                port,
                protocol: "tcp".into(),
                process: None,
            });
            Ok(())
        })
    }

    /// Makes that process release the port.
    ///
    /// ```rhai
    /// sim::take_port(5432);
    /// sim::free_port(5432);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn free_port(call: NativeCallContext, port: i64) -> Raw<()> {
        placed(&call, |test_context| {
            let port = port_of(port)?;
            test_context.world.engine.free_port(port);
            test_context.world.host.stop_listening(port);
            Ok(())
        })
    }

    /// Ends a container's process with `code`, like a crash.
    ///
    /// ```rhai,no_run
    /// sim::end("spc-db-1", 1);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn end(call: NativeCallContext, container: &str, code: i64) -> Raw<()> {
        placed(&call, |test_context| {
            machine::on_container(test_context.world.engine.end_process(container, code))
        })
    }

    /// Writes a line to a container's log.
    ///
    /// ```rhai,no_run
    /// sim::say("spc-db-1", "ready to accept connections");
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn say(call: NativeCallContext, container: &str, line: &str) -> Raw<()> {
        placed(&call, |test_context| {
            machine::on_container(test_context.world.engine.say(container, line))
        })
    }

    /// Changes the content of a volume, as its containers would. `writes` of `sim::volumes` counts
    /// this.
    ///
    /// ```rhai
    /// volume("data").create();
    /// sim::write(sim::volumes()[0].name);
    /// assert_eq(sim::volumes()[0].writes, 1);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn write(call: NativeCallContext, volume: &str) -> Raw<()> {
        placed(&call, |test_context| {
            if test_context.world.engine.change_volume(volume) {
                Ok(())
            } else {
                Err(no_such_volume(test_context, volume))
            }
        })
    }

    /// Sends requests to the stack from now on, `rps` per second. Each release answers them with an
    /// `error_rate` and a `p95_ms`. They appear in the log of nginx.
    ///
    /// ```rhai
    /// sim::traffic(#{ rps: 200, v1: #{ error_rate: 0.001, p95_ms: 80 }, v2: #{ error_rate: 0.2 } });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn traffic(call: NativeCallContext, figures: Map) -> Raw<()> {
        placed(&call, |test_context| machine::traffic(test_context, &figures))
    }

    /// Sends requests to a service behind nginx from now on, also while a run is killed and run
    /// again. `proxy` is the service of nginx. Options: `every` (a request each `"100ms"`),
    /// `takes` (how long the service works on one, `"100ms"`), `service` (`"backend"`), `port`
    /// (8000), and `keep_alive` (all over one connection). Can be called several times.
    ///
    /// nginx sends each request to a container, by the configuration that it runs. A request is
    /// lost if that container does not run, is not up, or ends or leaves the network before it has
    /// answered. `sim::requests()` shows them; a crash sweep fails for each.
    ///
    /// ```rhai
    /// sim::clients("nginx", #{ every: "50ms", takes: "80ms" });
    /// sim::clients("nginx", #{ every: "5s", takes: "20s" });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn clients(call: NativeCallContext, proxy: &str, options: Dynamic) -> Raw<()> {
        placed(&call, |test_context| requests::clients(test_context, proxy, &options))
    }

    /// Sets how the containers of a `release` of a service answer the requests of `sim::clients`
    /// from now on: the share of `errors` with status 500 (0.0), and how long each `takes` at
    /// least.
    ///
    /// ```rhai
    /// sim::answers("backend", #{ release: "v2", errors: 0.2, takes: "2s" });
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn answers(call: NativeCallContext, service: &str, options: Dynamic) -> Raw<()> {
        placed(&call, |test_context| requests::answers(test_context, service, &options))
    }

    /// What became of the requests of `sim::clients` so far: `sent`, `errors` (answers of the
    /// service with status 500), `failed` (lost requests), and the first 100 `failures`: `at
    /// container reason status during`. `status` is `()` if the connection failed, and `during` is
    /// the last engine call of spc before.
    ///
    /// ```rhai
    /// assert_eq(sim::requests().failures, []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn requests(call: NativeCallContext) -> Raw<Dynamic> {
        placed(&call, |test_context| Ok(views::requests(test_context)))
    }

    /// The release of each running container of a service.
    ///
    /// ```rhai
    /// assert_eq(sim::releases("backend"), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn releases(call: NativeCallContext, service: &str) -> Raw<Array> {
        placed(&call, |test_context| Ok(texts(test_context.world.engine.releases(service))))
    }

    /// The existing containers, running or not: `name service state health exit_code error image
    /// image_id id starts networks mounts ports signals environment labels`.
    ///
    /// ```rhai
    /// assert_eq(sim::containers().filter(|it| it.state == "running"), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn containers(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| Ok(views::containers(test_context)))
    }

    /// The existing volumes: `name stamp writes most_writers labels`. A recreated volume has
    /// another stamp.
    ///
    /// ```rhai
    /// assert_eq(sim::volumes(), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn volumes(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| Ok(views::volumes(test_context)))
    }

    /// The existing networks, except the engine's own: `name subnets labels`.
    ///
    /// ```rhai
    /// assert_eq(sim::networks(), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn networks(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| Ok(views::networks(test_context)))
    }

    /// The images on the engine: `id tags digests`.
    ///
    /// ```rhai
    /// sim::image("redis:7", #{ here: true });
    /// assert_eq(sim::images()[0].tags, ["redis:7"]);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn images(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| Ok(views::images(test_context)))
    }

    /// The calls of the engine so far: `index method target mutates at`.
    ///
    /// ```rhai
    /// assert_eq(sim::calls().filter(|it| it.mutates).map(|it| it.method), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn calls(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| Ok(views::calls(test_context)))
    }

    /// The events of the engine so far: `at kind action name exit_code`.
    ///
    /// ```rhai
    /// assert_eq(sim::events().filter(|it| it.action == "die"), []);
    /// ```
    #[rhai_fn(return_raw, volatile)]
    pub fn events(call: NativeCallContext) -> Raw<Array> {
        placed(&call, |test_context| Ok(views::events(test_context)))
    }
}
