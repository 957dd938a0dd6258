#!/usr/bin/env bash
# Runs the checks that cargo itself lacks: licences, bans and sources of dependencies, and shellcheck.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly TOOLS=target/tools
readonly CARGO_DENY=cargo-deny@0.20.2
PATH=$PWD/$TOOLS/bin:$PATH

# A debug build in target/ is enough: it takes a minute to build and a second to run.
cargo_deny() {
  cargo deny --version >/dev/null 2>&1 && return
  printf 'lint: building %s, once\n' "$CARGO_DENY"
  CARGO_PROFILE_DEV_DEBUG=false cargo install --quiet --locked --debug --root "$TOOLS" "$CARGO_DENY"
}

if cargo_deny; then
  printf 'lint: cargo deny\n'
  cargo deny --log-level error check licenses bans sources
else
  printf 'lint: NOT CHECKED: licences, bans and sources of the dependencies, as %s could not be built\n' "$CARGO_DENY" >&2
fi

if command -v shellcheck >/dev/null; then
  printf 'lint: shellcheck\n'
  git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck
else
  printf 'lint: NOT CHECKED: shell scripts, as shellcheck is not installed\n' >&2
fi
