//! Ids of images, containers and networks in the short form of the Docker CLI: `3f2a91c0b7d4`.

/// The digits of a short id.
pub const SHORT_ID: usize = 12;
/// Stands before the digits of an image's id.
pub const ALGORITHM: &str = "sha256:";

/// The digits of an id, without its algorithm.
pub fn digits(id: &str) -> &str {
    id.strip_prefix(ALGORITHM).unwrap_or(id)
}

/// The first digits of an id, without its algorithm.
pub fn short_id(id: &str) -> &str {
    let digits = digits(id);
    digits.get(..SHORT_ID).unwrap_or(digits)
}
