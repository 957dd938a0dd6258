#!/bin/sh
# Starts what it is given. Before nginx, the hooks in /docker-entrypoint.d are run in their names' order: *.sh as programs,
# *.envsh as part of this script, so that they can set its environment. What isn't executable is left out.
set -eu

if [ -z "${NGINX_ENTRYPOINT_QUIET_LOGS:-}" ]; then
    exec 3>&1
else
    exec 3>/dev/null
fi

case "${1:-}" in
    nginx | nginx-debug)
        for hook in /docker-entrypoint.d/*; do
            case "$hook" in
                *.sh | *.envsh)
                    if [ ! -x "$hook" ]; then
                        echo "$0: leaving out $hook, it is not executable" >&3
                        continue
                    fi
                    echo "$0: running $hook" >&3
                    # shellcheck source=/dev/null
                    case "$hook" in *.envsh) . "$hook" ;; *) "$hook" ;; esac
                    ;;
                */\*) ;;
                *) echo "$0: ignoring $hook" >&3 ;;
            esac
        done
        ;;
esac
exec "$@" 3>&-
