#!/usr/bin/env bash
# Builds replacements for official base images from Debian packages. Builds each image that examples/spc/.env names below local/ and
# that the engine doesn't have; with --again also those that it has. Needs mmdebstrap, which `make machine` installs.
#
# This is not a runbook: mmdebstrap runs as root, so a script that may call it could do anything on this machine.
set -euo pipefail
exec </dev/null

# spc builds the images, so they are on the engine that spc uses.
SPC=$(realpath --canonicalize-missing "${SPC:-"$(dirname "${BASH_SOURCE[0]}")/../target/release/spc"}")
readonly SPC
cd "$(dirname "${BASH_SOURCE[0]}")/../examples/spc"

readonly CACHE=base/debian/.cache
readonly ROOTFS=$CACHE/rootfs.tar

say() { printf 'base images: %s\n' "$*"; }
die() {
  printf 'base images: %s\n' "$*" >&2
  exit 1
}

AGAIN=false
case ${1:-} in
'') ;;
--again) AGAIN=true ;;
*) die "unknown argument '$1'; there is only --again" ;;
esac
readonly AGAIN
[[ -x $SPC ]] || die "there is no '$SPC'; build it with \`cargo build --release\`, or name another one in SPC"

# Prints one line for each image to make: its name, its build context, and the suite of its Debian. Debian itself comes first.
wanted() {
  # shellcheck disable=SC2016  # the code's own variables
  "$SPC" run -e '
    let o = args(#{ again: arg::flag("Also what is there") });
    // nginx comes from unstable: that of bookworm cannot look names up again while it runs.
    let images = [
        [env("PYTHON_IMAGE", ""), "base/python", "bookworm"],
        [env("NODE_IMAGE", ""), "base/node", "bookworm"],
        [env("REDIS_IMAGE", ""), "base/redis", "bookworm"],
        [env("POSTGRES_IMAGE", ""), "base/postgres", "bookworm"],
        [env("NGINX_IMAGE", ""), "base/nginx", "sid"],
    ].filter(|it| it[0].starts_with("local/") && (o.again || !image(it[0]).exists()));
    for suite in ["bookworm", "sid"].filter(|suite| images.some(|it| it[2] == suite)) {
        let debian = `local/debian:${suite}`;
        if o.again || !image(debian).exists() { print(`${debian} base/debian ${suite}`); }
    }
    for it in images { print(it.join(" ")); }
  ' "$@"
}

build() {
  # shellcheck disable=SC2016  # the code's own variables
  "$SPC" run -e '
    let o = args(#{ image: arg::text("", "Image"), context: arg::text("", "Folder of its Dockerfile") });
    image(o.image).build(#{ context: o.context });
  ' --image "$1" --context "$2"
}

# The machine's apt settings for downloads: proxies, verification, retries.
apt_settings() {
  apt-config dump | awk '/^Acquire::(http|https|Check|Retries|Force)/ && /"/ && !/""/'
}

# Prints the files with this machine's package sources, one per line. For another suite, prints copies that contain only that suite.
sources() {
  local suite=$1 file copy
  for file in /etc/apt/sources.list /etc/apt/sources.list.d/debian.sources; do
    grep --quiet --no-messages --extended-regexp '^(deb |URIs:)' "$file" || continue
    if [[ $suite == bookworm ]]; then
      printf '%s\n' "$file"
      continue
    fi
    copy=$CACHE/$suite-$(basename "$file")
    # Files with only bookworm's updates and security fixes are skipped.
    awk -v suite="$suite" '
      /^Suites:/ { if (($0 " ") ~ / bookworm /) print "Suites: " suite; else { print; print "Enabled: no" }; next }
      /^deb / { if (gsub(/ bookworm /, " " suite " ") == 1) print; next }
      { print }
    ' "$file" >"$copy"
    printf '%s\n' "$copy"
  done
}

# Creates the root file system of a minimal Debian with this machine's package sources and certificate authorities.
make_rootfs() {
  local suite=$1 files
  mkdir -p "$CACHE"
  apt_settings >"$CACHE/apt.conf"
  mapfile -t files < <(sources "$suite")
  say "making a minimal Debian $suite (about 20 s)"
  # shellcheck disable=SC2016  # "$1" is the hook's own
  mmdebstrap --quiet --variant=minbase --hook-dir=/usr/share/mmdebstrap/hooks/merged-usr --include=ca-certificates,tzdata \
    --aptopt="$CACHE/apt.conf" --dpkgopt=base/debian/dpkg.conf \
    --customize-hook='rm -f "$1"/var/cache/apt/*.bin' \
    --customize-hook='upload base/debian/apt.conf /etc/apt/apt.conf.d/image' \
    --customize-hook='copy-in /usr/local/share/ca-certificates /usr/local/share' \
    --customize-hook='chroot "$1" update-ca-certificates >/dev/null 2>&1' \
    --customize-hook='upload /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt' \
    "$suite" "$ROOTFS" "${files[@]}" || die "making a Debian $suite failed; see above. \`make machine\` installs what this needs"
}

# Leftovers of a killed run.
rm -f "$ROOTFS"
trap 'rm -f "$ROOTFS"' EXIT

options=()
! $AGAIN || options+=(--again)
list=$(wanted "${options[@]}")
if [[ -z $list ]]; then
  say "nothing to make"
  exit
fi
made=()
while read -r image context suite; do
  [[ $context != base/debian ]] || make_rootfs "$suite"
  build "$image" "$context"
  rm -f "$ROOTFS"
  made+=("$image")
done <<<"$list"
say "made ${made[*]}"
