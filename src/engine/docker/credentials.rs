//! Registry credentials: those that Docker's own client would send, from its `config.json`.
//!
//! A registry has an entry in `auths`, or a program in `credHelpers`, or the program in
//! `credsStore` for all registries. The program `docker-credential-<name>` belongs to the person,
//! like the configuration: it is searched in the folders of their `PATH`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::{FutureExt, StreamExt};
use serde::Deserialize;

use super::client_folder::client_folder;
use crate::engine::{EngineError, EngineErrorKind, RegistryAuth, Result};
use crate::host::resolve::named;
use crate::host::{CommandEvent, CommandRequest, FileKind, Host, HostErrorKind};
use crate::model::image_reference::{DEFAULT_REGISTRY, ImageReference};

/// The name of Docker's default registry in `config.json`.
const INDEX_KEY: &str = "https://index.docker.io/v1/";
/// The server of the default registry's images.
const DEFAULT_HOST: &str = "registry-1.docker.io";
/// The prefix of the programs' names.
const HELPER: &str = "docker-credential-";
/// The time limit of such a program: it may ask the person a question.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most bytes that are read of its answer.
const MOST: usize = 64 << 10;
/// The user name that means that the secret is an identity token.
const TOKEN_USER: &str = "<token>";

/// The parts of `config.json` that are read.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Config {
    auths: BTreeMap<String, Entry>,
    #[serde(rename = "credHelpers")]
    helpers: BTreeMap<String, String>,
    #[serde(rename = "credsStore")]
    store: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    /// `user:password` in base64.
    auth: String,
    username: String,
    password: String,
    #[serde(rename = "identitytoken")]
    identity_token: String,
}

/// The answer of a helper.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Answer {
    #[serde(default)]
    username: String,
    #[serde(default)]
    secret: String,
}

/// What is known about a registry's credentials.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum CredentialLookup {
    Some(RegistryAuth),
    /// There are none, so spc asks anonymously.
    None,
    /// The program with the credentials is missing. Public images can still be pulled.
    NoProgram(String),
}

impl CredentialLookup {
    pub(super) fn auth(&self) -> Option<&RegistryAuth> {
        match self {
            Self::Some(auth) => Some(auth),
            Self::None | Self::NoProgram(_) => None,
        }
    }

    /// The error of a call with these credentials, with the next step for the person.
    pub(super) fn explain(&self, mut error: EngineError, registry: &str) -> EngineError {
        if !matches!(error.kind, EngineErrorKind::Denied | EngineErrorKind::NotFound) {
            return error;
        }
        match self {
            Self::Some(auth) if error.kind == EngineErrorKind::Denied => {
                let who = if auth.username.is_empty() {
                    "a token".to_owned()
                } else {
                    format!("the user \"{}\"", auth.username)
                };
                error.message = format!("{} (with the credentials of {who})", error.message);
                error.with_hint(format!(
                    "log in again with `docker login {}` with an account that has access to it",
                    login(registry)
                ))
            }
            Self::NoProgram(program) => {
                error.message = format!(
                    "{} (without credentials: the program \"{program}\" from config.json is not installed)",
                    error.message
                );
                error.with_hint(format!(
                    "install \"{program}\", or log in with `docker login {}`",
                    login(registry)
                ))
            }
            Self::None if error.kind == EngineErrorKind::Denied => error.with_hint(format!(
                "log in with `docker login {}`, then run the same command again",
                login(registry)
            )),
            _ => error,
        }
    }
}

/// The argument of `docker login`.
fn login(registry: &str) -> &str {
    if registry == DEFAULT_REGISTRY { "" } else { registry }
}

/// The registry of an image's name.
pub(super) fn registry_of(image: &str) -> String {
    ImageReference::parse(image)
        .map_or_else(|| DEFAULT_REGISTRY.to_owned(), |reference| reference.registry)
}

/// The credentials of the person who runs spc. Read each time, because they may log in meanwhile.
#[derive(Clone)]
pub(super) struct Credentials {
    host: Arc<dyn Host>,
}

impl Credentials {
    pub(super) fn new(host: Arc<dyn Host>) -> Self {
        Self { host }
    }

    /// The credentials for `registry`: the first part of an image's name, or the host that a
    /// builder asks for.
    ///
    /// # Errors
    /// Fails if the configuration can't be read, or the program with the credentials fails.
    pub(super) async fn of(&self, registry: &str) -> Result<CredentialLookup> {
        let Some(folder) = client_folder(&*self.host) else { return Ok(CredentialLookup::None) };
        let path = folder.join("config.json");
        let Some(config) = self.config(&path)? else { return Ok(CredentialLookup::None) };
        let key =
            if [DEFAULT_REGISTRY, DEFAULT_HOST].contains(&registry) { INDEX_KEY } else { registry };
        let helper = config.helpers.get(key).map(String::as_str).filter(|name| !name.is_empty());
        match helper.or_else(|| Some(config.store.as_str()).filter(|name| !name.is_empty())) {
            Some(name) => self.ask(name, key, &path).await,
            None => read_entry(&config, key, &path),
        }
    }

    /// The credentials of every registry in the configuration, for the classic builder, which can't
    /// ask.
    pub(super) async fn all(&self) -> Result<BTreeMap<String, RegistryAuth>> {
        let Some(folder) = client_folder(&*self.host) else { return Ok(BTreeMap::new()) };
        let Some(config) = self.config(&folder.join("config.json"))? else {
            return Ok(BTreeMap::new());
        };
        let mut all = BTreeMap::new();
        for key in config.auths.keys().chain(config.helpers.keys()) {
            let registry = if key == INDEX_KEY { DEFAULT_REGISTRY } else { hostname(key) };
            if let CredentialLookup::Some(auth) = self.of(registry).await? {
                all.insert(key.clone(), auth);
            }
        }
        Ok(all)
    }

    fn config(&self, path: &Path) -> Result<Option<Config>> {
        let content = match self.host.read(&named(&*self.host, path)) {
            Ok(content) => content,
            Err(error) if error.kind == HostErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(EngineError::new(EngineErrorKind::Failed, error.message).with_hint(
                    "let it be read, or name another folder of Docker's client with DOCKER_CONFIG",
                ));
            }
        };
        serde_json::from_slice(&content).map(Some).map_err(|error| {
            // serde's own message may contain a value.
            let message = format!(
                "could not read \"{}\": wrong at line {}, column {}",
                path.display(),
                error.line(),
                error.column()
            );
            EngineError::new(EngineErrorKind::Failed, message)
                .with_hint("fix the file, or name another folder with DOCKER_CONFIG")
        })
    }

    /// Runs the program `docker-credential-<name>`.
    async fn ask(&self, name: &str, key: &str, config: &Path) -> Result<CredentialLookup> {
        let program = format!("{HELPER}{name}");
        let failed = |why: String| {
            let message = format!(
                "the credential helper \"{program}\", which \"{}\" names, {why}",
                config.display()
            );
            EngineError::new(EngineErrorKind::Failed, message).with_hint(format!(
                "try it with `echo {key} | {program} get`, or name another one in config.json"
            ))
        };
        if name.contains('/') {
            let hint = format!("write what follows \"{HELPER}\" in the program's name");
            return Err(failed("is no name of a program".to_owned()).with_hint(hint));
        }
        let Some(file) = self.find(&program) else {
            return Ok(CredentialLookup::NoProgram(program));
        };
        let request = CommandRequest {
            command: vec![program.clone(), "get".to_owned()],
            program: Some(file),
            environment: self.host.environment(),
            working_dir: PathBuf::from("/"),
            stdin: Some(key.to_owned().into()),
        };
        let answered = async {
            let mut events = self
                .host
                .spawn(&request)
                .map_err(|error| failed(format!("could not be started: {}", error.message)))?;
            let (mut stdout, mut code) = (Vec::new(), None);
            while let Some(event) = events.next().await {
                match event
                    .map_err(|error| failed(format!("could not be run: {}", error.message)))?
                {
                    CommandEvent::Stdout(bytes) if stdout.len() + bytes.len() <= MOST => {
                        stdout.extend_from_slice(&bytes)
                    }
                    CommandEvent::Stdout(_) => {
                        return Err(failed("answers without an end".to_owned()));
                    }
                    CommandEvent::Stderr(_) => {}
                    CommandEvent::Exit(exit) => code = Some(exit),
                }
            }
            Ok((stdout, code))
        };
        let (stdout, code) = futures::select_biased! {
            answered = Box::pin(answered).fuse() => answered?,
            () = self.host.sleep(PATIENCE).fuse() => return Err(failed(format!("did not answer within {} s", PATIENCE.as_secs()))),
        };
        read_answer(&stdout, code, &failed)
    }

    /// The program's file, in the folders of the person's own `PATH`; relative folders are ignored.
    fn find(&self, program: &str) -> Option<PathBuf> {
        let folders = self.host.variable("PATH")?;
        let mut files = folders
            .split(':')
            .map(Path::new)
            .filter(|folder| folder.is_absolute())
            .map(|folder| folder.join(program));
        files.find_map(|file| {
            let file = self.host.canonicalize(&file).ok()?;
            let info = self.host.info(&named(&*self.host, &file)).ok()?;
            (info.kind == FileKind::File && info.mode & 0o111 != 0).then_some(file)
        })
    }
}

/// Parses the answer of a helper. If its code is not 0, the first line contains the reason.
fn read_answer(
    stdout: &[u8],
    code: Option<i64>,
    failed: &dyn Fn(String) -> EngineError,
) -> Result<CredentialLookup> {
    if code != Some(0) {
        let text = String::from_utf8_lossy(stdout);
        let why = text.trim().lines().next().unwrap_or_default();
        if why.to_ascii_lowercase().contains("credentials not found") {
            return Ok(CredentialLookup::None);
        }
        let code = code.map_or_else(|| "no code".to_owned(), |code| format!("code {code}"));
        return Err(failed(if why.is_empty() {
            format!("failed with {code}")
        } else {
            format!("failed with {code}: {why}")
        }));
    }
    // Its content is a secret, so the message says only that it can't be read.
    let answer: Answer = serde_json::from_slice(stdout)
        .map_err(|_| failed("answered something else than Docker's helpers do".to_owned()))?;
    Ok(match answer.username.as_str() {
        _ if answer.secret.is_empty() => CredentialLookup::None,
        TOKEN_USER => CredentialLookup::Some(RegistryAuth {
            identity_token: answer.secret,
            ..RegistryAuth::default()
        }),
        _ => CredentialLookup::Some(RegistryAuth {
            username: answer.username,
            password: answer.secret,
            ..RegistryAuth::default()
        }),
    })
}

/// A registry's entry in `auths`: with exactly this key, or with another form of its host.
fn read_entry(config: &Config, key: &str, path: &Path) -> Result<CredentialLookup> {
    let others =
        || config.auths.iter().find(|(other, _)| hostname(other) == key).map(|(_, entry)| entry);
    let Some(entry) = config.auths.get(key).or_else(others) else {
        return Ok(CredentialLookup::None);
    };
    let wrong = || {
        let message = format!(
            "could not read \"{}\": the entry of \"{key}\" in \"auths\" is not what Docker's client writes",
            path.display()
        );
        EngineError::new(EngineErrorKind::Failed, message)
            .with_hint("log in again with `docker login`")
    };
    if !entry.identity_token.is_empty() {
        return Ok(CredentialLookup::Some(RegistryAuth {
            identity_token: entry.identity_token.clone(),
            ..RegistryAuth::default()
        }));
    }
    let (username, password) = if entry.auth.is_empty() {
        (entry.username.clone(), entry.password.clone())
    } else {
        let decoded = STANDARD
            .decode(entry.auth.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok())
            .ok_or_else(wrong)?;
        let (username, password) = decoded.split_once(':').ok_or_else(wrong)?;
        (username.to_owned(), password.trim_matches('\0').to_owned())
    };
    if username.is_empty() && password.is_empty() {
        return Ok(CredentialLookup::None);
    }
    Ok(CredentialLookup::Some(RegistryAuth { username, password, ..RegistryAuth::default() }))
}

/// `https://registry.example/v1/` → `registry.example`.
fn hostname(key: &str) -> &str {
    let rest = key.strip_prefix("https://").or_else(|| key.strip_prefix("http://")).unwrap_or(key);
    rest.split('/').next().unwrap_or(rest)
}

#[cfg(test)]
mod tests;
