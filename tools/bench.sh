#!/usr/bin/env bash
# Compares spc with docker compose 2.40.3 on the reference stack, side by side in one run. Needs a running engine and the images of
# `make up`. Removes all objects that it creates.
#
#   tools/bench.sh                   three services, db, redis and backend in development, as in scripts/stack.rhai,
#                                    on the engine of DOCKER_HOST or of the default socket
#   tools/bench.sh --stack           all nine in production, as in examples/spc/docker-compose.yml, and the same process
#                                    starts by hand as a third; draws the critical path of spc's median run (as root)
#     --without-compose              only spc and by hand, in a fifth of the time; draws every run of spc
#     --second                       on Docker 28.5.2, started for this beside the machine's engine (as root)
#     --start-interval               also there, with `start_interval: 1s` for all in addition to the seed's intervals
#     --rounds N                     rounds of a cold `up` of each (5)
#     --spc FILE                     the binary (target/release/spc)
#   tools/bench.sh --sim             the cost of simulations: an `up` of the reference stack, its crash sweep, `spc check` of 1,000 lines,
#                                    plans of stacks of up to 3,000 services. No engine, no image, no docker compose
#
# `start_interval: 1s` is written into a copy of the stack's description, the same for all: tools/bench/*-start-interval.sed. The
# engine uses it only within a `start_period`, so checks without one get 40s. All values are written to target/bench/*.json.
#
# BENCH_SUBNET and BENCH_PORTS (backend, db, redis, flower, frontend, nginx's two) avoid conflicts with others; POSTGRES_IMAGE,
# REDIS_IMAGE, NGINX_IMAGE, BACKEND_IMAGE and FRONTEND_IMAGE name other images.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly NAME=spc-bench
readonly SUBNET=${BENCH_SUBNET:-172.30.244.0/24}
read -r BACKEND_PORT POSTGRES_PORT REDIS_PORT FLOWER_PORT FRONTEND_PORT HTTP_PORT HTTPS_PORT \
  <<<"${BENCH_PORTS:-28000 25432 26379 25555 25173 28080 28443}"
readonly BACKEND_PORT POSTGRES_PORT REDIS_PORT FLOWER_PORT FRONTEND_PORT HTTP_PORT HTTPS_PORT
# The tag of this script's images, so that it doesn't remove images that others build at the same time.
readonly TAG=bench

say() { printf 'bench: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

if [[ ${1:-} == --sim ]]; then
  exec cargo bench --locked --bench sim -- "${@:2}"
fi

rounds=5
spc=target/release/spc
what=services
second=false
start_interval=false
without_compose=false
while (($# > 0)); do
  case $1 in
  --rounds) rounds=${2:?} && shift ;;
  --spc) spc=${2:?} && shift ;;
  --stack) what=stack ;;
  --without-compose) without_compose=true ;;
  --second) second=true ;;
  --start-interval) second=true start_interval=true ;;
  *) die "unknown argument '$1'; there are --sim, --stack, --without-compose, --second, --start-interval, --rounds and --spc" ;;
  esac
  shift
done
[[ $rounds =~ ^[1-9][0-9]*$ ]] || die "--rounds is '$rounds': it must be a number above 0"
[[ -x $spc ]] || die "there is no '$spc'; \`make release\` builds it"
[[ -x /usr/bin/time ]] || die "there is no /usr/bin/time; on Debian, \`apt-get install time\`"
[[ $what == services || $EUID -eq 0 ]] || die "--stack must run as root: by hand, it looks into containers as their processes do"
spc=$(realpath "$spc")

# --- What both need -------------------------------------------------------------------------------

work=$PWD/target/bench/work
bin=$(tools/peers.sh fetch)
docker=$bin/docker
export PEERS_NAME=$NAME

# The objects with the label of one of the projects, on the measured engine.
remove_project() {
  local side filter ids
  for side in spc compose hand; do
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
  "$docker" image rm "${tagged[@]}" >/dev/null 2>&1 || true
  rm -rf "$work/examples"
}

# The first of the images that exists here.
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

# Tags an image with the tag of this measurement.
tag() {
  "$docker" tag "$1" "$2"
  tagged+=("$2")
}

"$docker" version --format '{{.Server.Version}}' >/dev/null || die "no engine answers; \`make machine\` installs and starts one"
own_host=${DOCKER_HOST:-}
tagged=()
trap clean EXIT
trap 'exit 130' INT TERM

# --- The project ----------------------------------------------------------------------------------

# The secrets are long, because spc masks them in its output. A short secret could be a part of a name.
password=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')

# Writes the .env that both tools read in every measurement, with additional lines.
write_env() {
  cat >"$work/examples/spc/.env" <<ENV
TAG=$TAG
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
$1
ENV
}

# Replaces the stack's subnet in a file.
move_subnet() {
  sed -i "s|172\.20\.0\.0/16|$SUBNET|" "$1"
  grep -qF "$SUBNET" "$1" || die "$1 has no subnet 172.20.0.0/16 any more; change it here too"
}

# The examples and the compose file, changed to avoid conflicts with others. Prints the path of the file.
copy_examples() {
  local file=$work/examples/spc/docker-compose.yml
  git ls-files -z examples/spc | xargs -0 cp --parents -t "$work"
  move_subnet "$file"
  if $start_interval; then
    sed -Ei -f tools/bench/compose-start-interval.sed "$file"
    (($(grep -c start_interval "$file") == 7)) ||
      die "start_interval is not in all seven health checks of docker-compose.yml; change compose-start-interval.sed too"
  fi
  printf '%s' "$file"
}

# Three services: spc uses the runbooks, compose uses the compose file with the same content.
prepare_services() {
  local backend file
  backend=$(image "${BACKEND_IMAGE:-spc-backend:dev-development}")
  tag "$backend" "spc-backend:$TAG-development"
  images=("$POSTGRES_IMAGE" "$REDIS_IMAGE" "${tagged[@]}")
  file=$(copy_examples)
  cp scripts/{stack,up,down,tls}.rhai tools/bench/empty.rhai "$work/scripts"
  move_subnet "$work/scripts/stack.rhai"
  if $start_interval; then
    sed -Ei -f tools/bench/runbook-start-interval.sed "$work/scripts/stack.rhai"
  fi
  write_env BUILD_TARGET=development
  measure=(services.py --compose-file "$file" --port "$BACKEND_PORT")
}

# All nine services: both use the same compose file.
prepare_stack() {
  local nginx backend frontend file
  [[ -n $HTTPS_PORT ]] || die "BENCH_PORTS is '$BENCH_PORTS': --stack takes seven ports"
  nginx=$(image "${NGINX_IMAGE:-nginx:alpine}" local/nginx:alpine)
  backend=$(image "${BACKEND_IMAGE:-spc-backend:dev-production}")
  frontend=$(image "${FRONTEND_IMAGE:-spc-frontend:dev-production}")
  tag "$backend" "spc-backend:$TAG-production"
  tag "$frontend" "spc-frontend:$TAG-production"
  images=("$POSTGRES_IMAGE" "$REDIS_IMAGE" "$nginx" "${tagged[@]}")
  file=$(copy_examples)
  cp scripts/{certificate,tls}.rhai tools/bench/stack_*.rhai "$work/scripts"
  write_env "BUILD_TARGET=production
COMPOSE_PROFILES=production
DEBUG=False
CODE_MOUNT=/mnt/code
NGINX_IMAGE=$nginx
NODE_IMAGE=none
FLOWER_PORT=$FLOWER_PORT
FRONTEND_PORT=$FRONTEND_PORT
NGINX_HTTP_PORT=$HTTP_PORT
NGINX_HTTPS_PORT=$HTTPS_PORT"
  (cd "$work" && env --ignore-environment PATH="$PATH" HOME="$work/home" "$spc" run scripts/certificate.rhai >&2)
  measure=(stack.py --compose-file "$file" --port "$HTTP_PORT")
  $start_interval || measure+=(--seed-intervals)
  ! $without_compose || measure+=(--without-compose)
}

rm -rf "$work"
mkdir -p "$work/scripts" "$work/examples/spc" "$work/home"
cp spc.toml "$work"
POSTGRES_IMAGE=$(image "${POSTGRES_IMAGE:-postgres:15-alpine}" local/postgres:15-alpine)
REDIS_IMAGE=$(image "${REDIS_IMAGE:-redis:7-alpine}" local/redis:7-alpine)
readonly POSTGRES_IMAGE REDIS_IMAGE
"prepare_$what"
enter=()
if $second; then
  host=$(tools/peers.sh start)
  tools/peers.sh load "${images[@]}"
  export DOCKER_HOST=$host
  enter=(tools/peers.sh enter)
fi
remove_project

# --- Measuring ------------------------------------------------------------------------------------

intervals="the seed's health intervals"
variant=$what
if $second; then variant+=-second; fi
if $start_interval; then
  intervals="start_interval 1s"
  variant+=-start-interval
fi
figures=$PWD/target/bench/$variant.json
printf '%s against %s, Docker Engine %s, %s\n' "$("$spc" --version)" "$("$bin/docker-compose" version)" \
  "$("$docker" version --format '{{.Server.Version}} (API {{.Server.APIVersion}})')" "$intervals"

# The same minimal environment for all tools, without the caller's variables.
"${enter[@]}" env --ignore-environment PATH="$PATH" HOME="$work/home" PYTHONDONTWRITEBYTECODE=1 ${DOCKER_HOST:+DOCKER_HOST="$DOCKER_HOST"} \
  python3 "$PWD/tools/bench/${measure[0]}" --spc "$spc" --compose "$bin/docker-compose" --docker "$docker" --name "$NAME" --work "$work" \
  --directory "$work/examples/spc" "${measure[@]:1}" --rounds "$rounds" --figures "$figures"
