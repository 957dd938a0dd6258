//! The reference stack in a browser.

use std::time::Duration;

use serde_json::{Value, json};

use super::site::{SOON, Site};
use super::until::until;
use super::webdriver::Browser;

/// A time limit that is shorter than the page's polling interval. Changes within it come from
/// events.
const LIVE: Duration = Duration::from_secs(30);

/// A script that returns the texts of the page's charts.
const CHARTS: &str = r#"
    const text = (of, selector) => of.querySelector(selector)?.textContent ?? "";
    return {
        note: [...document.querySelectorAll("p.note")].map((it) => it.textContent).find((it) => it.startsWith("Computed")) ?? "",
        charts: [...document.querySelectorAll("figure.chart")].map((it) => ({
            name: text(it, "strong"),
            center: text(it, ".legend .center"),
            limits: [...it.querySelectorAll(".legend .limit")].map((limit) => limit.textContent),
            drawn: it.querySelectorAll("svg .dot, svg .out").length,
            summary: text(it, "p"),
        })),
    };"#;

/// Asserts that the page draws the charts of the API. Also asserts that the page shows new
/// measurements without a reload: `posted` goes to the API, `typed` into the page's form. Both
/// values must be out of control.
pub fn charts_are_drawn_and_live(browser: &Browser, site: &Site<'_>, posted: f64, typed: f64) {
    // With subgroups of size 1, each measurement is a point.
    let characteristic = site.characteristic(1);
    browser.go(&site.url(&format!("/characteristics/{characteristic}")));
    browser.run("window.witness = 'loaded once';");
    until("the page gets an event", SOON, || {
        browser.run("return document.querySelector('.live.open')?.textContent").as_str().map(drop)
    });
    until("the page draws the charts that the API has", SOON, || {
        let chart = site.chart_now(characteristic)?;
        shows(&browser.run(CHARTS), &chart).then_some(())
    });

    site.measure(characteristic, posted);
    until_out_of_control(browser, posted);
    browser.types("#value", &typed.to_string());
    browser.clicks("form button[type=submit]");
    until_out_of_control(browser, typed);
    assert_eq!(browser.run("return window.witness"), json!("loaded once"));
}

/// Whether the page shows exactly this chart of the API.
fn shows(page: &Value, chart: &Value) -> bool {
    let (shown, charts) = (page["charts"].as_array().unwrap(), chart["charts"].as_array().unwrap());
    let note = page["note"].as_str().unwrap();
    note.contains(&format!("from {} measurements", chart["measurements"]))
        && shown.len() == charts.len()
        && shown.iter().zip(charts).all(|(shown, chart)| {
            let points = chart["points"].as_array().unwrap();
            shown["name"] == chart["name"]
                && shown["drawn"] == json!(points.len())
                && !points.is_empty()
                && is_shown(&shown["center"], "Center ", &chart["center"])
                && is_shown(&shown["limits"][0], "Upper ", &chart["upper"])
                && is_shown(&shown["limits"][1], "Lower ", &chart["lower"])
                && is_shown(&shown["summary"], "the last one ", &points[points.len() - 1]["value"])
        })
}

/// Whether `text` contains `label` followed by `number`, rounded to the decimals that it shows.
fn is_shown(text: &Value, label: &str, number: &Value) -> bool {
    let Some((_, shown)) = text.as_str().unwrap().split_once(label) else { return false };
    let shown = shown.split(' ').next().unwrap();
    let decimals = shown.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("{:.decimals$}", number.as_f64().unwrap()) == shown
}

#[track_caller]
fn until_out_of_control(browser: &Browser, value: f64) {
    let points = "return [...document.querySelectorAll('figure.chart details li')].map((it) => it.textContent)";
    until(&format!("the page shows {value}"), LIVE, || {
        let shown = browser.run(points);
        shown
            .as_array()
            .unwrap()
            .iter()
            .any(|point| is_listed(point.as_str().unwrap(), value))
            .then_some(())
    });
}

/// Whether a line of the page's list of points, such as "12:00:05: 531.5 g, beyond …", has this
/// value.
fn is_listed(point: &str, value: f64) -> bool {
    let number = point.split_once(": ").and_then(|(_, rest)| rest.split(' ').next());
    number
        .and_then(|number| number.parse::<f64>().ok())
        .is_some_and(|number| (number - value).abs() < 1e-9)
}

/// Waits until Flower's page lists these workers as online.
pub fn flower_lists(browser: &Browser, flower: &Site<'_>, workers: &[String]) {
    browser.go(&flower.url("/workers"));
    until("Flower's page lists the workers", SOON, || {
        let rows = browser.run(
            "return [...document.querySelectorAll('table tbody tr')].map((it) => it.textContent)",
        );
        let rows = rows.as_array().unwrap();
        let is_listed = |worker: &String| {
            rows.iter().any(|row| {
                row.as_str().is_some_and(|row| row.contains(worker) && row.contains("Online"))
            })
        };
        workers.iter().all(is_listed).then_some(())
    });
}
