//! URLs and errors in messages.

use std::error::Error;
use std::io;

use reqwest::Url;

/// A URL without parts that may be a password or a token.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // They fail only for addresses that can have neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// The innermost error, which says what happened. The outer ones only say where.
pub(super) fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut innermost = error;
    loop {
        // An I/O error returns the source of its content, not the content itself.
        let content = innermost.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        match content
            .map(|content| -> &(dyn Error + 'static) { content })
            .or_else(|| innermost.source())
        {
            Some(inner) => innermost = inner,
            None => return innermost,
        }
    }
}
