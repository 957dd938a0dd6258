//! What messages say of URLs and errors.

use std::error::Error;
use std::io;

use reqwest::Url;

/// A URL without what may be a password or a token.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // They fail only where there can be neither.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// The error at the bottom, which says what happened; those above say only where.
pub(super) fn innermost<'e>(error: &'e (dyn Error + 'static)) -> &'e (dyn Error + 'static) {
    let mut innermost = error;
    loop {
        // An I/O error gives its content's source, not its content.
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
