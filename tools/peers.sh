#!/usr/bin/env bash
# Provides docker compose 2.40.3 and a second Docker Engine 28.5.2 for measurements and tests of spc.
#
#   tools/peers.sh fetch         unpack them once from Debian's packages; print the folder of their programs
#   tools/peers.sh start         start the second engine (as root); print its DOCKER_HOST
#   tools/peers.sh load IMAGE…   copy images to it from the engine of DOCKER_HOST or of the default socket
#   tools/peers.sh enter CMD…    run a command in its network: its published ports are only on the loopback there
#   tools/peers.sh stop          stop it and remove everything that it created; the fetched packages stay
#
# PEERS_NAME (spc-peers) names the second engine, so that several can run; PEERS_FOLDER (target/tools/peers) is the folder for
# packages. Safe to run again. It installs nothing and does not touch the machine's engine, apt and dpkg.
set -euo pipefail
exec </dev/null

export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
umask 022

readonly SUITE=sid
# The package to check, and the version that the measurements refer to.
readonly WANTED=(docker-compose=2.40.3 docker.io=28.5.2)
# The suite's runc may need a newer libc than the machine has, so containers use the machine's runc.
readonly PACKAGES=(docker-compose docker.io docker-cli containerd tini-static)
readonly DEADLINE_SECONDS=60

HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
readonly HERE
readonly ENGINE=${PEERS_NAME:-spc-peers}
readonly FOLDER=${PEERS_FOLDER:-$HERE/target/tools/peers}
readonly BIN=$FOLDER/bin
# Paths of sockets have a length limit, so these are short.
readonly RUN=/run/$ENGINE
readonly DATA=/var/lib/$ENGINE
readonly NETWORK=/run/netns/$ENGINE
readonly HOST=unix://$RUN/docker.sock

say() { printf 'peers: %s\n' "$*" >&2; }
die() {
  say "$*"
  exit 1
}

[[ $ENGINE =~ ^[a-z][a-z0-9-]{0,30}$ && $ENGINE != docker && $ENGINE != containerd ]] ||
  die "PEERS_NAME is '$ENGINE': it must be lower-case letters, digits and dashes, and not an engine's own"

# --- Packages -------------------------------------------------------------------------------------

# Writes the machine's package sources with another suite to `parts/`, in their original format.
write_sources() {
  local parts=$1 codename=$2 file
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [[ -r $file ]] || continue
    sed -nE "s/^(deb +(\[[^]]*\] +)?[^ ]+ +)$codename +/\1$SUITE /p" "$file" >>"$parts/peers.list"
  done
  for file in /etc/apt/sources.list.d/*.sources; do
    [[ -r $file ]] || continue
    awk -v RS= -v ORS='\n\n' -v codename="$codename" -v suite="$SUITE" '
      match($0, /(^|\n)Suites:[^\n]*/) {
        suites = substr($0, RSTART, RLENGTH)
        if ((suites " ") !~ ("[ \t]" codename "[ \t]")) next
        if ($0 ~ /(^|\n)Enabled:[ \t]*no/) next
        print substr($0, 1, RSTART - 1) "\nSuites: " suite substr($0, RSTART + RLENGTH)
      }' "$file" >>"$parts/peers.sources"
  done
  [[ -s $parts/peers.list || -s $parts/peers.sources ]]
}

# apt writes only below `$1`: its lists and cache there, not those of the machine.
write_apt_conf() {
  cat <<APT
Dir::Etc::sourcelist "$1/none";
Dir::Etc::sourceparts "$1/parts";
Dir::State::lists "$1/lists";
Dir::Cache "$1/cache";
Acquire::Languages "none";
Acquire::Check-Valid-Until "false";
APT::Sandbox::User "$(id -un)";
APT
}

check_version() {
  local package=${1%=*} wanted=${1#*=} found
  found=$(apt-cache show --no-all-versions "$package" | sed -n 's/^Version: *\([0-9]*:\)\?//p' | head -n 1)
  [[ $found == "$wanted"[-+~]* ]] ||
    say "WARNING: Debian $SUITE has $package ${found:-in no version} by now, not $wanted: other figures are not comparable"
}

fetch() {
  [[ -e $FOLDER/fetched ]] && return
  local program
  for program in apt-get dpkg-deb; do
    command -v "$program" >/dev/null || die "no '$program' here: docker compose and the engine come from Debian's packages"
  done
  local codename
  # In a subshell, because the file sets variables that this script uses.
  # shellcheck source=/dev/null
  codename=$(. /etc/os-release && printf '%s' "${VERSION_CODENAME:-none}")
  say "fetching ${PACKAGES[*]} from Debian $SUITE into $FOLDER"
  rm -rf "$FOLDER"
  mkdir -p "$FOLDER"/apt/{parts,lists/partial,cache/archives/partial,packages} "$FOLDER/root" "$BIN"
  write_sources "$FOLDER/apt/parts" "$codename" || die "apt has no source for the release '$codename' to change the suite of"
  write_apt_conf "$FOLDER/apt" >"$FOLDER/apt/apt.conf"
  export APT_CONFIG=$FOLDER/apt/apt.conf
  apt-get -qq update || die "the package lists of Debian $SUITE could not be fetched; see above"
  local wanted package
  for wanted in "${WANTED[@]}"; do check_version "$wanted"; done
  (cd "$FOLDER/apt/packages" && apt-get -qq download "${PACKAGES[@]/%//$SUITE}") || die "the packages could not be fetched; see above"
  for package in "$FOLDER"/apt/packages/*.deb; do dpkg-deb -x "$package" "$FOLDER/root"; done
  link_programs
  unset APT_CONFIG
  rm -rf "$FOLDER/apt" "$FOLDER/root/usr/share"
  touch "$FOLDER/fetched"
}

# Collects the programs of all packages in one folder for the PATH.
link_programs() {
  local program path
  for program in docker docker-compose dockerd docker-proxy containerd containerd-shim-runc-v2 tini-static; do
    path=$(find "$FOLDER/root/usr" -type f -name "$program" -perm -u+x -print -quit)
    [[ -n $path ]] || die "Debian's packages have no '$program' any more"
    ln -sr "$path" "$BIN/$program"
  done
  ln -s tini-static "$BIN/docker-init"
}

# --- The second engine ----------------------------------------------------------------------------

answers() { curl --silent --fail --max-time 5 --output /dev/null --unix-socket "$RUN/docker.sock" http://localhost/_ping; }

# Prints the pid in `$RUN/$1.pid` if that process is still the `$2` that this script started. Process ids are reused.
recorded() {
  local pid
  pid=$(cat "$RUN/$1.pid" 2>/dev/null) && [[ $pid =~ ^[0-9]+$ && $(cat "/proc/$pid/comm" 2>/dev/null) == "$2" ]] || return 1
  tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- "$RUN/" || return 1
  printf '%s' "$pid"
}

wait_for() {
  local what=$1 end=$((SECONDS + DEADLINE_SECONDS))
  shift
  until "$@"; do
    if ((SECONDS >= end)); then
      tail -n 20 "$RUN"/*.log >&2 || true
      die "$what not within $DEADLINE_SECONDS s"
    fi
    sleep 0.1
  done
}

# Runs a command in a new session without inherited open files, in the second engine's network. `ip netns exec` would hide the cgroup mounts.
launch() {
  local program=$1
  shift
  (
    cd /
    PATH=$BIN:$PATH
    unset DOCKER_HOST
    exec setsid nohup nsenter "--net=$NETWORK" "$program" "$@" >>"$RUN/$program.log" 2>&1
  ) &
  printf '%s' $! >"$RUN/$program.started.pid"
  disown
}

start() {
  [[ $EUID -eq 0 ]] || die "must run as root to start an engine"
  if answers; then
    say "the engine $ENGINE answers already"
  else
    fetch
    stop
    mkdir -p "$RUN" "$DATA"
    ip netns add "$ENGINE"
    nsenter "--net=$NETWORK" ip link set lo up
    # A separate containerd: otherwise dockerd would use the machine's containerd and its containers.
    printf 'version = 2\nroot = "%s"\nstate = "%s"\n[grpc]\n  address = "%s"\n' \
      "$DATA/containerd" "$RUN/containerd" "$RUN/containerd.sock" >"$RUN/containerd.toml"
    launch containerd --config "$RUN/containerd.toml" --log-level warn
    wait_for 'containerd answered' test -S "$RUN/containerd.sock"
    # A separate settings file, so that dockerd doesn't read the machine's /etc/docker.
    printf '{}\n' >"$RUN/daemon.json"
    launch dockerd --config-file "$RUN/daemon.json" --host "$HOST" --containerd "$RUN/containerd.sock" \
      --data-root "$DATA/docker" --exec-root "$RUN/docker" --pidfile "$RUN/docker.pid" --cgroup-parent "/$ENGINE" \
      --init-path "$BIN/docker-init" --userland-proxy-path "$BIN/docker-proxy" --log-level warn
    wait_for 'the engine answered' answers
    say "the engine $ENGINE is up: $(curl --silent --unix-socket "$RUN/docker.sock" http://localhost/version | grep -oE '"(Version|ApiVersion)":"[^"]+"' | sed -n '1,2s/.*:"\(.*\)"/\1/p' | paste -sd " ")"
  fi
  printf '%s\n' "$HOST"
}

load() {
  answers || die "the engine $ENGINE does not run; start it with \`tools/peers.sh start\`"
  local image id
  for image in "$@"; do
    id=$("$BIN/docker" image inspect --format '{{.Id}}' "$image") || die "there is no image '$image' to carry over"
    [[ $("$BIN/docker" --host "$HOST" image inspect --format '{{.Id}}' "$image" 2>/dev/null) == "$id" ]] && continue
    say "carrying $image over"
    "$BIN/docker" save "$image" | "$BIN/docker" --host "$HOST" load --quiet >&2
  done
}

ended() { ! recorded "$@" >/dev/null; }

# Sends SIGTERM, and SIGKILL if the process does not end within the deadline.
end_process() {
  local file=$1 program=$2 pid end=$((SECONDS + 20))
  pid=$(recorded "$file" "$program") || return 0
  kill -TERM "$pid"
  until ended "$file" "$program"; do
    if ((SECONDS >= end)); then
      kill -KILL "$pid" 2>/dev/null || true
      break
    fi
    sleep 0.1
  done
}

# Kills the containerd shims, which survive containerd. There are none if all containers were removed.
end_shims() {
  local pid
  for pid in $(pgrep -x containerd-shim || true); do
    tr '\0' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF -- "-address $RUN/containerd.sock" || continue
    kill -KILL "$pid" 2>/dev/null || true
  done
}

remove_mounts() {
  local mount
  # In reverse order, because a mount may be inside an earlier one.
  while read -r mount; do
    umount -l "$mount" || true
  done < <(awk -v run="$RUN/" -v data="$DATA/" 'index($5, run) == 1 || index($5, data) == 1 { print $5 }' /proc/self/mountinfo | tac)
}

stop() {
  local containers
  if answers && [[ -x $BIN/docker ]]; then
    mapfile -t containers < <("$BIN/docker" --host "$HOST" ps --all --quiet --no-trunc)
    ((${#containers[@]} == 0)) || "$BIN/docker" --host "$HOST" rm --force --volumes "${containers[@]}" >/dev/null || true
  fi
  end_process dockerd.started dockerd
  end_shims
  end_process containerd.started containerd
  remove_mounts
  [[ ! -e $NETWORK ]] || ip netns delete "$ENGINE"
  rm -rf "$RUN" "$DATA"
  find /sys/fs/cgroup -mindepth 1 -maxdepth 2 -type d -name "$ENGINE" 2>/dev/null | while read -r group; do
    find "$group" -depth -type d -exec rmdir {} + || true
  done
}

case ${1:-} in
fetch)
  fetch
  printf '%s\n' "$BIN"
  ;;
start) start ;;
load) load "${@:2}" ;;
enter) exec nsenter "--net=$NETWORK" "${@:2}" ;;
stop)
  [[ $EUID -eq 0 ]] || die "must run as root to stop an engine"
  stop
  ;;
*) die "unknown command '${1:-}'; there are fetch, start, load, enter and stop" ;;
esac
