//! Code that the layers around an engine share.

/// The methods of [`Engine`](super::Engine) that describe an engine, for a layer that passes them
/// to the engine in the field `$below`.
macro_rules! facts_of_engine_below {
    ($below:ident) => {
        fn api_version(&self) -> $crate::engine::ApiVersion {
            self.$below.api_version()
        }

        fn address(&self) -> &str {
            self.$below.address()
        }

        fn is_local(&self) -> bool {
            self.$below.is_local()
        }

        fn publishes_here(&self) -> bool {
            self.$below.publishes_here()
        }
    };
}
pub(super) use facts_of_engine_below;
