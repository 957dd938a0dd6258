//! Generates from the list of calls: the port, its calls as data, and the trait that an engine
//! implements.

/// Declares the calls of the port. For each:
///
/// ```text
/// Variant = method(argument: Type, …) -> Answer
///     { facts that hold for each use of it }
///     on(the name or id that it is made for; "" for none)
///     owned(argument: Kind By "what a refusal says that the script would do", …);
/// ```
///
/// `owned` names the objects that have to belong to the script's project. [`By::Id`] replaces the
/// name by the id of the checked object.
macro_rules! engine_calls {
    ($lt:lifetime: $(
        $(#[$doc:meta])*
        $variant:ident = $method:ident($($argument:ident: $type:ty),* $(,)?) -> $answer:ty
            { $facts:expr }
            on($target:expr)
            owned($($owned:ident: $kind:ident $by:ident $doing:literal),* $(,)?);
    )*) => {
        /// The name of a call.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $($variant,)*
        }

        impl Method {
            /// Every call of the port.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The port's method: `container_start`.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($method),)*
                }
            }

            /// The properties of the call.
            pub const fn declaration(self) -> Declaration {
                match self {
                    $(Self::$variant => $facts,)*
                }
            }
        }

        /// A call as data, before it is made.
        #[allow(clippy::large_enum_variant, reason = "a call is moved a few times at most")]
        pub enum Call<$lt> {
            $($variant { $($argument: $type),* },)*
        }

        /// The engine's answer, by call.
        #[allow(clippy::large_enum_variant, reason = "an answer is moved a few times at most")]
        pub enum Answer {
            $($variant($answer),)*
        }

        impl<$lt> Call<$lt> {
            /// Its name.
            pub const fn method(&self) -> Method {
                match self {
                    $(Self::$variant { .. } => Method::$variant,)*
                }
            }

            /// The name or id of its object; empty for lists.
            #[allow(unused_variables, reason = "a call is made for one of its arguments")]
            pub fn target(&self) -> &str {
                match self {
                    $(Self::$variant { $($argument),* } => $target,)*
                }
            }

            /// The objects that have to belong to the script's project.
            #[allow(unused_variables, reason = "few arguments name an object")]
            pub(in crate::engine) fn owned(&mut self) -> Vec<OwnedObject<'_, $lt>> {
                match self {
                    $(Self::$variant { $($argument),* } => vec![$(
                        OwnedObject { kind: Kind::$kind, by: ObjectNaming::$by, doing: $doing, name: $owned }
                    ),*],)*
                }
            }

            /// Visits each text that the call sends.
            #[allow(unused_variables, reason = "a call without arguments sends nothing")]
            pub fn pieces(&self, see: &mut dyn FnMut(Piece<'_>)) {
                match self {
                    $(Self::$variant { $($argument),* } => {
                        $(Argument::pieces($argument, see);)*
                    })*
                }
            }
        }

        /// The Docker Engine API, as far as spc uses it. Names and ids are accepted wherever the
        /// engine accepts them.
        ///
        /// A wrapper of an engine implements [`Engine::call`], which gets each call as data.
        /// Callers use the methods by name. Dropping a returned future or stream cancels the wait,
        /// but not necessarily the work on the engine.
        pub trait Engine: Send + Sync {
            /// The API version, read once at connection.
            fn api_version(&self) -> ApiVersion;

            /// The engine's address, for messages: `unix:///var/run/docker.sock`.
            fn address(&self) -> &str;

            /// Whether paths of this machine can be bind-mounted: false over TCP and ssh.
            fn is_local(&self) -> bool;

            /// Whether the engine publishes ports on this machine, as this process sees it. False
            /// if that is unknown.
            fn publishes_here(&self) -> bool;

            /// Fails if a policy would reject the call. If possible, it asks the engine nothing
            /// that is already known. An engine without a policy rejects nothing.
            fn check<$lt>(&$lt self, _intent: Intent<$lt>) -> BoxFuture<$lt, Result<()>> {
                Box::pin(std::future::ready(Ok(())))
            }

            /// Makes the call. The answer belongs to this call.
            fn call<$lt>(&$lt self, call: Call<$lt>) -> BoxFuture<$lt, Result<Answer>>;

            $(
                $(#[$doc])*
                fn $method<$lt>(&$lt self, $($argument: $type),*) -> BoxFuture<$lt, Result<$answer>> {
                    Box::pin(async move {
                        match self.call(Call::$variant { $($argument),* }).await? {
                            Answer::$variant(answer) => Ok(answer),
                            _ => Err(mistaken(Method::$variant)),
                        }
                    })
                }
            )*
        }

        /// An engine: answers each call.
        pub trait Implementation: Send + Sync {
            /// See [`Engine::api_version`].
            fn api_version(&self) -> ApiVersion;

            /// See [`Engine::address`].
            fn address(&self) -> &str;

            /// See [`Engine::is_local`].
            fn is_local(&self) -> bool;

            /// See [`Engine::publishes_here`].
            fn publishes_here(&self) -> bool;

            $(
                $(#[$doc])*
                fn $method<$lt>(
                    &$lt self,
                    $($argument: $type),*
                ) -> impl Future<Output = Result<$answer>> + Send;
            )*
        }

        impl<T: Implementation> Engine for T {
            fn api_version(&self) -> ApiVersion {
                Implementation::api_version(self)
            }

            fn address(&self) -> &str {
                Implementation::address(self)
            }

            fn is_local(&self) -> bool {
                Implementation::is_local(self)
            }

            fn publishes_here(&self) -> bool {
                Implementation::publishes_here(self)
            }

            fn call<$lt>(&$lt self, call: Call<$lt>) -> BoxFuture<$lt, Result<Answer>> {
                match call {
                    $(Call::$variant { $($argument),* } => Box::pin(async move {
                        let answer = Implementation::$method(self, $($argument),*).await?;
                        Ok(Answer::$variant(answer))
                    }),)*
                }
            }
        }
    };
}

pub(super) use engine_calls;
