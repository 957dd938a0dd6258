//! Images that were built without spc on top of an image of spc. They inherit its labels.

use futures::{StreamExt, TryStreamExt};
use similar_asserts::assert_eq;

use super::*;
use crate::apply::images::{self, ImageBuild};
use crate::engine::{BuildRequest, Engine};
use crate::model::ownership::Labels;
use crate::policy::CheckedPath;

/// Builds an image without spc.
fn build(machine: &Machine, tag: &str, dockerfile: &str, labels: Labels) {
    let mut archive = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_size(dockerfile.len() as u64);
    header.set_mode(0o644);
    archive.append_data(&mut header, "Dockerfile", dockerfile.as_bytes()).unwrap();
    let context = bytes::Bytes::from(archive.into_inner().unwrap());
    let request = BuildRequest {
        tags: vec![tag.to_owned()],
        dockerfile: "Dockerfile".into(),
        target: None,
        args: BTreeMap::new(),
        secrets: BTreeMap::new(),
        labels,
        no_cache: false,
        pull: false,
        network: None,
        platform: None,
        context_digest: dockerfile.to_owned(),
        context: futures::stream::once(async { Ok(context) }).boxed(),
    };
    machine
        .run(async { machine.engine.image_build(request).await?.try_collect::<Vec<_>>().await })
        .unwrap();
}

fn labels(machine: &Machine, image: &str) -> Labels {
    let found = machine.run(machine.engine.image_inspect(image)).unwrap();
    found.config.unwrap().labels.unwrap().into_iter().collect()
}

/// The image again, with these labels alone of spc's: as if it was built by an earlier version.
fn relabel(machine: &Machine, image: &str, dockerfile: &str, keep: impl Fn(&str) -> bool) {
    let before = labels(machine, image);
    build(machine, image, dockerfile, before.into_iter().filter(|(key, _)| keep(key)).collect());
}

const FILES: [(&str, &str); 3] = [
    ("base", "FROM web:1\nCMD [\"serve\"]\n"),
    ("middle", "FROM shop/base:1\nCMD [\"serve\"]\n"),
    ("app", "FROM shop/middle:1\nARG A\nCMD [\"serve\"]\n"),
];

/// A machine with `shop/base:1`, built by spc, and with `shop/middle:1` and `app:v1`, built without
/// spc on top of it. `is_noted` says whether the labels contain the image's name.
fn machine_of(is_noted: bool) -> (Machine, Value) {
    let mut machine = machine();
    let files = FILES
        .iter()
        .map(|(folder, dockerfile)| (format!("/project/{folder}/Dockerfile"), *dockerfile));
    machine.host =
        Arc::new(files.fold(SimHost::new(machine.executor.clone()), |host, (path, text)| {
            host.with_file(path, text)
        }));
    machine
        .up(&json!({"services": {"base": {"image": "shop/base:1", "build": "./base"}}}))
        .unwrap();
    if !is_noted {
        relabel(&machine, "shop/base:1", FILES[0].1, |key| key != label::IMAGE);
    }
    build(&machine, "shop/middle:1", FILES[1].1, Labels::new());
    build(&machine, "app:v1", FILES[2].1, Labels::new());
    let app = json!({"image": "app:v1", "build": {"context": "./app", "args": {"A": "1"}}});
    (
        machine,
        json!({"services": {"base": {"image": "shop/base:1", "build": "./base"}, "app": app}}),
    )
}

fn builds(machine: &Machine) -> usize {
    machine.engine.calls().iter().filter(|call| call.method == "image_build").count()
}

#[test]
fn an_image_that_was_built_on_one_of_spcs_is_not_taken_for_it() {
    for is_noted in [true, false] {
        let (machine, description) = machine_of(is_noted);
        assert_eq!(
            labels(&machine, "app:v1"),
            labels(&machine, "shop/base:1"),
            "labels are inherited"
        );
        assert_eq!(labels(&machine, "app:v1").contains_key(label::IMAGE), is_noted);
        let before = builds(&machine);
        machine.up(&description).unwrap();
        machine.up(&description).unwrap();
        assert_eq!((machine.logged(), builds(&machine)), (Vec::new(), before), "noted: {is_noted}");
        // Once spc built it, the labels are its own.
        machine.up_with(&description, &UpOptions { build: true, ..UpOptions::default() }).unwrap();
        assert_eq!(labels(&machine, "app:v1")[label::IMAGE], "app:v1");
        machine.up(&with(description, "services.app.build.args", json!({"A": "2"}))).unwrap();
        let said = machine.logged().concat();
        assert!(
            said.contains(
                "the description of the image \"app:v1\" changed since it was built (arguments)"
            ),
            "{said}"
        );
    }
}

#[test]
fn a_new_base_leaves_an_image_that_was_built_on_the_old_one_alone() {
    let (machine, description) = machine_of(true);
    machine
        .host
        .write(
            &CheckedPath::trusted("/project/base/Dockerfile"),
            b"FROM web:1\nCMD [\"serve\", \"2\"]\n",
            None,
        )
        .unwrap();
    let base =
        with(description.clone(), "services", json!({"base": description["services"]["base"]}));
    machine.up_with(&base, &UpOptions { build: true, ..UpOptions::default() }).unwrap();
    machine.up(&description).unwrap();
    assert_eq!(machine.logged(), [""; 0]);
}

#[test]
fn an_image_of_an_earlier_version_is_compared_as_before_and_not_built_again() {
    let (machine, description) = machine_of(true);
    let description =
        with(description.clone(), "services", json!({"base": description["services"]["base"]}));
    relabel(&machine, "shop/base:1", FILES[0].1, |key| key != label::IMAGE);
    let before = builds(&machine);
    machine.up_with(&description, &UpOptions { build: true, ..UpOptions::default() }).unwrap();
    assert_eq!((machine.logged(), builds(&machine)), (Vec::new(), before));
    machine
        .up(&with(
            description,
            "services.base.build",
            json!({"context": "./base", "args": {"A": "2"}}),
        ))
        .unwrap();
    let said = machine.logged().concat();
    assert!(
        said.contains(
            "the description of the image \"shop/base:1\" changed since it was built (arguments)"
        ),
        "{said}"
    );
}

#[test]
fn an_image_that_got_another_name_is_still_its_own() {
    let (machine, description) = machine_of(true);
    machine.run(machine.engine.image_tag("shop/base:1", "other:1")).unwrap();
    let other = json!({"image": "other:1", "build": {"context": "./base", "args": {"A": "2"}}});
    machine.up(&with(description, "services", json!({"base": other}))).unwrap();
    let said = machine.logged().concat();
    assert!(
        said.contains(
            "the description of the image \"other:1\" changed since it was built (arguments)"
        ),
        "{said}"
    );
}

#[test]
fn the_secrets_of_a_base_say_nothing_of_what_the_cache_holds_of_another_image() {
    let dockerfile =
        |from: &str| format!("FROM {from}\nRUN --mount=type=secret,id=key,required make\n");
    for is_noted in [true, false] {
        let mut machine = machine();
        let host = SimHost::new(machine.executor.clone())
            .with_file("/project/base/Dockerfile", dockerfile("web:1"));
        machine.host =
            Arc::new(host.with_file("/project/app/Dockerfile", dockerfile("shop/base:1")));
        let service = |folder: &str| json!({"image": "web:1", "build": {"context": folder, "secrets": ["key"]}});
        let services =
            json!({"base": service("./base"), "app": with(service("./app"), "image", "app:v1")});
        let services = with(services, "base.image", "shop/base:1");
        let project =
            project(&json!({"services": services, "secrets": {"key": {"environment": "TOKEN"}}}));
        let built_without_cache = |name: &str| {
            let service = &project.services[name];
            let build = service.build.as_ref().unwrap();
            let building = ImageBuild {
                image: &service.image,
                build,
                of: Some(name),
                project: PROJECT,
                secrets: &project.secrets,
            };
            let (mut ctx, asked) = (machine.ctx(), Arc::new(Mutex::new(Vec::new())));
            let noted = asked.clone();
            ctx.engine =
                Arc::new(crate::engine::observer::Observer::new(ctx.engine.clone(), move |call| {
                    if let crate::engine::Call::ImageBuild { request } = call {
                        noted.lock().push(request.no_cache);
                    }
                    Ok(())
                }));
            machine.run(images::build(&ctx, &building, &|_| {})).unwrap();
            asked.lock().clone()
        };
        assert_eq!(built_without_cache("base"), [true]);
        if !is_noted {
            relabel(&machine, "shop/base:1", FILES[0].1, |key| key != label::IMAGE);
        }
        build(&machine, "app:v1", "FROM shop/base:1\n", Labels::new());
        assert_eq!(built_without_cache("app"), [true], "noted: {is_noted}");
        assert_eq!(built_without_cache("app"), [] as [bool; 0]);
    }
}
