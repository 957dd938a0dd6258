//! Hides passwords in the driver options of volumes and networks.

/// Replaces a password.
const HIDDEN: &str = "***";

/// Whether an option with this name holds a password or something similar.
fn is_password(key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    ["pass", "secret", "token"].iter().any(|word| key.contains(word))
}

/// An option's value without passwords: a password option, passwords among mount options (`o`), and
/// one in an address.
pub fn without_passwords(key: &str, value: &str) -> String {
    if is_password(key) {
        return HIDDEN.to_owned();
    }
    let hide = |flag: &str| match flag.split_once('=') {
        Some((key, _)) if is_password(key.trim()) => format!("{key}={HIDDEN}"),
        _ => flag.to_owned(),
    };
    let flags: Vec<String> = value.split(',').map(hide).collect();
    hide_in_address(&flags.join(","))
}

/// `//user:password@server/share` with its password hidden.
fn hide_in_address(value: &str) -> String {
    let Some((scheme, rest)) = value.split_once("//") else { return value.to_owned() };
    let server = rest.split('/').next().unwrap_or_default();
    match server.rsplit_once('@').and_then(|(user, _)| user.split_once(':')) {
        Some((user, password)) => {
            format!("{scheme}//{user}:{HIDDEN}{}", &rest[user.len() + 1 + password.len()..])
        }
        None => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_hidden_wherever_an_option_has_one() {
        for (key, value, shown) in [
            (
                "o",
                "addr=nas,username=a,password=p1,vers=3.0",
                "addr=nas,username=a,password=***,vers=3.0",
            ),
            ("o", "pass=p1", "pass=***"),
            ("o", "username=a, PASSWD=p1", "username=a, PASSWD=***"),
            ("password", "p1", "***"),
            ("secret_key", "p1", "***"),
            ("device", "//a:p1@nas/share", "//a:***@nas/share"),
            ("device", "//nas/share", "//nas/share"),
            ("type", "cifs", "cifs"),
        ] {
            assert_eq!(without_passwords(key, value), shown, "{key}: {value}");
        }
    }
}
