//! A size in bytes.

use std::fmt;

/// A size. Written in the form that Compose reads: `64m`, `1536k`, `300b`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bytes(pub u64);

impl Bytes {
    /// The number as an integer for scripts, limited to the largest integer.
    pub fn integer(self) -> i64 {
        i64::try_from(self.0).unwrap_or(i64::MAX)
    }
}

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (power, unit) in [(30, "g"), (20, "m"), (10, "k")] {
            if self.0 != 0 && self.0.is_multiple_of(1 << power) {
                return write!(f, "{}{unit}", self.0 >> power);
            }
        }
        write!(f, "{}b", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::size::parse_bytes;
    use proptest::prelude::*;

    #[test]
    fn a_size_is_written_in_its_largest_whole_unit() {
        let written: Vec<String> =
            [64 << 20, 1536, 300, 0, 1 << 30].map(|size| Bytes(size).to_string()).to_vec();
        assert_eq!(written, ["64m", "1536b", "300b", "0b", "1g"]);
    }

    proptest! {
        #[test]
        fn a_written_size_reads_back(size in 0_u64..1 << 60) {
            prop_assert_eq!(parse_bytes(&Bytes(size).to_string()), Ok(size));
        }
    }
}
