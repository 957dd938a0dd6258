//! The completions of Tab.

use std::collections::BTreeSet;

use rhai::Dynamic;

use super::engine_names;
use crate::api::stack::Stack;
use crate::script::Session;
use crate::script::delimiters::{CursorContext, Scan, function_around, last_word, scan};
use crate::script::names::{Function, Names};
use crate::value::Record;
use crate::value::type_names::word;

/// Keywords that begin a statement, and Rhai functions that are useful at a prompt.
const WORDS: [&str; 19] = [
    "const",
    "continue",
    "else",
    "false",
    "fn ",
    "for ",
    "if ",
    "import \"",
    "let ",
    "loop",
    "print(",
    "private",
    "return",
    "switch ",
    "throw",
    "true",
    "try",
    "type_of(",
    "while ",
];

/// Functions with names of services as arguments.
const OF_SERVICES: [&str; 10] =
    ["service", "up", "start", "stop", "restart", "logs", "build", "pull", "wait", "released"];
/// Functions with the name of a container as argument.
const OF_CONTAINERS: [&str; 2] = ["container", "exec"];

/// The candidates for a completion.
pub struct Completion<'a> {
    pub session: &'a Session,
    /// The host's functions, and Rhai's.
    pub all: &'a Names,
    /// Only the host's.
    pub own: &'a Names,
    /// Asked only if a service or container name is expected.
    pub live: &'a dyn Fn() -> engine_names::Names,
}

/// What is known about the value before a dot.
#[derive(Default)]
struct Receiver {
    /// The name of its type; empty if it is unknown.
    word: String,
    /// Fields that only this value has.
    fields: Vec<String>,
}

impl Completion<'_> {
    /// The candidates for the end of `text`, and the position at which they begin.
    pub fn of(&self, text: &str) -> (usize, Vec<String>) {
        let scan = scan(text);
        let (start, candidates) = match scan.place {
            CursorContext::Elsewhere => return (text.len(), Vec::new()),
            CursorContext::Quoted(quote) => (quote + 1, self.named(&text[..quote])),
            CursorContext::Code => {
                let start = text.len() - last_word(text).len();
                (start, self.in_code(&text[..start], &scan))
            }
        };
        let begun = &text[start..];
        let fitting: BTreeSet<String> =
            candidates.into_iter().filter(|candidate| candidate.starts_with(begun)).collect();
        (start, fitting.into_iter().collect())
    }

    fn in_code(&self, before: &str, scan: &Scan) -> Vec<String> {
        if let Some(before) = before.strip_suffix("::") {
            return self.in_module(last_word(before));
        }
        match before.strip_suffix('.') {
            Some(object) if !object.ends_with('.') => {
                self.members(&self.receiver(object.strip_suffix('?').unwrap_or(object), scan))
            }
            _ => self.words(),
        }
    }

    /// Names without a prefix.
    fn words(&self) -> Vec<String> {
        let functions = self
            .own
            .functions()
            .iter()
            .filter(|function| function.is_called() && !function.is_method);
        let (plain, modules): (Vec<&Function>, Vec<&Function>) =
            functions.partition(|function| function.module.is_empty());
        let mut words: Vec<String> =
            plain.into_iter().map(|function| call(&function.name)).collect();
        words.extend(modules.into_iter().map(|function| format!("{}::", function.module)));
        words.extend(self.session.functions().iter().map(|name| call(name)));
        words.extend(self.session.variables().map(|(name, _)| name.to_owned()));
        words.extend(self.session.imports().into_keys().map(|name| format!("{name}::")));
        words.extend(WORDS.map(str::to_owned));
        words.extend(["help", "exit"].map(str::to_owned));
        words
    }

    fn in_module(&self, module: &str) -> Vec<String> {
        let imported = self.session.imports().remove(module).unwrap_or_default();
        let own = self
            .own
            .functions()
            .iter()
            .filter(|function| function.module == module && function.is_called());
        own.map(|function| call(&function.name))
            .chain(imported.iter().map(|name| call(name)))
            .collect()
    }

    /// The names after a dot; for an unknown value, those of all types.
    fn members(&self, receiver: &Receiver) -> Vec<String> {
        let fits = |function: &&Function| {
            let first = function.first();
            first.is_some_and(|first| {
                first.is_empty() || receiver.word.is_empty() || first == receiver.word
            })
        };
        let functions =
            self.all.functions().iter().filter(|function| function.module.is_empty()).filter(fits);
        let member = |function: &Function| match function.field() {
            Some(field) => Some(field.to_owned()),
            None => function.is_called().then(|| call(&function.name)),
        };
        functions.filter_map(member).chain(receiver.fields.iter().cloned()).collect()
    }

    fn receiver(&self, object: &str, scan: &Scan) -> Receiver {
        let of_word = |word: &str| Receiver { word: word.to_owned(), fields: Vec::new() };
        if object.ends_with(['"', '`']) {
            return of_word("string");
        }
        if object.ends_with(')') {
            let Some(opened) = scan.opened_at(object.len() - 1) else {
                return Receiver::default();
            };
            return of_word(&self.given(&object[..opened]));
        }
        let name = last_word(object);
        let before = &object[..object.len() - name.len()];
        if before.ends_with('.') {
            return of_word(&self.given_by(|function| function.field() == Some(name)));
        }
        let variable = self.session.variables().find(|(variable, _)| *variable == name);
        variable
            .map(|(_, value)| Receiver { word: word(value), fields: fields(value) })
            .unwrap_or_default()
    }

    /// The name of a call's result type. `callee` is the text before the call's bracket.
    fn given(&self, callee: &str) -> String {
        let name = last_word(callee);
        let before = &callee[..callee.len() - name.len()];
        let module = before.strip_suffix("::").map_or("", last_word);
        let is_method = before.ends_with('.');
        self.given_by(|function| {
            function.name == name
                && function.module == module
                && (function.is_method == is_method || is_method)
        })
    }

    /// The type that all these functions return; empty if they differ.
    fn given_by(&self, which: impl Fn(&Function) -> bool) -> String {
        let types: BTreeSet<&str> = self
            .all
            .functions()
            .iter()
            .filter(|function| which(function))
            .map(|function| function.gives.as_str())
            .collect();
        match types.into_iter().collect::<Vec<_>>()[..] {
            [one] if one != "value" => one.to_owned(),
            _ => String::new(),
        }
    }

    /// Names of services or containers, if the text is an argument for one.
    fn named(&self, before: &str) -> Vec<String> {
        let Some(function) = function_around(before) else { return Vec::new() };
        if OF_SERVICES.contains(&function) {
            let described = self.session.variables().filter_map(|(_, value)| {
                value.read_lock::<Stack>().map(|stack| stack.described_services())
            });
            return described.flatten().chain((self.live)().services).collect();
        }
        if OF_CONTAINERS.contains(&function) && !before.contains(&format!(".{function}")) {
            return (self.live)().containers.into_iter().collect();
        }
        Vec::new()
    }
}

fn call(name: &str) -> String {
    format!("{name}(")
}

/// The keys of a map, the fields of a record.
fn fields(value: &Dynamic) -> Vec<String> {
    let keys = |map: &rhai::Map| map.keys().map(ToString::to_string).collect();
    if let Some(map) = value.read_lock::<rhai::Map>() {
        return keys(&map);
    }
    value.read_lock::<Record>().map(|record| keys(record.fields())).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::harness::Harness;
    use crate::script::on_script_thread;
    use std::path::Path;

    /// The completions at the end of each text, in a session after these lines; and how often the
    /// engine was asked.
    fn offered(lines: &[&str], texts: &[&str]) -> (Vec<Vec<String>>, usize) {
        let context = Harness::with(
            |host| host.with_file("/project/app.rhai", "fn describe() { 1 }"),
            "",
            |_| {},
        )
        .context;
        let asked = std::sync::atomic::AtomicUsize::new(0);
        let offered = on_script_thread(&context, || {
            let mut session = Session::new(&context, Path::new("/project"))?;
            for line in lines {
                session.eval(line, &mut |_, _| Ok(()))?;
            }
            let (all, own) = (session.names(), session.host_names());
            let live = || {
                asked.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                engine_names::Names {
                    services: ["backend", "db"].map(str::to_owned).into(),
                    containers: ["shop-db-1".to_owned()].into(),
                }
            };
            let completion = Completion { session: &session, all: &all, own: &own, live: &live };
            Ok(texts.iter().map(|text| completion.of(text).1).collect())
        });
        (offered.unwrap(), asked.into_inner())
    }

    fn one(lines: &[&str], text: &str) -> Vec<String> {
        offered(lines, &[text]).0.remove(0)
    }

    #[test]
    fn a_word_becomes_a_function_a_variable_a_module_or_a_word_of_the_language() {
        assert_eq!(one(&[], "sta"), ["stack("]);
        assert_eq!(one(&[], "let x = healthch"), ["healthcheck("]);
        assert_eq!(
            one(&["let station = 1;", "fn stage(x) { x }"], "sta"),
            ["stack(", "stage(", "station"]
        );
        assert_eq!(one(&["import \"app\" as apple;"], "appl"), ["apple::"]);
        assert_eq!(one(&[], "htt"), ["http::"]);
        assert_eq!(one(&[], "whi"), ["while "]);
        assert!(one(&[], "").len() > 40);
        assert_eq!(one(&[], "0..sta"), ["stack("]);
    }

    #[test]
    fn completion_after_a_module_offers_its_functions() {
        assert_eq!(one(&[], "time::n"), ["now("]);
        assert_eq!(one(&["import \"app\" as app;"], "app::"), ["describe("]);
        assert_eq!(one(&[], "nothing::"), [] as [&str; 0]);
    }

    #[test]
    fn completion_after_a_dot_offers_the_members_of_the_type() {
        assert_eq!(one(&[], "stack().serv"), ["service("]);
        assert_eq!(one(&[], "stack(\"a)\", #{ services: #{} }).serv"), ["service("]);
        assert_eq!(one(&["let s = stack();"], "s.nam"), ["name"]);
        assert!(!one(&["let s = stack();"], "s.").contains(&"exec(".to_owned()));
        assert!(one(&[], "stack().service(\"db\").").contains(&"exec(".to_owned()));
        assert_eq!(one(&[], "\"x\".line"), ["lines("]);
        assert_eq!(one(&["let m = #{ apple: 1 };"], "m?.app"), ["apple"]);
        assert_eq!(one(&["let r = attempt(|| 1);"], "r.val"), ["value"]);
        let unknown = one(&[], "nonsense.");
        assert!(
            ["exec(", "up(", "lines("].iter().all(|name| unknown.contains(&(*name).to_owned())),
            "{unknown:?}"
        );
    }

    #[test]
    fn completion_in_quotes_offers_services_and_containers() {
        let texts = [
            "service(\"",
            "s.up([\"db\", \"b",
            "s.logs(\"d",
            "container(\"sh",
            "exec(\"",
            "print(\"",
            "s.exec(\"",
            "\"",
            "`b",
        ];
        let (offered, asked) = offered(&[], &texts);
        let expected: [&[&str]; 9] = [
            &["backend", "db"],
            &["backend"],
            &["db"],
            &["shop-db-1"],
            &["shop-db-1"],
            &[],
            &[],
            &[],
            &[],
        ];
        assert_eq!(offered, expected);
        assert_eq!(asked, 5, "the engine is asked only where names of it stand");
    }

    #[test]
    fn completion_offers_described_services_without_a_container() {
        assert_eq!(
            one(
                &["let s = stack(\"shop\", #{ services: #{ cache: #{ image: \"x\" } } });"],
                "s.up([\"c"
            ),
            ["cache"]
        );
    }
}
