//! HTML's names of the characters that programs write by name: ASCII punctuation and Latin-1.

/// The names of U+00A0 to U+00FF, in order.
const LATIN_1: &str = "nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para \
    middot cedil sup1 ordm raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml \
    Igrave Iacute Icirc Iuml ETH Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave \
    aacute acirc atilde auml aring aelig ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde \
    ouml divide oslash ugrave uacute ucirc uuml yacute thorn yuml";

/// The names of a character, without `&` and `;`.
pub(super) fn entity_names(c: char) -> &'static [&'static str] {
    match c {
        '&' => &["amp", "AMP"],
        '<' => &["lt", "LT"],
        '>' => &["gt", "GT"],
        '"' => &["quot", "QUOT"],
        '\'' => &["apos"],
        '\t' => &["Tab"],
        '\n' => &["NewLine"],
        '!' => &["excl"],
        '#' => &["num"],
        '$' => &["dollar"],
        '%' => &["percnt"],
        '(' => &["lpar"],
        ')' => &["rpar"],
        '*' => &["ast", "midast"],
        '+' => &["plus"],
        ',' => &["comma"],
        '.' => &["period"],
        '/' => &["sol"],
        ':' => &["colon"],
        ';' => &["semi"],
        '=' => &["equals"],
        '?' => &["quest"],
        '@' => &["commat"],
        '[' => &["lsqb", "lbrack"],
        '\\' => &["bsol"],
        ']' => &["rsqb", "rbrack"],
        '^' => &["Hat"],
        '_' => &["lowbar", "UnderBar"],
        '`' => &["grave", "DiacriticalGrave"],
        '{' => &["lcub", "lbrace"],
        '|' => &["verbar", "vert", "VerticalLine"],
        '}' => &["rcub", "rbrace"],
        '\u{a0}'..='\u{ff}' => latin_1(c),
        _ => &[],
    }
}

fn latin_1(c: char) -> &'static [&'static str] {
    static NAMES: std::sync::LazyLock<Vec<&'static str>> =
        std::sync::LazyLock::new(|| LATIN_1.split_whitespace().collect());
    let at = (u32::from(c) - 0xa0) as usize;
    NAMES.get(at).map_or(&[], std::slice::from_ref)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn latin_1_has_its_names_in_order() {
        assert_eq!(LATIN_1.split_whitespace().count(), 96);
        for (c, name) in [
            ('\u{a0}', "nbsp"),
            ('é', "eacute"),
            ('ö', "ouml"),
            ('ß', "szlig"),
            ('ÿ', "yuml"),
            ('×', "times"),
        ] {
            assert_eq!(entity_names(c), [name]);
        }
        assert!(entity_names('a').is_empty() && entity_names('ā').is_empty());
    }
}
