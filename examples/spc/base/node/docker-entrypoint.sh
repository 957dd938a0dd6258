#!/bin/sh
# Starts what it is given: a command as it is, anything else (options, a script's file) with node.
set -eu

case "${1:-}" in
    -*) set -- node "$@" ;;
    *)
        # To the shell a file with a slash in its name is a command even when it can't be executed.
        if ! command -v "${1:-}" >/dev/null || { [ -f "$1" ] && [ ! -x "$1" ]; }; then
            set -- node "$@"
        fi
        ;;
esac
exec "$@"
