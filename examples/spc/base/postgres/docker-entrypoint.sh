#!/usr/bin/env bash
# Starts what it is given, a PostgreSQL server as user `postgres`. On an empty data folder it makes the database first,
# with a temporary server that answers on the socket alone while /docker-entrypoint-initdb.d is run.
set -Eeuo pipefail

fail() {
  printf 'Error: %s\n' "$*" >&2
  exit 1
}

# Sets NAME from the file that NAME_FILE names, or to a default, and takes NAME_FILE out of the environment.
from_file() {
  local name=$1 file_name=${1}_FILE value=${2:-}
  [[ -z ${!name:-} || -z ${!file_name:-} ]] || fail "$name and $file_name are both set; keep one."
  if [[ -n ${!name:-} ]]; then
    value=${!name}
  elif [[ -n ${!file_name:-} ]]; then
    [[ -r ${!file_name} ]] || fail "$file_name is '${!file_name}', which cannot be read."
    value=$(<"${!file_name}")
  fi
  export "$name=$value"
  unset "$file_name"
}

read_environment() {
  from_file POSTGRES_PASSWORD
  from_file POSTGRES_USER postgres
  from_file POSTGRES_DB "$POSTGRES_USER"
  from_file POSTGRES_INITDB_ARGS
  : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

make_folders() {
  mkdir -p "$PGDATA" /var/run/postgresql
  chmod 0700 "$PGDATA" || true
  chmod 2775 /var/run/postgresql || true
  [[ -z ${POSTGRES_INITDB_WALDIR:-} ]] || { mkdir -p "$POSTGRES_INITDB_WALDIR" && chmod 0700 "$POSTGRES_INITDB_WALDIR"; }
  if [[ $(id -u) == 0 ]]; then
    find "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"} \! -user postgres -exec chown postgres {} +
  fi
}

check_password() {
  if [[ -z $POSTGRES_PASSWORD && $POSTGRES_HOST_AUTH_METHOD != trust ]]; then
    fail "the database is new and its superuser has no password. Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to one that is not empty, or POSTGRES_HOST_AUTH_METHOD=trust to let everybody in without."
  fi
  if [[ $POSTGRES_HOST_AUTH_METHOD == trust ]]; then
    printf 'Warning: POSTGRES_HOST_AUTH_METHOD=trust lets everybody who reaches the port in as anybody, without a password.\n' >&2
  fi
}

make_database() {
  local waldir=()
  [[ -z ${POSTGRES_INITDB_WALDIR:-} ]] || waldir=(--waldir "$POSTGRES_INITDB_WALDIR")
  # The arguments are one string, quoted as for a shell. An empty password cannot be given through a file.
  local given=()
  eval "given=($POSTGRES_INITDB_ARGS)"
  if [[ -n $POSTGRES_PASSWORD ]]; then
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") "${waldir[@]}" "${given[@]}"
  else
    initdb --username="$POSTGRES_USER" "${waldir[@]}" "${given[@]}"
  fi
  local method=${POSTGRES_HOST_AUTH_METHOD:-$(postgres -C password_encryption "${@:2}")}
  printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# On the temporary server, over its socket; stops at the first error.
sql() {
  psql --set ON_ERROR_STOP=1 --no-psqlrc --no-password --username "$POSTGRES_USER" --dbname "$POSTGRES_DB" "$@"
}

run_init_scripts() {
  local file
  for file in /docker-entrypoint-initdb.d/*; do
    case $file in
      *.sh)
        printf '%s: running %s\n' "$0" "$file"
        # As a program where it is one, else as part of this script.
        # shellcheck source=/dev/null
        if [[ -x $file ]]; then "$file"; else . "$file"; fi
        ;;
      *.sql) printf '%s: running %s\n' "$0" "$file" && sql --file "$file" ;;
      *.sql.gz) printf '%s: running %s\n' "$0" "$file" && gzip --decompress --stdout "$file" | sql ;;
      */\*) ;;
      *) printf '%s: ignoring %s\n' "$0" "$file" ;;
    esac
  done
}

initialise() {
  check_password
  ls /docker-entrypoint-initdb.d >/dev/null
  make_database "$@"

  export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
  pg_ctl --pgdata="$PGDATA" --wait --options="$(printf '%q ' "${@:2}" -c listen_addresses= -p "${PGPORT:-5432}")" start
  if [[ -z $(sql --dbname postgres --tuples-only --set name="$POSTGRES_DB" <<<"SELECT 1 FROM pg_database WHERE datname = :'name'") ]]; then
    sql --dbname postgres --set name="$POSTGRES_DB" <<<'CREATE DATABASE :"name"'
  fi
  run_init_scripts
  pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
  unset PGPASSWORD
  printf '\nThe database is initialised; starting the server.\n\n'
}

# Options alone mean the server.
[[ ${1:-} != -* ]] || set -- postgres "$@"
[[ ${1:-} == postgres ]] || exec "$@"
for argument in "${@:2}"; do
  case $argument in
    -\? | --help | -V | --version | --describe-config | -C | -C?*) exec "$@" ;;
  esac
done

read_environment
make_folders
if [[ $(id -u) == 0 ]]; then
  # Root has read the secrets' files; the rest is the database's own user's.
  export HOME=/var/lib/postgresql
  exec setpriv --reuid=postgres --regid=postgres --init-groups "$0" "$@"
fi

if [[ -s $PGDATA/PG_VERSION ]]; then
  printf '\nThere is a database in %s; its initialisation is skipped.\n\n' "$PGDATA"
else
  initialise "$@"
fi
unset POSTGRES_PASSWORD
exec "$@"
