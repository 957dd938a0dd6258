#!/usr/bin/env bash
# Measures spc against docker compose 2.40.3, side by side in one run, on three services of the reference stack: db, redis
# and backend. Needs an engine that answers and the images that `make up` makes; what it makes is its own and is removed.
#
#   tools/bench.sh                   on the engine that DOCKER_HOST or the default socket leads to, with the seed's intervals
#   tools/bench.sh --second          the same on Docker 28.5.2, started for this beside the machine's engine (as root)
#   tools/bench.sh --start-interval  there too, with `start_interval: 1s` for both
#     --rounds N                     pairs of cold `up` (5)
#     --spc FILE                     the binary (target/release/spc)
#
# BENCH_SUBNET, BENCH_PORTS (backend, db, redis) move it out of the way of others; POSTGRES_IMAGE, REDIS_IMAGE and
# BACKEND_IMAGE name other images.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly NAME=spc-bench
readonly SUBNET=${BENCH_SUBNET:-172.30.244.0/24}
read -r BACKEND_PORT POSTGRES_PORT REDIS_PORT <<<"${BENCH_PORTS:-28000 25432 26379}"
readonly BACKEND_PORT POSTGRES_PORT REDIS_PORT
# The release that the backend's image is tagged as: the one that others build meanwhile is not ours to lose.
readonly TAG=bench

say() { printf 'bench: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

rounds=5
spc=target/release/spc
second=false
start_interval=false
while (($# > 0)); do
  case $1 in
  --rounds) rounds=${2:?} && shift ;;
  --spc) spc=${2:?} && shift ;;
  --second) second=true ;;
  --start-interval) second=true start_interval=true ;;
  *) die "unknown argument '$1'; there are --second, --start-interval, --rounds and --spc" ;;
  esac
  shift
done
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "--rounds is '$rounds': it must be a number above 0"
[[ -x $spc ]] || die "there is no '$spc'; \`make release\` builds it"
[[ -x /usr/bin/time ]] || die "there is no /usr/bin/time; on Debian, \`apt-get install time\`"
spc=$(realpath "$spc")

# --- What both need -------------------------------------------------------------------------------

work=$PWD/target/bench/work
bin=$(tools/peers.sh fetch)
docker=$bin/docker
export PEERS_NAME=$NAME

# What bears the label of one of the two projects, on the engine measured.
remove_project() {
  local side filter ids
  for side in spc compose; do
    filter=label=com.docker.compose.project=$NAME-$side
    mapfile -t ids < <("$docker" ps --all --quiet --filter "$filter")
    ((${#ids[@]} == 0)) || "$docker" rm --force --volumes "${ids[@]}" >/dev/null
    mapfile -t ids < <("$docker" volume ls --quiet --filter "$filter")
    ((${#ids[@]} == 0)) || "$docker" volume rm "${ids[@]}" >/dev/null
    mapfile -t ids < <("$docker" network ls --quiet --filter "$filter")
    ((${#ids[@]} == 0)) || "$docker" network rm "${ids[@]}" >/dev/null
  done
}

clean() {
  trap '' INT TERM
  remove_project || true
  if $second; then
    unset DOCKER_HOST
    [[ -z $own_host ]] || export DOCKER_HOST=$own_host
    tools/peers.sh stop || true
  fi
  "$docker" image rm "spc-backend:$TAG-development" >/dev/null 2>&1 || true
  rm -rf "$work/examples"
}

# The first of the names that is here.
image() {
  local name
  for name in "$@"; do
    if "$docker" image inspect "$name" >/dev/null 2>&1; then
      printf '%s' "$name"
      return
    fi
  done
  die "there is no image '$1'; \`make up\` makes what is missing"
}

"$docker" version --format '{{.Server.Version}}' >/dev/null || die "no engine answers; \`make machine\` installs and starts one"
POSTGRES_IMAGE=$(image "${POSTGRES_IMAGE:-postgres:15-alpine}" local/postgres:15-alpine)
REDIS_IMAGE=$(image "${REDIS_IMAGE:-redis:7-alpine}" local/redis:7-alpine)
backend_image=$(image "${BACKEND_IMAGE:-spc-backend:dev-development}")
readonly POSTGRES_IMAGE REDIS_IMAGE

# --- The project: the reference stack's own runbooks, and the compose file beside them ------------

own_host=${DOCKER_HOST:-}
trap clean EXIT
trap 'exit 130' INT TERM
rm -rf "$work"
mkdir -p "$work/scripts" "$work/examples/spc" "$work/home"
cp spc.toml "$work"
cp -r examples/spc/backend "$work/examples/spc"
cp scripts/up.rhai scripts/down.rhai tools/bench/empty.rhai "$work/scripts"
cp tools/bench/*.yml "$work/examples/spc"
sed "s|172\.20\.0\.0/16|$SUBNET|" scripts/stack.rhai >"$work/scripts/stack.rhai"
grep -qF "\"$SUBNET\"" "$work/scripts/stack.rhai" || die "scripts/stack.rhai has no subnet 172.20.0.0/16 any more; change it here too"
files=(--compose-file "$work/examples/spc/compose.yml")
if $start_interval; then
  sed -i -f tools/bench/start-interval.sed "$work/scripts/stack.rhai"
  files+=(--compose-file "$work/examples/spc/start-interval.yml")
fi
# Long enough to be in no name: spc masks a secret wherever it prints it.
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
cat >"$work/examples/spc/.env" <<ENV
TAG=$TAG
BUILD_TARGET=development
POSTGRES_IMAGE=$POSTGRES_IMAGE
REDIS_IMAGE=$REDIS_IMAGE
PYTHON_IMAGE=none
POSTGRES_DB=spc_db
POSTGRES_USER=postgres
POSTGRES_PASSWORD=$password
SECRET_KEY=$password-django
DJANGO_SUPERUSER_PASSWORD=$password-admin
BACKEND_PORT=$BACKEND_PORT
POSTGRES_PORT=$POSTGRES_PORT
REDIS_PORT=$REDIS_PORT
SUBNET=$SUBNET
ENV

"$docker" tag "$backend_image" "spc-backend:$TAG-development"
enter=()
if $second; then
  host=$(tools/peers.sh start)
  tools/peers.sh load "$POSTGRES_IMAGE" "$REDIS_IMAGE" "spc-backend:$TAG-development"
  export DOCKER_HOST=$host
  enter=(tools/peers.sh enter)
fi
remove_project

# --- Measuring ------------------------------------------------------------------------------------

intervals="the seed's health intervals"
if $start_interval; then intervals="start_interval 1s"; fi
figures=$PWD/target/bench/figures.json
printf '%s against %s, Docker Engine %s, %s\n' "$("$spc" --version)" "$("$bin/docker-compose" version)" \
  "$("$docker" version --format '{{.Server.Version}} (API {{.Server.APIVersion}})')" "$intervals"

# A short environment, the same for both: no variable of the caller's reaches either.
"${enter[@]}" env --ignore-environment PATH="$PATH" HOME="$work/home" PYTHONDONTWRITEBYTECODE=1 ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} \
  python3 "$PWD/tools/bench/measure.py" --spc "$spc" --compose "$bin/docker-compose" --docker "$docker" --name "$NAME" --work "$work" \
  --directory "$work/examples/spc" "${files[@]}" --port "$BACKEND_PORT" --rounds "$rounds" --figures "$figures"
