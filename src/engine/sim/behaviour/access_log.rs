//! The lines of nginx's access log.

use std::time::Duration;

use serde_json::json;

use crate::host::sim::date;

/// A request and its answer.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::engine::sim) struct LoggedAnswer {
    pub at: Duration,
    /// The upstream; `None` if the request got to none.
    pub group: Option<String>,
    /// `None` if no container answered.
    pub release: Option<String>,
    pub status: u16,
    pub takes: Duration,
    pub number: u64,
}

impl LoggedAnswer {
    /// The line in the format of the reference stack's nginx: a JSON object.
    pub fn line(&self) -> String {
        let seconds = format!("{:.3}", self.takes.as_secs_f64());
        let upstream = if self.release.is_some() { "backend:8000" } else { "" };
        let status = if self.release.is_some() { self.status.to_string() } else { String::new() };
        let line = json!({
            "time": date(self.at).format("%Y-%m-%dT%H:%M:%S+00:00").to_string(),
            "client": "203.0.113.7",
            "request_id": format!("{:032x}", self.number),
            "scheme": "https",
            "host": "localhost",
            "method": "GET",
            "uri": "/api/",
            "protocol": "HTTP/2.0",
            "status": self.status,
            "bytes": 512,
            "seconds": (self.takes.as_secs_f64() * 1000.0).round() / 1000.0,
            "referer": "",
            "user_agent": "simulation",
            "upstream": upstream,
            "upstream_status": status,
            "upstream_connect_seconds": if self.release.is_some() { "0.000" } else { "" },
            "upstream_seconds": if self.release.is_some() { seconds.as_str() } else { "" },
            "upstream_group": self.group.as_deref().unwrap_or_default(),
            "release": self.release.as_deref().unwrap_or_default(),
        });
        format!("{line}\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_the_reference_stacks_access_log() {
        let template = include_str!("../../../../examples/spc/nginx/default.conf.template");
        let answer = LoggedAnswer {
            at: Duration::from_secs(1),
            group: Some("backend_next".to_owned()),
            release: Some("v2".to_owned()),
            status: 200,
            takes: Duration::from_millis(80),
            number: 1,
        };
        let line: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&answer.line()).unwrap();
        assert_eq!(line["upstream_group"], "backend_next");
        let format = template.split_once("log_format json").unwrap().1.split_once(';').unwrap().0;
        for key in line.keys() {
            assert!(format.contains(&format!("\"{key}\":")), "{key}");
        }
        assert_eq!(format.matches("\":").count(), line.len());
    }
}
