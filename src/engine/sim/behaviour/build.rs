//! Simulated builds: the Dockerfile determines the configuration of the image, a script determines
//! the results of the steps.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use bollard::models::ImageConfig;
use bytes::Bytes;
use futures::channel::mpsc::UnboundedReceiver;

use super::processes::matches;
use crate::engine::sim::MODERN_API;
use crate::engine::sim::daemon::feed::{Step, say};
use crate::engine::sim::daemon::ids::digest;
use crate::engine::sim::daemon::images::Image;
use crate::engine::sim::daemon::images::dockerfile::{Stage, stages};
use crate::engine::sim::daemon::images::mounts::{self, Mount};
use crate::engine::sim::daemon::images::reference::Reference;
use crate::engine::sim::daemon::state::State;
use crate::engine::sim::daemon::tree::Tree;
use crate::engine::{
    BuildEvent, EngineError, EngineErrorKind as Kind, OUTPUT_FOLLOWS, Result, base_image,
    secret_hint,
};
use crate::model::dockerfile::has_own_frontend;

const STEP_TAKES: Duration = Duration::from_secs(1);
const CACHED_TAKES: Duration = Duration::from_millis(20);

/// The results of the steps of a build.
#[derive(Debug, Clone)]
pub struct BuildScript {
    step_takes: Duration,
    fails: Option<(String, String, i64)>,
    says: Vec<(String, String)>,
    files: BTreeMap<String, Bytes>,
}

impl Default for BuildScript {
    fn default() -> Self {
        Self { step_takes: STEP_TAKES, fails: None, says: Vec::new(), files: BTreeMap::new() }
    }
}

impl BuildScript {
    /// Every step takes a second and succeeds silently.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every step takes this long.
    #[must_use]
    pub fn step_takes(mut self, time: Duration) -> Self {
        self.step_takes = time;
        self
    }

    /// The first step that contains `part` writes `output` and ends with `code`.
    #[must_use]
    pub fn fails_at(mut self, part: &str, output: &str, code: i64) -> Self {
        self.fails = Some((part.to_owned(), output.to_owned(), code));
        self
    }

    /// Steps that contain `part` write `output`.
    #[must_use]
    pub fn says(mut self, part: &str, output: &str) -> Self {
        self.says.push((part.to_owned(), output.to_owned()));
        self
    }

    /// The image has this file.
    #[must_use]
    pub fn with_file(mut self, path: &str, content: impl Into<Bytes>) -> Self {
        self.files.insert(path.to_owned(), content.into());
        self
    }
}

/// The scripts of builds, and the steps that were done before.
#[derive(Debug, Default)]
pub(in crate::engine::sim) struct Builds {
    /// By a pattern for the image's name; the newest counts.
    pub scripts: Vec<(String, BuildScript)>,
    /// Ids of built images.
    built: BTreeSet<String>,
    /// The pattern of a script, the name of an image to build, and whether they match.
    pub asked: BTreeSet<(String, String, bool)>,
}

/// A build without the stream of its context.
pub(in crate::engine::sim) struct BuildOrder {
    pub tags: Vec<String>,
    pub dockerfile: String,
    pub target: Option<String>,
    pub args: BTreeMap<String, String>,
    /// The ids of the secrets that its steps may read.
    pub secrets: BTreeSet<String>,
    pub labels: BTreeMap<String, String>,
    pub no_cache: bool,
    pub context_digest: String,
    pub context: Bytes,
}

fn failed(words: impl Into<String>) -> EngineError {
    EngineError::new(Kind::Failed, words)
}

/// A prepared build, before anything runs.
struct Plan {
    /// Every step in the builder's words, with the instruction itself.
    steps: Vec<String>,
    config: ImageConfig,
    files: Tree,
    id: String,
}

impl State {
    /// Starts a build and returns its reports. If it can't be built, the first of them is the
    /// failure.
    pub fn build(&mut self, order: BuildOrder) -> UnboundedReceiver<Result<BuildEvent>> {
        match self.plan_build(&order) {
            Ok(plan) => {
                let steps = self.build_steps(order, plan);
                self.feed(steps)
            }
            Err(error) => {
                let fails: Step<BuildEvent> = Box::new(move |_| Err(error));
                self.feed([(Duration::ZERO, fails)])
            }
        }
    }

    fn plan_build(&mut self, order: &BuildOrder) -> Result<Plan> {
        for tag in &order.tags {
            Reference::parse(tag)?;
        }
        let mut context = Tree::default();
        context
            .unpack("/", &order.context)
            .map_err(|error| failed(format!("could not read the build context: {error}")))?;
        let text = context.file(&order.dockerfile).ok_or_else(|| {
            failed(format!(
                "the build failed: failed to read dockerfile: open {}: no such file or directory",
                order.dockerfile
            ))
        })?;
        let text = String::from_utf8_lossy(&text).into_owned();
        let stages = stages(&text, &order.args)
            .map_err(|words| failed(format!("the build failed: {words}")))?;
        if !has_own_frontend(&text) {
            self.check_mounts(&stages)?;
        }
        let last = match &order.target {
            None => stages.len() - 1,
            Some(target) => find_stage(&stages, target).ok_or_else(|| {
                failed(format!("the build failed: target stage \"{target}\" could not be found"))
            })?,
        };
        stages
            .iter()
            .filter(|stage| find_stage(&stages, &stage.base).is_none())
            .for_each(|stage| self.offer(&stage.base));
        let needed = needed(&stages, last);
        self.note_build(order);
        let script = self.build_script(order);
        let (mut config, base) = self.base_config(&stages, last, &order.args)?;
        config.labels.get_or_insert_default().extend(order.labels.clone());
        let mut files = self.base_files(&stages, last);
        files.add_folder(config.working_dir.as_deref().unwrap_or("/"));
        for (path, content) in &script.files {
            files.write(path, content.clone());
        }
        let mut steps = Vec::new();
        for at in needed {
            steps.extend(stage_steps(&stages, at));
        }
        let pairs = |map: &BTreeMap<String, String>| {
            map.iter().map(|(key, value)| format!("{key}={value}")).collect::<Vec<_>>().join("\n")
        };
        let target = order.target.clone().unwrap_or_default();
        let parts = [
            &order.context_digest,
            &text,
            &target,
            &base,
            &pairs(&order.args),
            &pairs(&order.labels),
        ];
        Ok(Plan { steps, config, files, id: format!("sha256:{}", digest(parts)) })
    }

    /// Rejects mounts that the builder's own frontend does not know.
    fn check_mounts(&self, stages: &[Stage]) -> Result<()> {
        let mut runs = stages
            .iter()
            .flat_map(|stage| &stage.instructions)
            .filter(|instruction| instruction.name == "RUN");
        runs.try_for_each(|run| {
            let mounts = mounts::of_run(&run.rest, self.api >= MODERN_API);
            mounts.map(drop).map_err(|words| {
                failed(format!("the build failed: dockerfile parse error: {words}"))
            })
        })
    }

    fn note_build(&mut self, order: &BuildOrder) {
        let asked = self.builds.scripts.iter().map(|(pattern, _)| {
            let fits = order.tags.iter().any(|tag| matches(pattern, tag));
            (pattern.clone(), order.tags.join(" "), fits)
        });
        self.builds.asked.extend(asked.collect::<Vec<_>>());
    }

    fn build_script(&self, order: &BuildOrder) -> BuildScript {
        let fits = |(pattern, _): &&(String, BuildScript)| {
            order.tags.iter().any(|tag| matches(pattern, tag))
        };
        self.builds
            .scripts
            .iter()
            .rev()
            .find(fits)
            .map(|(_, script)| script.clone())
            .unwrap_or_default()
    }

    /// The configuration of a stage, and the id of the image that it begins with.
    fn base_config(
        &self,
        stages: &[Stage],
        at: usize,
        arguments: &BTreeMap<String, String>,
    ) -> Result<(ImageConfig, String)> {
        let stage = &stages[at];
        let (mut config, base) = match find_stage(&stages[..at], &stage.base) {
            Some(before) => self.base_config(stages, before, arguments)?,
            None if stage.base == "scratch" => (ImageConfig::default(), String::new()),
            None => {
                let image = self.base_image(&stage.base)?;
                (image.config.clone(), image.id.clone())
            }
        };
        stage
            .configure(&mut config, arguments)
            .map_err(|words| failed(format!("the build failed: {words}")))?;
        Ok((config, base))
    }

    /// The image that a build begins with: a local one, or the registry's.
    fn base_image(&self, name: &str) -> Result<&Image> {
        self.objects.find_image(name).or_else(|_| self.registry.image(name)).map_err(|error| {
            failed(format!("could not fetch the base image \"{name}\": {}", error.message))
                .with_hint(base_image::hint(name, &error.message))
        })
    }

    fn base_files(&self, stages: &[Stage], at: usize) -> Tree {
        match find_stage(&stages[..at], &stages[at].base) {
            Some(before) => self.base_files(stages, before),
            None => self
                .base_image(&stages[at].base)
                .map(|image| image.files.as_ref().clone())
                .unwrap_or_default(),
        }
    }

    fn build_steps(&self, order: BuildOrder, plan: Plan) -> Vec<(Duration, Step<BuildEvent>)> {
        let script = self.build_script(&order);
        let cached = !order.no_cache && self.builds.built.contains(&plan.id);
        let mut steps: Vec<(Duration, Step<BuildEvent>)> = Vec::new();
        // A step starts when the one before it has ended.
        let mut wait = Duration::ZERO;
        for words in &plan.steps {
            if cached {
                steps.push((CACHED_TAKES, say(BuildEvent::Cached(words.clone()))));
                continue;
            }
            steps.push((wait, say(BuildEvent::Step(words.clone()))));
            if let Some(id) = missing_secret(words, &order.secrets) {
                let error = failed(format!("\"{words}\" failed: secret {id} not found: not found"))
                    .with_hint(secret_hint(&id));
                steps.push((Duration::ZERO, Box::new(move |_| Err(error))));
                return steps;
            }
            wait = script.step_takes;
            for (_, output) in script.says.iter().filter(|(part, _)| words.contains(part.as_str()))
            {
                steps.push((Duration::ZERO, say(BuildEvent::Output(format!("{output}\n").into()))));
            }
            if let Some((_, output, code)) =
                script.fails.as_ref().filter(|(part, ..)| words.contains(part.as_str()))
            {
                let last = output.lines().collect::<Vec<_>>().join("\n  ");
                let shown = if last.is_empty() {
                    String::new()
                } else {
                    format!("{OUTPUT_FOLLOWS}\n  {last}")
                };
                let error = failed(format!("\"{words}\" failed with exit code {code}{shown}"));
                steps.push((
                    script.step_takes,
                    say(BuildEvent::Output(format!("{output}\n").into())),
                ));
                steps.push((Duration::ZERO, Box::new(move |_| Err(error))));
                return steps;
            }
        }
        steps.push((
            wait + CACHED_TAKES,
            Box::new(move |state| Ok(BuildEvent::Image(state.built(&order, plan)))),
        ));
        steps
    }

    /// Adds the image; returns its id.
    fn built(&mut self, order: &BuildOrder, plan: Plan) -> String {
        let Plan { config, files, id, .. } = plan;
        self.builds.built.insert(id.clone());
        let own = id.clone();
        self.store_image(&id, None, |state| Image {
            id: own,
            serial: state.ids.serial(),
            created: state.now,
            tags: BTreeSet::new(),
            digests: BTreeSet::new(),
            config,
            comment: "buildkit.dockerfile.v0".to_owned(),
            size: i64::try_from(order.context.len()).unwrap_or(i64::MAX),
            files: Arc::new(files),
        });
        for tag in &order.tags {
            let name =
                Reference::parse(tag).map_or_else(|_| tag.clone(), |reference| reference.full());
            self.name_image(&id, &name);
            self.emit_image(&id, "tag", &name);
        }
        id
    }
}

/// A required secret of the step that the build did not get.
fn missing_secret(step: &str, given: &BTreeSet<String>) -> Option<String> {
    let (_, rest) = step.split_once("] RUN ")?;
    let mounts = mounts::of_run(rest, true).unwrap_or_default();
    mounts.iter().filter_map(Mount::required_secret).find(|id| !given.contains(id))
}

/// By name, or by number from 0.
fn find_stage(stages: &[Stage], wanted: &str) -> Option<usize> {
    let name = wanted.to_ascii_lowercase();
    let named = stages.iter().rposition(|stage| stage.name.as_deref() == Some(&name));
    named.or_else(|| wanted.parse().ok().filter(|number| *number < stages.len()))
}

/// The stages that a stage needs, itself last: those that it begins with and those that it copies
/// from.
fn needed(stages: &[Stage], last: usize) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    let mut open = vec![last];
    while let Some(at) = open.pop() {
        if !needed.insert(at) {
            continue;
        }
        let copied = stages[at]
            .instructions
            .iter()
            .filter(|instruction| matches!(instruction.name.as_str(), "COPY" | "ADD" | "RUN"));
        let sources =
            copied.flat_map(|instruction| instruction.rest.split_whitespace().filter_map(source));
        open.extend(
            sources
                .chain([stages[at].base.as_str()])
                .filter_map(|name| find_stage(&stages[..at], name)),
        );
    }
    needed
}

/// `--from=stage`, or `from=stage` among the options of a mount.
fn source(word: &str) -> Option<&str> {
    let options = word.strip_prefix("--mount=").or_else(|| word.strip_prefix("--"))?;
    options.split(',').find_map(|option| option.strip_prefix("from="))
}

/// `[production 2/5] RUN pip install …`
fn stage_steps(stages: &[Stage], at: usize) -> Vec<String> {
    let stage = &stages[at];
    let name = match &stage.name {
        Some(name) => format!("{name} "),
        None if stages.len() > 1 => format!("stage-{at} "),
        None => String::new(),
    };
    // Only instructions that make a layer are steps.
    let layers = stage.instructions.iter().filter(|instruction| {
        matches!(instruction.name.as_str(), "RUN" | "COPY" | "ADD" | "WORKDIR")
    });
    let mut words: Vec<String> =
        layers.map(crate::engine::sim::daemon::images::dockerfile::Instruction::words).collect();
    if find_stage(&stages[..at], &stage.base).is_none() {
        words.insert(0, format!("FROM {}", stage.base));
    }
    let count = words.len();
    words
        .into_iter()
        .enumerate()
        .map(|(number, words)| format!("[{name}{}/{count}] {words}", number + 1))
        .collect()
}
