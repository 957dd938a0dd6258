#!/usr/bin/env bash
# Prepares a Debian machine for the reference stack: starts Docker Engine and installs the tools for base images. With
# --tests it also installs the programs that `make test` needs.
# Safe to run again, also in parallel: it changes nothing that exists, and reports every change.
set -euo pipefail
exec </dev/null

export DEBIAN_FRONTEND=noninteractive
export PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

readonly SOCKET=/var/run/docker.sock
readonly PID_FILES=(/var/run/docker.pid /var/run/docker/containerd/containerd.pid)
readonly LOG=/var/log/dockerd.log
readonly DEADLINE_SECONDS=60
readonly LOCK=/var/lock/spc-machine.lock

say() { printf 'machine: %s\n' "$*"; }
die() {
  printf 'machine: %s\n' "$*" >&2
  exit 1
}

[[ $EUID -eq 0 ]] || die "must run as root, to install packages and start the engine; try: sudo make machine"
# shellcheck source=/dev/null
. /etc/os-release 2>/dev/null || true
[[ ${ID:-} == debian ]] || die "this is '${PRETTY_NAME:-unknown}', and only Debian is known here; install Docker Engine and mmdebstrap by hand"

FOR_TESTS=false
case ${1:-} in
'') ;;
--tests) FOR_TESTS=true ;;
*) die "unknown argument '$1'; there is only --tests" ;;
esac
readonly FOR_TESTS

# --- Packages -------------------------------------------------------------------------------------

# Without systemd, this script starts dockerd below, and dockerd starts containerd. So dpkg must not start them when it installs the
# packages. Debian's policy-rc.d prevents this. An existing policy-rc.d stays unchanged.
hold_services() {
  [[ -d /run/systemd/system || -e /usr/sbin/policy-rc.d ]] && return
  trap 'rm -f /usr/sbin/policy-rc.d' EXIT
  printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
  chmod 755 /usr/sbin/policy-rc.d
}

release_services() {
  [[ -n $(trap -p EXIT) ]] || return 0
  rm -f /usr/sbin/policy-rc.d
  trap - EXIT
}

# Masks the SSH service of openssh-server. The tests need only the program, and the service would be reachable from outside.
keep_ssh_off() {
  [[ -d /run/systemd/system ]] || return 0
  say "packages: masking ssh.service; to have it, run: systemctl unmask ssh.service ssh.socket"
  systemctl --quiet mask ssh.service ssh.socket
}

apt() {
  apt-get -qq -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@"
}

install_missing() {
  local packages=()
  # Check the command, not the package: an engine from another source works too.
  command -v dockerd >/dev/null || packages+=(docker.io)
  command -v iptables >/dev/null || packages+=(iptables)
  command -v mmdebstrap >/dev/null || packages+=(mmdebstrap)
  command -v curl >/dev/null || packages+=(curl)
  # The tests build their images with it.
  [[ -x /bin/busybox ]] || packages+=(busybox-static)
  [[ -s /etc/ssl/certs/ca-certificates.crt ]] || packages+=(ca-certificates)
  if $FOR_TESTS; then
    # The tests start SSH servers on loopback.
    command -v ssh >/dev/null || packages+=(openssh-client)
    [[ -x /usr/sbin/sshd ]] || packages+=(openssh-server)
    command -v shellcheck >/dev/null || packages+=(shellcheck)
    # The tests open the page of the reference stack in a real browser.
    command -v chromium >/dev/null || packages+=(chromium)
    command -v chromedriver >/dev/null || packages+=(chromium-driver)
    # The tests verify certificates of spc with it.
    command -v openssl >/dev/null || packages+=(openssl)
    # The tests start a private registry on loopback.
    command -v docker-registry >/dev/null || packages+=(docker-registry)
    command -v htpasswd >/dev/null || packages+=(apache2-utils)
    # In Debian, the module for virtual environments has its own package.
    python3 -c 'import ensurepip, venv' 2>/dev/null || packages+=(python3-venv)
    # The engine tests build their images from it. The package `busybox` installs a dynamically linked binary at the same path.
    [[ $(dpkg-query --show --showformat='${db:Status-Status}' busybox-static 2>/dev/null) == installed ]] || packages+=(busybox-static)
  fi
  if ((${#packages[@]} == 0)); then
    say "packages: nothing missing"
    return
  fi

  say "packages: installing ${packages[*]}"
  apt update || die "the package lists could not be fetched; see above"
  hold_services
  [[ " ${packages[*]} " != *" openssh-server "* ]] || keep_ssh_off
  apt install --yes --no-install-recommends "${packages[@]}" >/dev/null || die "installing ${packages[*]} failed; see above"
  release_services
}

# --- Engine ---------------------------------------------------------------------------------------

# Uses the socket directly, because `docker` may be missing in the PATH or have another version.
engine_version() {
  local answer
  answer=$(curl --silent --fail --max-time 5 --unix-socket "$SOCKET" http://localhost/version) || return 1
  [[ $answer =~ \"Version\":\"([^\"]+)\",\"ApiVersion\":\"([^\"]+)\" || $answer =~ \"Version\":\"([^\"]+)\" ]] || return 1
  printf '%s%s' "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]:+ (API ${BASH_REMATCH[2]})}"
}

# Whether `pid` is a running process called `name`; a zombie is not.
is_live() {
  local pid=$1 name=$2 state
  [[ $pid =~ ^[0-9]+$ && -r /proc/$pid/comm && $(<"/proc/$pid/comm") == "$name" ]] || return 1
  state=$(sed -n 's/^State:[[:space:]]*\(.\).*/\1/p' "/proc/$pid/status" 2>/dev/null) || return 1
  [[ -n $state && $state != Z ]]
}

# After SIGKILL, the pid files of dockerd and containerd remain. If a process with such a pid exists (a zombie or a new process),
# dockerd and containerd refuse to start.
remove_stale_files() {
  local file pid name
  for file in "${PID_FILES[@]}"; do
    [[ -e $file ]] || continue
    pid=$(<"$file")
    name=$(basename "$file" .pid)
    [[ $name == docker ]] && name=dockerd
    is_live "$pid" "$name" && continue
    say "engine: removing $file, no $name runs as $pid"
    rm -f "$file"
  done
  # If this socket exists, dockerd assumes that a containerd serves it.
  if [[ -S /run/containerd/containerd.sock ]] && ! pgrep -x containerd >/dev/null; then
    say "engine: removing /run/containerd/containerd.sock, no containerd runs"
    rm -f /run/containerd/containerd.sock
  fi
}

engine_failed() {
  printf 'machine: %s\n' "$1" >&2
  if [[ -d /run/systemd/system ]]; then
    journalctl --no-pager --unit docker --lines 20 >&2 || true
  elif [[ -s $LOG ]]; then
    printf 'machine: the end of %s:\n' "$LOG" >&2
    tail -n 20 "$LOG" >&2
  fi
  exit 1
}

# A new session without inherited open files, so that dockerd survives the end of this script and its caller.
run_dockerd() {
  local fd
  for fd in /proc/self/fd/*; do
    fd=${fd##*/}
    ((fd <= 2)) || eval "exec $fd>&-"
  done
  cd /
  exec setsid nohup dockerd --host "unix://$SOCKET" >>"$LOG" 2>&1
}

start_engine() {
  local version pid=''
  if [[ -n ${DOCKER_HOST:-} && $DOCKER_HOST != "unix://$SOCKET" && $DOCKER_HOST != unix:///run/docker.sock ]]; then
    say "engine: DOCKER_HOST is '$DOCKER_HOST'; that engine is not this script's to start (unset it to use unix://$SOCKET)"
    return
  fi
  if version=$(engine_version); then
    say "engine: $version answers at unix://$SOCKET"
    return
  fi

  if [[ -d /run/systemd/system ]]; then
    say "engine: none answers, starting docker.service"
    systemctl start docker || engine_failed "docker.service did not start"
  else
    remove_stale_files
    if [[ -e ${PID_FILES[0]} ]]; then
      say "engine: dockerd runs as $(<"${PID_FILES[0]}"), waiting for it"
    else
      say "engine: none answers, starting dockerd by hand (log: $LOG)"
      run_dockerd &
      pid=$!
      disown
    fi
  fi

  local end=$((SECONDS + DEADLINE_SECONDS))
  until version=$(engine_version); do
    if [[ -n $pid ]] && ! kill -0 "$pid" 2>/dev/null; then
      engine_failed "dockerd ended before it answered"
    fi
    ((SECONDS < end)) || engine_failed "no engine answered at unix://$SOCKET within $DEADLINE_SECONDS s"
    sleep 0.1
  done
  say "engine: $version answers at unix://$SOCKET"
}

exec 9>"$LOCK"
flock --nonblock 9 || {
  say "another one is at work, waiting for it"
  flock --timeout 600 9 || die "it did not finish within 10 minutes"
}
install_missing
start_engine
