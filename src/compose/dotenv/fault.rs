/// An error at a byte of a `.env` file.
#[derive(Debug)]
pub(super) struct Fault {
    pub offset: usize,
    pub message: String,
    pub hint: String,
}

impl Fault {
    pub(super) fn new(offset: usize, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { offset, message: message.into(), hint: hint.into() }
    }
}
