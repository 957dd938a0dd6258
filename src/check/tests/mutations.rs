//! Checks of broken scripts of every kind don't panic.

use super::{project, report};

const SCRIPTS: [&str; 5] = [
    include_str!("../../../scripts/stack.rhai"),
    include_str!("../../../scripts/database.rhai"),
    include_str!("../../../scripts/prepare.rhai"),
    include_str!("../../../scripts/tls.rhai"),
    include_str!("../../../scripts/up.rhai"),
];

/// Random numbers from a seed.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit.max(1)
    }
}

fn mutated(text: &str, numbers: &mut Numbers) -> String {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for _ in 0..=numbers.below(3) {
        let (at, other) = (numbers.below(lines.len()), numbers.below(lines.len()));
        match numbers.below(6) {
            0 => drop(lines.remove(at)),
            1 => lines.insert(at, lines[other].clone()),
            2 => lines.swap(at, other),
            kind => {
                let letters: Vec<char> = lines[at].chars().collect();
                let place = numbers.below(letters.len());
                let (before, after) = letters.split_at(place.min(letters.len()));
                let put = [
                    "", "#{", "}", "(", ")", "\"", "`", ",", ".", "::", "|x|", "${", "é", " if ",
                    "global::",
                ][numbers.below(15)];
                // Removes a character, or inserts something.
                let after = if kind == 3 { after.get(1..).unwrap_or_default() } else { after };
                lines[at] = before
                    .iter()
                    .chain(put.chars().collect::<Vec<_>>().iter())
                    .chain(after)
                    .collect();
            }
        }
    }
    lines.join("\n")
}

#[test]
fn no_broken_script_makes_a_check_panic() {
    let mut numbers = Numbers(4);
    let mut texts = Vec::new();
    for round in 0..120 {
        let text = SCRIPTS[round % SCRIPTS.len()];
        texts.push((format!("scripts/m{round}.rhai"), mutated(text, &mut numbers)));
    }
    let files: Vec<(&str, &str)> =
        texts.iter().map(|(name, text)| (name.as_str(), text.as_str())).collect();
    let all = report(&project(&files), &[]);
    assert_eq!(all.files, 120);
    assert!(all.findings.len() > 60, "{}", all.findings.len());
    for finding in all.findings.iter().filter_map(|finding| finding.place.as_ref()) {
        let lines = finding.source.text.lines().count();
        assert!(
            (1..=lines.max(1)).contains(&finding.line) && finding.column >= 1,
            "{}:{}",
            finding.source.name,
            finding.line
        );
    }
}
