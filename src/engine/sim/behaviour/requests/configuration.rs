//! The configuration of nginx, as far as `std/nginx` writes it.

use std::collections::BTreeMap;

/// The folder of the files that deployments write.
pub(in crate::engine::sim) const FOLDER: &str = "/etc/nginx/conf.d/releases";

/// The buckets of `split_clients`.
const BUCKETS: u64 = 100;

/// Multiples of the golden ratio are evenly distributed between 0 and 1.
const GOLDEN_RATIO: u64 = 0x9E37_79B9_7F4A_7C15;

/// What the files said when nginx read them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(in crate::engine::sim) struct Configuration {
    /// The name that `std/nginx` gave to it; empty without files.
    pub generation: String,
    /// Upstream → its servers: host and port.
    upstreams: BTreeMap<String, Vec<(String, u16)>>,
    /// Service → bucket of clients → upstream.
    splits: BTreeMap<String, BTreeMap<u64, String>>,
}

impl Configuration {
    /// Adds the content of the file `name` of the folder.
    pub fn add(&mut self, name: &str, text: &str) {
        match name.rsplit_once('.') {
            None if name == "generation" => {
                text.split('"').nth(1).unwrap_or_default().clone_into(&mut self.generation);
            }
            Some((_, "upstream")) => self.add_upstreams(text),
            Some((service, "split")) => {
                let buckets = text.lines().filter_map(|line| {
                    let (bucket, upstream) = line.trim().strip_suffix(';')?.split_once(' ')?;
                    Some((bucket.parse().ok()?, upstream.to_owned()))
                });
                self.splits.insert(service.to_owned(), buckets.collect());
            }
            _ => {}
        }
    }

    fn add_upstreams(&mut self, text: &str) {
        let mut current = None;
        for line in text.lines() {
            match line.trim().split([' ', ';']).collect::<Vec<_>>()[..] {
                ["upstream", name, ..] => {
                    current = Some(self.upstreams.entry(name.to_owned()).or_default());
                }
                ["server", server, ..] => {
                    let Some((host, port)) = server.split_once(':') else { continue };
                    if let (Some(servers), Ok(port)) = (current.as_mut(), port.parse()) {
                        servers.push((host.to_owned(), port));
                    }
                }
                _ => {}
            }
        }
    }

    /// The upstream of a client of a service: that of its bucket, else the one with the service's
    /// name. A client stays in its bucket.
    pub fn upstream(&self, service: &str, client: u64) -> String {
        let place = client.wrapping_mul(GOLDEN_RATIO) >> 32;
        let bucket = (place * BUCKETS) >> 32;
        let own = self.splits.get(service).and_then(|buckets| buckets.get(&bucket));
        own.map_or_else(|| service.to_owned(), Clone::clone)
    }

    /// The servers of an upstream; `None` if the files don't describe it.
    pub fn servers(&self, upstream: &str) -> Option<&[(String, u16)]> {
        self.upstreams.get(upstream).map(Vec::as_slice)
    }

    /// The hosts of all upstreams.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        self.upstreams.values().flatten().map(|(host, _)| host.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn configuration(share: u64) -> Configuration {
        let mut read = Configuration::default();
        let upstream = "upstream web_next {\n    zone web_next 64k;\n    server 4f2a:8000 resolve max_fails=0;\n    server 77b1:8000 resolve max_fails=0;\n    keepalive 32;\n}\n";
        read.add("web.upstream", upstream);
        let split: Vec<String> = (0..share).map(|bucket| format!("{bucket} web_next;\n")).collect();
        read.add("web.split", &split.concat());
        read.add("generation", "default \"7\";\n");
        read.add("web.json", "{}");
        read
    }

    #[test]
    fn the_files_name_servers_and_a_generation() {
        let read = configuration(5);
        assert_eq!(read.generation, "7");
        let servers = [("4f2a".to_owned(), 8000), ("77b1".to_owned(), 8000)];
        assert_eq!(read.servers("web_next"), Some(servers.as_slice()));
        assert_eq!(read.servers("web"), None, "its name is resolved");
    }

    #[test]
    fn a_share_of_the_clients_gets_the_other_upstream_and_keeps_it() {
        let clients = |share: u64| -> Vec<u64> {
            let read = configuration(share);
            (0..1000).filter(|client| read.upstream("web", *client) == "web_next").collect()
        };
        assert!(clients(5).len().abs_diff(50) <= 2, "{}", clients(5).len());
        assert!(clients(25).len().abs_diff(250) <= 2);
        assert_eq!((clients(0).len(), clients(100).len()), (0, 1000));
        assert!(clients(5).iter().all(|client| clients(25).contains(client)));
    }
}
