//! The report for CI, in JUnit's XML.

use std::collections::BTreeMap;

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use crate::model::diagnostic::Diagnostic;
use crate::model::verdict::{Summary, TestReport};
use crate::model::visible::{visible, visible_line};
use crate::model::{Failure, Kind};
use anstream::adapter::strip_str;

/// The report as text; `shown` turns a failure into text.
pub fn report(
    reported: &[TestReport],
    summary: &Summary,
    shown: &dyn Fn(&Diagnostic) -> String,
) -> Result<String, Failure> {
    let mut order: Vec<&str> = Vec::new();
    let mut suites: BTreeMap<&str, TestSuite> = BTreeMap::new();
    for reported in reported {
        let (file, case) = match reported {
            TestReport::Broken(file, diagnostic) => {
                (file.as_str(), unsuccessful("the file", NonSuccessKind::Error, diagnostic, shown))
            }
            TestReport::Verdict(verdict) => {
                let mut case = match &verdict.failure {
                    Some(diagnostic) => {
                        unsuccessful(&verdict.name, NonSuccessKind::Failure, diagnostic, shown)
                    }
                    None => TestCase::new(
                        visible_line(&verdict.name).into_owned(),
                        TestCaseStatus::success(),
                    ),
                };
                case.set_time(verdict.took);
                case.add_property(Property::new("seed", verdict.seed.to_string()));
                case.add_property(Property::new(
                    "simulated_seconds",
                    format!("{:.3}", verdict.simulated.as_secs_f64()),
                ));
                (verdict.file.as_str(), case)
            }
        };
        let mut case = case;
        case.set_classname(visible_line(file).into_owned());
        if !order.contains(&file) {
            order.push(file);
        }
        suites
            .entry(file)
            .or_insert_with(|| TestSuite::new(visible_line(file).into_owned()))
            .add_test_case(case);
    }
    let mut report = Report::new("spc test");
    report.set_time(summary.took);
    report.add_test_suites(order.into_iter().filter_map(|file| suites.remove(file)));
    report.to_string().map_err(|error| {
        Failure::new(Kind::Failed, format!("Could not create the JUnit report: {error}"))
    })
}

fn unsuccessful(
    name: &str,
    kind: NonSuccessKind,
    diagnostic: &Diagnostic,
    shown: &dyn Fn(&Diagnostic) -> String,
) -> TestCase {
    let mut status = TestCaseStatus::non_success(kind);
    let message = visible(&diagnostic.message).into_owned();
    status
        .set_message(message)
        .set_type(diagnostic.kind.word())
        .set_description(visible(&strip_str(&shown(diagnostic)).to_string()).into_owned());
    TestCase::new(visible_line(name).into_owned(), status)
}
