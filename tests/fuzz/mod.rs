//! Runs each parser of untrusted input on a limited number of mutated seeds. The same targets run
//! without a limit under libFuzzer: see `fuzz/README.md`.

mod targets;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use targets::TARGETS;

/// The number of inputs for each target.
const INPUTS: usize = 500;

/// Pieces that often break parsers. Mutations insert them into seeds.
const PIECES: [&[u8]; 24] = [
    b"\0",
    b"\xff\xfe",
    b"\xef\xbb\xbf",
    b"\r\n",
    b"\r",
    b"\t",
    b"${",
    b"${A:-",
    b"$$",
    b"}",
    b"\"",
    b"'",
    b"\\",
    b"\\\n",
    b"#",
    b": ",
    b"- ",
    b"&a ",
    b"*a",
    b"<<: ",
    b"[[[[",
    b"{",
    "é\u{202e}".as_bytes(),
    b"99999999999999999999",
];

/// A random number generator with the same sequence in each run.
struct Numbers(u64);

impl Numbers {
    /// A number below `end`. `end` must not be 0.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end).unwrap()).unwrap()
    }
}

/// Applies one to four mutations to a seed: changes a byte, inserts a piece, or removes, repeats or
/// exchanges a part.
fn mutated(seeds: &[Vec<u8>], numbers: &mut Numbers) -> Vec<u8> {
    let mut bytes = seeds[numbers.below(seeds.len())].clone();
    for _ in 0..=numbers.below(4) {
        let at = numbers.below(bytes.len() + 1);
        let end = at + numbers.below(bytes.len() - at + 1).min(64);
        match numbers.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let part = bytes[at..end].to_vec();
                drop(bytes.splice(at..at, part));
            }
            3 => {
                let other = &seeds[numbers.below(seeds.len())];
                let from = numbers.below(other.len() + 1);
                drop(bytes.splice(at..end, other[from..].iter().take(128).copied()));
            }
            4 => bytes.truncate(end),
            _ => drop(bytes.splice(at..at, PIECES[numbers.below(PIECES.len())].iter().copied())),
        }
    }
    bytes
}

fn seeds(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/seeds").join(target);
    let mut paths: Vec<_> =
        std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    assert!(!paths.is_empty(), "{target} has no seeds");
    paths.iter().map(|path| std::fs::read(path).unwrap()).collect()
}

#[test]
#[ignore = "slow: `make test` runs it"]
fn no_bytes_break_a_reader() {
    for (name, target) in TARGETS {
        let seeds = seeds(name);
        let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
        let changed: Vec<Vec<u8>> = (0..INPUTS).map(|_| mutated(&seeds, &mut numbers)).collect();
        for input in seeds.iter().cloned().chain([Vec::new()]).chain(changed) {
            let outcome = catch_unwind(AssertUnwindSafe(|| target(&input)));
            assert!(outcome.is_ok(), "{name} with {:?}", String::from_utf8_lossy(&input));
        }
    }
}

#[test]
fn each_target_runs_under_a_fuzzer_too() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/fuzz_targets");
    let manifest = std::fs::read_to_string(folder.parent().unwrap().join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(
            folder.join(name).with_extension("rs").is_file(),
            "fuzz/fuzz_targets/{name}.rs is missing"
        );
        assert!(manifest.contains(&format!("name = \"{name}\"")), "fuzz/Cargo.toml has no {name}");
    }
}
