//! nginx in a simulated container, as `std/nginx` uses it: it takes its configuration at a reload,
//! and shows the generation that it runs. Requests are not modelled.

/// The folder of the files that deployments write.
const FOLDER: &str = "/etc/nginx/conf.d/releases";
/// The generation that it runs. A file, so that it outlives the call.
const RUNNING: &str = "/run/nginx.generation";
/// As many as `std/nginx` asks for in one command.
const HITS: usize = 20;

/// The files of its container.
pub(super) trait Files {
    /// The content; `None` if it does not exist.
    fn read(&self, path: &str) -> Option<String>;
    fn write(&mut self, path: &str, text: &str);
}

/// The result of a command: exit code and output.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Answer {
    pub code: i64,
    pub stdout: String,
    pub stderr: String,
}

impl Answer {
    fn stdout(text: impl Into<String>) -> Self {
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
        ["nginx", "-t"] => Some(Answer::default()),
        ["nginx", "-s", "reload"] => {
            let generation = text(files, &format!("{FOLDER}/generation")).unwrap_or_default();
            let name = generation.split('"').nth(1).unwrap_or_default().to_owned();
            files.write(RUNNING, &name);
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
            Some(Answer::stdout("200 ".repeat(HITS)))
        }
        // No connections, and no workers that are about to end.
        ["/bin/sh", "-c", line] if line.contains("/proc/net/tcp") => Some(Answer::stdout("0\n")),
        _ => None,
    }
}

/// The content of a file; `None` if it does not exist.
fn text(files: &dyn Files, path: &str) -> Option<String> {
    files.read(path).filter(|content| !content.is_empty())
}

fn generations(files: &dyn Files, times: usize) -> Answer {
    let running = text(files, RUNNING).unwrap_or_default();
    Answer::stdout(format!("{running}\n").repeat(times))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    impl Files for BTreeMap<String, String> {
        fn read(&self, path: &str) -> Option<String> {
            self.get(path).cloned()
        }
        fn write(&mut self, path: &str, text: &str) {
            self.insert(path.to_owned(), text.to_owned());
        }
    }

    #[test]
    fn a_configuration_counts_from_the_reload_on() {
        let mut files = BTreeMap::new();
        let mut run = |words: &[&str]| {
            let command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            answer(&command, &mut files).unwrap()
        };
        let shown = ["curl", "-sS", "http://127.0.0.1:8090/generation"];
        assert_eq!(run(&["cat", &format!("{FOLDER}/a")]).code, 1);
        assert_eq!(run(&shown).stdout, "\n");
        run(&["/bin/sh", "-c", "mv /a /b"]);
        files.write(&format!("{FOLDER}/generation.tmp"), "default \"7\";\n");
        let mut run = |words: &[&str]| {
            let command: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            answer(&command, &mut files).unwrap()
        };
        run(&["/bin/sh", "-c", &format!("mv {FOLDER}/generation.tmp {FOLDER}/generation")]);
        assert_eq!(run(&shown).stdout, "\n");
        run(&["nginx", "-s", "reload"]);
        assert_eq!(run(&shown).stdout, "7\n");
        run(&["rm", "-f", &format!("{FOLDER}/generation")]);
        run(&["nginx", "-s", "reload"]);
        assert_eq!(run(&shown).stdout, "\n");
    }
}
