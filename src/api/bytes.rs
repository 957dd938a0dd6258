//! `bytes`: sizes.

use rhai::plugin::{Engine, export_module};

use super::Raw;
use super::duration::register_order;
use super::record::no_fields;
use crate::model::Failure;
use crate::value::Bytes;
use crate::value::options::bytes_of;

/// Registers the functions of this file.
pub fn register(engine: &mut Engine) {
    engine.register_type_with_name::<Bytes>("bytes");
    engine.register_global_module(shared_module!(functions));
    register_order(engine, bytes_of);
    no_fields::<Bytes>(engine, "bytes");
}

fn sized(size: Option<u64>) -> Raw<Bytes> {
    Ok(size.map(Bytes).ok_or_else(|| Failure::usage("The size is out of range"))?)
}

fn count(number: i64) -> Option<u64> {
    u64::try_from(number).ok()
}

#[allow(clippy::unwrap_used, reason = "what the macro makes of `&mut` parameters")]
#[export_module]
mod functions {
    /// A size, from Compose's notation: a number with `b k m g t`, in powers of 1024. Sizes can be
    /// compared, added and multiplied; `.bytes` is an integer, and a printed size has the same
    /// notation again. Throws `usage` if the text is not a size.
    ///
    /// ```rhai
    /// assert_eq(bytes("64m").bytes, 67108864);
    /// assert(bytes("1g") > bytes("64m"));
    /// ```
    #[rhai_fn(return_raw)]
    pub fn bytes(text: &str) -> Raw<Bytes> {
        Ok(crate::model::size::parse_bytes(text).map(Bytes).map_err(Failure::usage)?)
    }

    /// A size, from a number of bytes.
    ///
    /// ```rhai
    /// assert_eq(bytes(1024), bytes("1k"));
    /// ```
    #[rhai_fn(name = "bytes", return_raw)]
    pub fn bytes_of_integer(size: i64) -> Raw<Bytes> {
        Ok(bytes_of(&size.into())?)
    }

    /// The size in bytes, as an integer.
    #[rhai_fn(get = "bytes", pure)]
    pub fn integer(size: &mut Bytes) -> i64 {
        size.integer()
    }

    #[rhai_fn(name = "to_string", name = "to_debug", pure)]
    pub fn to_string(size: &mut Bytes) -> String {
        size.to_string()
    }

    #[rhai_fn(name = "+", return_raw)]
    pub fn add(left: Bytes, right: Bytes) -> Raw<Bytes> {
        sized(left.0.checked_add(right.0))
    }

    #[rhai_fn(name = "-", return_raw)]
    pub fn subtract(left: Bytes, right: Bytes) -> Raw<Bytes> {
        sized(left.0.checked_sub(right.0))
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn times(size: Bytes, factor: i64) -> Raw<Bytes> {
        sized(count(factor).and_then(|factor| size.0.checked_mul(factor)))
    }

    #[rhai_fn(name = "*", return_raw)]
    pub fn of_times(factor: i64, size: Bytes) -> Raw<Bytes> {
        sized(count(factor).and_then(|factor| size.0.checked_mul(factor)))
    }

    #[rhai_fn(name = "/", return_raw)]
    pub fn divided(size: Bytes, by: i64) -> Raw<Bytes> {
        sized(count(by).and_then(|by| size.0.checked_div(by)))
    }

    /// How many times larger this size is than the other one.
    #[expect(clippy::cast_precision_loss, reason = "a ratio")]
    #[rhai_fn(name = "/")]
    pub fn ratio(left: Bytes, right: Bytes) -> f64 {
        left.0 as f64 / right.0 as f64
    }
}

#[cfg(test)]
mod tests {
    use super::super::harness::Harness;

    #[test]
    fn every_example_runs() {
        Harness::examples(super::register);
    }

    #[test]
    fn sizes_are_read_compared_and_written_back() {
        let run = Harness::new();
        for (script, expected) in [
            (r#"`${bytes("64m")} ${bytes(1536)}`"#, "64m 1536b"),
            (r#"bytes("1k").bytes"#, "1024"),
            (r#"bytes("1g") > bytes("64m")"#, "true"),
            (r#"bytes("1k") == "1024b""#, "true"),
            (r#"`${(bytes("1m") + bytes("1k")) * 2 / 2 - bytes("1k")}`"#, "1m"),
            (r#"bytes("1m") / bytes("1k")"#, "1024.0"),
            (r#""héllo".bytes"#, "6"),
        ] {
            assert_eq!(run.text(script), expected, "{script}");
        }
        assert_eq!(run.fails(r#"bytes("1k") - bytes("1m")"#).message, "The size is out of range");
        assert_eq!(run.fails(r#"bytes("1k") / 0"#).message, "The size is out of range");
        assert_eq!(
            run.fails(r#"bytes("x")"#).message,
            "\"x\" is not a size; write it like \"64m\" or \"1gb\""
        );
    }
}
