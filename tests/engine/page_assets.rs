//! The files of the page's earlier releases: a browser that still shows such a page asks for them.

use std::process::Command;
use std::time::Duration;

use super::docker::{docker, exec};
use super::heavy;
use super::project::Project;
use super::site::{SOON, Site};
use super::until::until;

const LIMIT: Duration = Duration::from_secs(300);
const NEXT: &str = "spct-assets";
const KEPT: &str = "/usr/share/nginx/kept/assets";
/// A deployment of the frontend alone.
const DEPLOY: &str = r#"import "deploy" as deployment;
import "std/deploy" as deploy;
import "std/nginx" as nginx;
let o = args(deployment::options());
let spc = app::describe(o);
let proxy = nginx::proxy(spc.service("nginx"), "frontend", #{ port: 80, socket_port: 8001 });
deploy::blue_green(spc.service("frontend"), #{ proxy: proxy, record: false, bake: "0s", at_least: 0 });"#;

/// The paths of the page's files below `/assets/`.
fn assets(site: &Site<'_>) -> Vec<String> {
    let page = site.get("/").body;
    page.split('"').filter(|word| word.starts_with("/assets/")).map(str::to_owned).collect()
}

/// Builds the next release of the frontend: the same page, with other names of its files.
fn make_next_release() {
    let folder = tempfile::tempdir().unwrap();
    let change = "cd /usr/share/nginx/html && for it in assets/*; do sed -i \"s|$it|assets/next-${it#assets/}|\" index.html; mv $it assets/next-${it#assets/}; done";
    let text = format!("FROM spc-frontend:spct-production\nRUN {change}\n");
    std::fs::write(folder.path().join("Dockerfile"), text).unwrap();
    let built = Command::new("docker")
        .args(["build", "--quiet", "--tag", &format!("spc-frontend:{NEXT}-production")])
        .arg(folder.path())
        .env("DOCKER_BUILDKIT", "0")
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
}

#[test]
fn a_page_of_the_release_before_still_gets_its_files() {
    let _alone = heavy();
    let project = Project::production_reference("assets");
    make_next_release();
    let up = project.spc(&["run", "scripts/up.rhai", "--profile", "production", "nginx"]);
    up.env("BUILD_TARGET", "production").within(LIMIT).ends(0);
    let site = Site::at(&project, "NGINX_HTTP_PORT");
    a_service_that_nginx_cannot_switch_is_reported(&project);
    let old = assets(&site);
    assert!(old.iter().any(|path| path.ends_with(".js")), "{old:?}");

    project.script(DEPLOY).args(&["--tag", NEXT]).within(LIMIT).ends(0);
    let new = assets(&site);
    assert!(new.iter().all(|path| path.starts_with("/assets/next-")), "{new:?}");
    for path in old.iter().chain(&new) {
        let answer = site.get(path);
        assert_eq!(answer.header("Cache-Control"), Some("public, max-age=31536000, immutable"));
    }
    for path in ["/assets/index-unknown.js", "/assets/"] {
        assert_eq!(site.ask("GET", path, "").unwrap().status, 404, "{path}");
    }

    // The old files are out of date, and so are the copies of the new ones.
    let frontend = project.container("frontend");
    exec(&frontend, &["sh", "-c", &format!("touch -d '-9 days' {KEPT}/*")]);
    docker(&["restart", "--time", "5", &frontend]);
    let files = exec(&frontend, &["ls", "/usr/share/nginx/html/assets"]);
    until("only the files of the running release are left", SOON, || {
        (exec(&frontend, &["ls", KEPT]) == files).then_some(())
    });

    // Without a volume that it can write to, the image starts all the same.
    let volume = format!("{}_frontend_assets:{KEPT}:ro", project.name);
    let image = format!("spc-frontend:{NEXT}-production");
    let run = ["run", "--rm", "--add-host", "backend:127.0.0.1", "--volume", &volume, &image];
    docker(&[&run[..], &["nginx", "-t"]].concat());
}

/// Asserts that nginx's own configuration is read: it has no map for Flower, and all else.
fn a_service_that_nginx_cannot_switch_is_reported(project: &Project) {
    let check = |name: &str| {
        project
            .script(&format!(
                "import \"std/nginx\" as nginx;\nlet spc = app::describe(args(app::options()));\nnginx::proxy(spc.service(\"nginx\"), \"{name}\", #{{}}).check.call();"
            ))
            .args(&["--profile", "production"])
            .env("BUILD_TARGET", "production")
    };
    for name in ["backend", "frontend"] {
        check(name).ends(0);
    }
    check("flower").ends(1).prints(&[
        "nginx in \"nginx\" can't switch \"flower\": its configuration lacks what deployments need",
        "    map $spc_bucket $spc_flower { default flower; include /etc/nginx/conf.d/releases/flower.spli[t]; }",
        "    proxy_pass http://$spc_flower;",
    ]).does_not_print(&["generatio", "split_clients", "*.upstream"]);
}
