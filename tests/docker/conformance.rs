//! The conformance suite: one test per case.

use crate::conformance::{for_each_case, for_each_shell_case};

macro_rules! tests {
    ($($noun:ident: [$($case:ident),* $(,)?],)*) => {
        $(mod $noun {
            $(
                #[tokio::test(flavor = "multi_thread")]
                async fn $case() {
                    crate::docker::run(stringify!($case), async |case: &crate::conformance::Case<'_>| {
                        crate::conformance::$noun::$case(case).await;
                    })
                    .await;
                }
            )*
        })*
    };
}

for_each_case!(tests);
for_each_shell_case!(tests);
