//! Remarks about a compose file that are not mistakes.

/// A remark about a line.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// From 1.
    pub line: usize,
    /// The column, from 1, and the width in characters; `None` means the whole line.
    pub span: Option<(usize, usize)>,
    pub kind: NoteKind,
    pub text: String,
}

/// The subject of a remark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// A value that means something else than it seems.
    Unclear,
    /// A value that spc uses as written, but Compose does not.
    ComposeDifference,
    /// A key that has no effect.
    Obsolete,
}
