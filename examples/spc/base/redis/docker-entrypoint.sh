#!/bin/sh
# Starts what it is given, a Redis server as user `redis`.
set -eu

# Options or a configuration file alone mean the server.
case "${1:-}" in
    -* | *.conf) set -- redis-server "$@" ;;
esac
[ "${1:-}" = redis-server ] || exec "$@"

# The official image is built with protected mode off, so that other containers can connect; Debian's is not. What the
# command line or the configuration file says of it still counts.
shift
case "${1:-}" in
    -v | --version | -h | --help | --test-memory | --check-system) ;;
    "" | -*) set -- --protected-mode no "$@" ;;
    *)
        if ! grep -qsi '^[[:space:]]*protected-mode[[:space:]]' "$1"; then
            configuration=$1
            shift
            set -- "$configuration" --protected-mode no "$@"
        fi
        ;;
esac

# Data that an earlier container left may be another user's.
if [ "$(id -u)" = 0 ]; then
    find . \! -user redis -exec chown redis:redis {} +
    export HOME=/data
    umask 0077
    exec setpriv --reuid=redis --regid=redis --init-groups redis-server "$@"
fi
exec redis-server "$@"
