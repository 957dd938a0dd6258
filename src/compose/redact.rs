//! Hides values of a compose file in excerpts. The values of `environment` and `args` are often
//! passwords, and error messages end up in logs that others read.

/// Replaces a hidden character.
const HIDDEN: char = '•';

/// The text with those values hidden, character by character, so that columns stay the same. Names
/// of variables in `${…}` stay visible, because most errors are about them.
pub fn redacted(text: &str) -> String {
    let mut block: Option<usize> = None;
    text.split_inclusive('\n').map(|line| veiled_line(line, &mut block)).collect()
}

/// `block`: the indentation of the key whose values are hidden.
fn veiled_line(line: &str, block: &mut Option<usize>) -> String {
    let content = line.trim_start_matches(' ');
    let indent = line.len() - content.len();
    if content.trim().is_empty() {
        return line.to_owned();
    }
    if block.is_some_and(|begun| indent > begun || indent == begun && content.starts_with("- ")) {
        let name = content.find([':', '=']).map_or(0, |at| at + 1);
        return format!("{}{}", &line[..indent + name], hidden(&content[name..]));
    }
    *block = None;
    let key = ["environment:", "args:"].into_iter().find(|key| content.starts_with(key));
    let Some(key) = key else { return line.to_owned() };
    *block = Some(indent);
    format!("{}{}", &line[..indent + key.len()], hidden(&content[key.len()..]))
}

/// A value without its letters and digits, except the names of variables and messages about missing
/// ones.
fn hidden(value: &str) -> String {
    let mut shown = String::with_capacity(value.len());
    let mut in_name = false;
    let (mut in_expression, mut in_words) = (false, false);
    let mut before = ' ';
    for c in value.chars() {
        in_expression = c != '}' && (in_expression || c == '{' && before == '$');
        in_words = in_expression && (in_words || c == '?' && (in_name || before == ':'));
        in_name = (c == '$' || c == '{' && before == '$')
            || in_name && (c == '_' || c.is_ascii_alphanumeric());
        let plain = c.is_whitespace() || "\"'${}[],:?-+#&*|>".contains(c);
        shown.push(if in_name || in_words || plain { c } else { HIDDEN });
        before = c;
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use similar_asserts::assert_eq;

    #[test]
    fn values_of_environments_and_build_arguments_are_hidden_and_names_are_not() {
        let text = "\
services:
  web:
    image: web:1
    environment:
      PASSWORD: hunter2
      URL: \"postgres://user:pw@${DB_HOST:-db}/x\"
      - TOKEN=abc

    build:
      context: ./web
      args: { KEY: secret1 }
    ports: [\"80:80\"]
";
        let shown = "\
services:
  web:
    image: web:1
    environment:
      PASSWORD: •••••••
      URL: \"••••••••:••••••:•••${DB_HOST:-••}••\"
      - TOKEN=•••

    build:
      context: ./web
      args: { •••: ••••••• }
    ports: [\"80:80\"]
";
        assert_eq!(redacted(text), shown);
        assert_eq!(redacted(text).chars().count(), text.chars().count());
    }

    #[test]
    fn redaction_keeps_error_messages_and_hides_default_values() {
        let text = "environment:\n  A: ${A:?set it}${B-secret}${C?why}:?pw\n";
        assert_eq!(redacted(text), "environment:\n  A: ${A:?set it}${B-••••••}${C?why}:?••\n");
    }

    #[test]
    fn a_list_at_the_keys_own_column_belongs_to_it_and_windows_line_ends_stay() {
        assert_eq!(
            redacted("environment:\r\n- A=b\r\nimage: x\r\n"),
            "environment:\r\n- A=•\r\nimage: x\r\n"
        );
        assert_eq!(redacted(""), "");
    }
}
