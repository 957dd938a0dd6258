//! Lists the functions with options, and the readers of these options. So wrong options are found
//! without a call.

use rhai::Map;

use super::assume_option::Patience;
use super::context::Context;
use super::{
    args, certificate, compose, confirm, exec, fs, healthcheck, http, image, logs, network, retry,
    run, sh, stack,
};
use crate::model::Failure;

/// An overload of a function that takes a map of options.
pub struct OptionsOverload {
    /// `http` for `http::get`; empty for functions without a module.
    pub module: &'static str,
    pub name: &'static str,
    /// The number of its arguments, including the value on which it is called.
    pub arguments: usize,
    /// The index of the options among the arguments, from 0.
    pub at: usize,
    /// Reads options as the function does.
    pub read: fn(&Context, Map) -> Result<(), Failure>,
}

const fn last(
    name: &'static str,
    arguments: usize,
    read: fn(&Context, Map) -> Result<(), Failure>,
) -> OptionsOverload {
    OptionsOverload { module: "", name, arguments, at: arguments - 1, read }
}

const fn of(
    module: &'static str,
    name: &'static str,
    arguments: usize,
    read: fn(&Context, Map) -> Result<(), Failure>,
) -> OptionsOverload {
    OptionsOverload { module, name, arguments, at: arguments - 1, read }
}

/// All overloads with options.
pub const ALL: &[OptionsOverload] = &[
    last("args", 1, |_, given| args::free_names(&given)),
    last("build", 2, |context, given| image::described(context, &given).map(drop)),
    last("build", 3, |_, given| stack::build_options(given).map(drop)),
    last("compose", 1, |_, given| compose::options_of(given).map(drop)),
    last("compose", 2, |_, given| compose::options_of(given).map(drop)),
    last("connect", 3, |_, given| network::aliases(given).map(drop)),
    last("down", 2, |context, given| stack::down_options(context, given).map(drop)),
    last("exec", 3, |context, given| exec::ExecOptions::read(context, Vec::new(), given).map(drop)),
    last("healthcheck", 2, |_, given| healthcheck::HealthcheckOptions::read(given).map(drop)),
    last("import_tar", 3, |_, given| image::changes(given).map(drop)),
    last("logs", 2, |context, given| logs::request(context, given).map(drop)),
    last("logs", 3, |context, given| logs::request(context, given).map(drop)),
    last("registry_digest", 2, |_, given| image::patience(given).map(drop)),
    OptionsOverload {
        at: 0,
        ..last("retry", 2, |_, given| retry::Plan::read(&given.into()).map(drop))
    },
    last("run", 2, |context, given| run::options(context, given, true).map(drop)),
    last("run", 3, |context, given| run::options(context, given, true).map(drop)),
    last("sh", 2, |context, given| sh::Request::read(context, &given.into()).map(drop)),
    last("up", 2, |context, given| stack::up_options(context, None, given).map(drop)),
    last("up", 3, |context, given| stack::up_options(context, None, given).map(drop)),
    last("confirm", 2, |_, given| confirm::answer(given).map(drop)),
    last("wait", 3, |_, given| Patience::read(&given.into()).map(drop)),
    OptionsOverload {
        at: 0,
        ..last("wait_until", 2, |_, given| Patience::read(&given.into()).map(drop))
    },
    of("certificate", "write_self_signed", 3, |_, given| {
        certificate::Request::read(&given.into()).map(drop)
    }),
    of("fs", "write", 3, |_, given| fs::mode(&given.into()).map(drop)),
    of("http", "delete", 2, |context, given| http::Content::read(context, &given.into()).map(drop)),
    of("http", "get", 2, |context, given| http::Content::read(context, &given.into()).map(drop)),
    of("http", "head", 2, |context, given| http::Content::read(context, &given.into()).map(drop)),
    of("http", "patch", 2, |context, given| http::Content::read(context, &given.into()).map(drop)),
    of("http", "post", 2, |context, given| http::Content::read(context, &given.into()).map(drop)),
    of("http", "put", 2, |context, given| http::Content::read(context, &given.into()).map(drop)),
];
