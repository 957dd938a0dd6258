//! The driver options of a volume. They can make the volume a bind mount, a device or a share of
//! another machine.

use std::collections::BTreeMap;
use std::path::Path;

use super::path::Resolve;
use super::{Policy, Refusal};
use crate::model::driver_options::without_passwords;

/// Driver options that may be sent to the engine. A bound folder in them is absolute and canonical.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedVolumeOptions(BTreeMap<String, String>);

impl CheckedVolumeOptions {
    /// The options as they were checked. The caller sends these, not the original ones.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }
}

/// Options of mount(8) that change neither the source of the mount nor its visibility to others.
const FLAGS: [&str; 28] = [
    "async",
    "atime",
    "auto",
    "bind",
    "defaults",
    "dev",
    "diratime",
    "dirsync",
    "exec",
    "noatime",
    "noauto",
    "nodev",
    "nodiratime",
    "noexec",
    "nofail",
    "nomand",
    "norelatime",
    "nosuid",
    "private",
    "rbind",
    "relatime",
    "ro",
    "rprivate",
    "rw",
    "strictatime",
    "suid",
    "sync",
    "_netdev",
];

/// Options of NFS and CIFS that name no machine. All others need `privileged = true`, because an
/// unknown option could name a machine.
const OF_NETWORK_FILE_SYSTEMS: [&str; 90] = [
    "ac",
    "acdirmax",
    "acdirmin",
    "acl",
    "acregmax",
    "acregmin",
    "actimeo",
    "bg",
    "bsize",
    "cache",
    "cto",
    "dir_mode",
    "dom",
    "domain",
    "domainauto",
    "echo_interval",
    "fg",
    "file_mode",
    "forcegid",
    "forceuid",
    "fsc",
    "gid",
    "guest",
    "hard",
    "intr",
    "iocharset",
    "local_lock",
    "lock",
    "lookupcache",
    "max_credits",
    "mfsymlinks",
    "migration",
    "minorversion",
    "mountport",
    "mountproto",
    "mountvers",
    "namlen",
    "nconnect",
    "netbiosname",
    "nfsvers",
    "noac",
    "noacl",
    "nobrl",
    "nocto",
    "nodfs",
    "nofsc",
    "nointr",
    "nolock",
    "nomigration",
    "noperm",
    "noposix",
    "nordirplus",
    "noresvport",
    "noserverino",
    "nosharecache",
    "nosharesock",
    "nounix",
    "pass",
    "password",
    "perm",
    "port",
    "posix",
    "prefixpath",
    "proto",
    "rdirplus",
    "resvport",
    "retrans",
    "retry",
    "rsize",
    "seal",
    "sec",
    "serverino",
    "sharecache",
    "sign",
    "soft",
    "softerr",
    "softreval",
    "tcp",
    "timeo",
    "trunkdiscovery",
    "udp",
    "uid",
    "unix",
    "user",
    "username",
    "vers",
    "workgroup",
    "wsize",
    "xprtsec",
    "posixpaths",
];

/// Options of NFS and CIFS that name a machine. If there are several, the kernel decides which one
/// counts, so all have to be allowed.
const MACHINES: [&str; 4] = ["addr", "ip", "mountaddr", "mounthost"];

impl Policy {
    /// Checks a volume's driver options. Relative sources start at the project directory; the
    /// engine would resolve them in its own folder.
    pub fn volume_options(
        &self,
        driver: Option<&str>,
        options: &BTreeMap<String, String>,
        resolve: Resolve<'_>,
    ) -> Result<CheckedVolumeOptions, Refusal> {
        let given = || CheckedVolumeOptions(options.clone());
        // Only a plugin knows its options and their effects on the host.
        if let Some(driver) = driver.filter(|driver| !driver.is_empty() && *driver != "local") {
            return self.privileged(&format!("driver: {driver}")).map(|_| given());
        }
        let option = |key: &str| options.get(key).map_or("", String::as_str);
        let (device, kind) = (option("device"), option("type"));
        let flags: Vec<&str> =
            option("o").split(',').map(str::trim).filter(|flag| !flag.is_empty()).collect();
        if device.is_empty() {
            return Ok(given());
        }
        if matches!(kind, "none" | "bind")
            || flags.iter().any(|flag| matches!(*flag, "bind" | "rbind"))
        {
            self.harmless(&flags, &[])?;
            let source = self.bind_mount(Path::new(device), resolve)?;
            let mut checked = options.clone();
            checked.insert("device".to_owned(), source.source().to_string_lossy().into_owned());
            return Ok(CheckedVolumeOptions(checked));
        }
        match kind {
            // Its own options set the size and the owner; others are checked as for all types.
            "tmpfs" => self.harmless(
                &flags,
                &[
                    "gid",
                    "huge",
                    "inode32",
                    "inode64",
                    "mode",
                    "nr_blocks",
                    "nr_inodes",
                    "size",
                    "uid",
                ],
            )?,
            "nfs" | "nfs4" | "cifs" => self.other_machine(kind, device, &flags)?,
            _ => self
                .privileged(&format!("device: {}", without_passwords("device", device)))
                .map(drop)?,
        }
        Ok(given())
    }

    /// Checks a folder of another machine: every machine in the device and the options has to be
    /// listed, and no option may be unknown.
    fn other_machine(&self, kind: &str, device: &str, flags: &[&str]) -> Result<(), Refusal> {
        let named = flags
            .iter()
            .filter_map(|flag| flag.split_once('='))
            .filter(|(key, _)| MACHINES.contains(key));
        let mut servers: Vec<&str> = named.map(|(_, value)| value).collect();
        match (kind, server_of(kind, device)) {
            // `:/folder`: the options contain the machine.
            ("nfs" | "nfs4", Some("")) if !servers.is_empty() => {}
            (_, Some(server)) if !server.is_empty() => servers.push(server),
            _ => {
                return self
                    .privileged(&format!("device: {}", without_passwords("device", device)))
                    .map(drop);
            }
        }
        for server in servers {
            self.machine("mount a folder of", server)?;
        }
        let known: Vec<&str> = OF_NETWORK_FILE_SYSTEMS.iter().chain(&MACHINES).copied().collect();
        self.harmless(flags, &known)
    }

    /// Checks the flags of a mount. In addition to those that are always harmless, only the `known`
    /// ones are allowed, with or without a value.
    fn harmless(&self, flags: &[&str], known: &[&str]) -> Result<(), Refusal> {
        for flag in flags {
            let name = flag.split_once('=').map_or(*flag, |(name, _)| name);
            if !FLAGS.contains(flag) && !known.contains(&name) {
                let shown = without_passwords("o", flag);
                self.privileged(&format!("o: {shown}"))?;
            }
        }
        Ok(())
    }
}

/// The machine in `server:/folder` and `//server/share`; empty in `:/folder`. `None` if it is
/// unclear.
fn server_of<'d>(kind: &str, device: &'d str) -> Option<&'d str> {
    let server = if kind == "cifs" {
        device.strip_prefix("//")?.split('/').next()?
    } else if let Some(rest) = device.strip_prefix('[') {
        rest.split_once("]:/")?.0
    } else {
        device.split_once(":/")?.0
    };
    let is_name = |character: char| {
        character.is_ascii_alphanumeric() || matches!(character, '.' | '-' | '_' | ':')
    };
    server.chars().all(is_name).then_some(server)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::{Resolution, Settings};

    fn policy(toml: &str) -> Policy {
        Policy::new(Path::new("/work/app"), Settings::parse(toml.as_bytes()).unwrap(), &resolve)
            .unwrap()
    }

    /// Everything exists; `in` is a symlink to `data`, `out` one to `/etc`.
    fn resolve(path: &Path) -> Resolution {
        for (link, target) in [("/work/app/in", "/work/app/data"), ("/work/app/out", "/etc")] {
            if let Ok(rest) = path.strip_prefix(link) {
                let rest = rest.to_string_lossy();
                return Resolution::Exists(if rest.is_empty() {
                    target.into()
                } else {
                    Path::new(target).join(&*rest)
                });
            }
        }
        Resolution::Exists(path.to_owned())
    }

    fn check(
        policy: &Policy,
        options: &[(&str, &str)],
    ) -> Result<BTreeMap<String, String>, Refusal> {
        let options =
            options.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        policy.volume_options(Some("local"), &options, &resolve).map(CheckedVolumeOptions::into_map)
    }

    #[test]
    fn a_bound_folder_is_sent_as_it_was_checked() {
        for (device, sent) in [
            (".", "/work/app"),
            ("data", "/work/app/data"),
            ("./data/../data", "/work/app/data"),
            ("in", "/work/app/data"),
            ("in/new", "/work/app/data/new"),
            ("/work/app/in", "/work/app/data"),
        ] {
            for options in [
                [("type", "none"), ("o", "bind")],
                [("type", ""), ("o", "ro, rbind")],
                [("type", "tmpfs"), ("o", "bind,rw")],
            ] {
                let checked =
                    check(&policy(""), &[options[0], options[1], ("device", device)]).unwrap();
                assert_eq!(checked["device"], sent, "{device}");
            }
        }
        for device in ["..", "out", "/", "/etc", "in/../../x", "./out/passwd"] {
            assert_eq!(
                check(&policy(""), &[("type", "none"), ("o", "bind"), ("device", device)])
                    .unwrap_err()
                    .what,
                "mount",
                "{device}"
            );
        }
    }

    #[test]
    fn a_mount_that_others_would_see_needs_privileges() {
        for flag in ["rshared", "shared", "slave", "rslave", "remount", "move", "context=x"] {
            for kind in ["none", "tmpfs"] {
                let refusal = check(
                    &policy(""),
                    &[("type", kind), ("o", &format!("bind,{flag}")), ("device", "data")],
                )
                .unwrap_err();
                assert_eq!(
                    (refusal.value.as_str(), refusal.add),
                    (format!("o: {flag}").as_str(), vec!["privileged = true".to_owned()])
                );
            }
        }
    }

    #[test]
    fn every_machine_that_a_volume_names_is_listed() {
        let policy = policy("[allow]\nnetwork = [\"nas.example\", \"10.0.0.5\"]\n");
        let nfs = |o: &str, device: &str| {
            check(&policy, &[("type", "nfs"), ("o", o), ("device", device)])
        };
        let cifs = |o: &str, device: &str| {
            check(&policy, &[("type", "cifs"), ("o", o), ("device", device)])
        };
        for (o, device) in [
            ("addr=10.0.0.5,rw,nfsvers=4", ":/data"),
            ("", "nas.example:/data"),
            ("addr=10.0.0.5", "nas.example:/data"),
        ] {
            assert!(nfs(o, device).is_ok(), "{o} {device}");
        }
        assert!(cifs("username=a,password=b,vers=3.0", "//nas.example/all").is_ok());
        for o in [
            "addr=10.0.0.5,addr=10.0.0.6",
            "addr=10.0.0.5,mountaddr=10.0.0.6",
            "mounthost=10.0.0.6,addr=10.0.0.5",
            "addr=10.0.0.6",
            "ip=10.0.0.6",
        ] {
            assert_eq!(nfs(o, "nas.example:/data").unwrap_err().value, "10.0.0.6", "{o}");
            assert_eq!(cifs(o, "//nas.example/all").unwrap_err().value, "10.0.0.6", "{o}");
        }
        for o in [
            "unc=//other/all",
            "target=//other/all",
            "source=//other/all",
            "sep=;",
            "path=//other",
            "credentials=/root/x",
        ] {
            assert_eq!(cifs(o, "//nas.example/all").unwrap_err().value, format!("o: {o}"));
        }
        for device in [
            "//a@nas.example/all",
            "\\\\nas.example\\all",
            "nas.example",
            "/nas.example/all",
            "//",
            "smb://nas.example/all",
        ] {
            assert_eq!(cifs("", device).unwrap_err().add, ["privileged = true"], "{device}");
        }
        for device in ["/data", ":/data", "nas.example", "[::1:/data", "nas.example%00:/x"] {
            assert_eq!(nfs("", device).unwrap_err().add, ["privileged = true"], "{device}");
        }
        assert_eq!(
            nfs("", "[fd00::1]:/data").unwrap_err().add,
            ["network = [\"nas.example\", \"10.0.0.5\", \"fd00::1\"]"]
        );
    }
}
