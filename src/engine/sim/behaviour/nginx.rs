//! The commands of `std/nginx` in a simulated container of nginx.

use super::requests::configuration::FOLDER;
use super::requests::proxies::ProxyView;

/// As many as `std/nginx` asks for in one command.
pub(super) const HITS: usize = 20;

/// The files of its container.
pub(super) trait Files {
    /// The content; `None` if it does not exist.
    fn read(&self, path: &str) -> Option<String>;
    fn write(&mut self, path: &str, text: &str);
    /// nginx itself.
    fn proxy(&mut self) -> &mut ProxyView;
}

/// The result of a command: exit code and output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    pub(super) fn stdout(text: impl Into<String>) -> Self {
        Self { stdout: text.into(), ..Self::default() }
    }
}

/// The answer to a command of `std/nginx`; `None` for any other command.
pub(super) fn answer(command: &[String], files: &mut dyn Files) -> Option<Answer> {
    let words: Vec<&str> = command.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["cat", path] if path.starts_with(FOLDER) => Some(text(files, path).map_or_else(
            || Answer {
                code: 1,
                stderr: format!("cat: {path}: No such file or directory\n"),
                ..Answer::default()
            },
            Answer::stdout,
        )),
        ["rm", "-f", paths @ ..] if paths.iter().all(|path| path.starts_with(FOLDER)) => {
            // An empty file counts as none: the simulated engine has no removal of files.
            for path in paths {
                files.write(path, "");
            }
            Some(Answer::default())
        }
        ["mkdir", "-p", folder] if *folder == FOLDER => {
            files.write(&format!("{folder}/.folder"), "");
            Some(Answer::default())
        }
        ["nginx", "-t"] => Some(files.proxy().rejects.take().map_or_else(Answer::default, |why| {
            Answer { code: 1, stderr: format!("{why}\n"), ..Answer::default() }
        })),
        ["nginx", "-s", "reload"] => {
            files.proxy().is_reloaded = true;
            Some(Answer::default())
        }
        ["curl", .., url] if url.ends_with(":8090/generation") => Some(generations(files, 1)),
        ["/bin/sh", "-c", line] if line.starts_with("mv ") => {
            for step in line.split(" && ") {
                if let ["mv", from, to] = step.split(' ').collect::<Vec<_>>()[..] {
                    let Some(content) = text(files, from) else { continue };
                    files.write(to, &content);
                    files.write(from, "");
                }
            }
            Some(Answer::default())
        }
        ["/bin/sh", "-c", line] if line.contains(":8090/generation") => {
            Some(generations(files, HITS))
        }
        ["/bin/sh", "-c", line] if line.contains(":8090/probe/") => {
            let statuses = files.proxy().probes.iter();
            Some(Answer::stdout(statuses.map(|status| format!("{status} ")).collect::<String>()))
        }
        ["/bin/sh", "-c", line] if line.contains("/proc/net/tcp") => {
            let proxy = files.proxy();
            let lines = proxy.connections.iter().map(|line| format!("{line}\n"));
            // Each of these workers has a client, or it would have ended.
            let (lines, old) = (lines.collect::<String>(), proxy.old_workers);
            Some(Answer::stdout(format!("{lines}{old}\n{old}\n")))
        }
        _ => None,
    }
}

/// The content of a file; `None` if it does not exist.
fn text(files: &dyn Files, path: &str) -> Option<String> {
    files.read(path).filter(|content| !content.is_empty())
}

fn generations(files: &mut dyn Files, times: usize) -> Answer {
    Answer::stdout(format!("{}\n", files.proxy().generation).repeat(times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Container {
        files: BTreeMap<String, String>,
        proxy: ProxyView,
    }

    impl Files for Container {
        fn read(&self, path: &str) -> Option<String> {
            self.files.get(path).cloned()
        }
        fn write(&mut self, path: &str, text: &str) {
            self.files.insert(path.to_owned(), text.to_owned());
        }
        fn proxy(&mut self) -> &mut ProxyView {
            &mut self.proxy
        }
    }

    impl Container {
        fn run(&mut self, words: &[&str]) -> Answer {
            let command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            answer(&command, self).unwrap()
        }
    }

    #[test]
    fn files_are_moved_read_and_removed() {
        let mut container = Container::default();
        let path = format!("{FOLDER}/generation");
        assert_eq!(container.run(&["cat", &path]).code, 1);
        container.write(&format!("{path}.tmp"), "default \"7\";\n");
        container.run(&["/bin/sh", "-c", &format!("mv {path}.tmp {path}")]);
        assert_eq!(container.run(&["cat", &path]).stdout, "default \"7\";\n");
        container.run(&["rm", "-f", &path]);
        assert_eq!(container.run(&["cat", &path]).code, 1);
    }

    #[test]
    fn commands_show_what_nginx_runs() {
        let proxy = ProxyView {
            generation: "7".to_owned(),
            connections: vec!["050014AC:1F40".to_owned()],
            old_workers: 1,
            probes: vec![200, 502],
            rejects: Some("nginx: [emerg]".to_owned()),
            is_reloaded: false,
        };
        let mut container = Container { proxy, ..Container::default() };
        let shown = container.run(&["curl", "-sS", "http://127.0.0.1:8090/generation"]);
        assert_eq!(shown.stdout, "7\n");
        let probes = container.run(&["/bin/sh", "-c", "curl http://127.0.0.1:8090/probe/a/"]);
        assert_eq!(probes.stdout, "200 502 ");
        let connections = container.run(&["/bin/sh", "-c", "awk x /proc/net/tcp"]);
        assert_eq!(connections.stdout, "050014AC:1F40\n1\n1\n");
        assert_eq!(container.run(&["nginx", "-t"]).code, 1);
        container.run(&["nginx", "-s", "reload"]);
        assert!(container.proxy.is_reloaded);
    }
}
