#!/usr/bin/env bash
# Records stacks that a version of spc has brought up. With the recording, tests/upgrade checks that later versions don't change them.
# It contains the engine's responses, the descriptions and spc's records, for the reference stack in development and in production and
# for tools/upgrade/features.
#
#   tools/record_upgrade_fixture.sh SPC [CHECKOUT] [FOLDER]
#
# SPC is the binary of that version. CHECKOUT contains its sources with the reference stack (this checkout). FOLDER is the target of
# the recording (tests/fixtures/upgrade-<version>). It needs Docker Engine on its default socket, jq, curl, a static /bin/busybox, the base images
# of `make up`, the free ports of .env.example, and write access to /srv. The compared bind mounts have absolute paths,
# so it brings everything up in /srv/spc-upgrade, and the tests replay it there. At the end it removes everything.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

SPC=$(realpath "$1")
VERSION=$("$SPC" --version | cut -d ' ' -f 2)
CHECKOUT=$(realpath "${2:-.}")
OUT=$(realpath -m "${3:-tests/fixtures/upgrade-$VERSION}")
readonly SPC VERSION CHECKOUT OUT ROOT=/srv/spc-upgrade IMAGE=local/upgrade-features:1

say() { printf 'record: %s\n' "$*" >&2; }
engine() { curl --silent --show-error --fail --unix-socket /var/run/docker.sock "http://localhost$1"; }

# Records all lists that a run requests, and the inspections of containers and images that a plan requests.
record() { # NAME PROJECT
  local name=$1 project=$2 list containers images
  list=$(engine "/containers/json?all=true&filters=%7B%22label%22%3A%5B%22com.docker.compose.project=$project%22%5D%7D")
  containers=$(jq -r '.[].Id' <<<"$list" | while read -r id; do engine "/containers/$id/json"; done | jq -s '[.[] | {
    Id, Created, Image, Name, RestartCount, Path, Args, Mounts, Config, State: (.State | del(.Health.Log)), NetworkSettings: {Networks: .NetworkSettings.Networks},
    HostConfig: (.HostConfig | with_entries(select(.value != null and .value != 0 and .value != "" and .value != false and .value != [])))}]')
  images=$(jq -r '.[].ImageID' <<<"$list" | sort -u | while read -r id; do engine "/images/$id/json"; done | jq -s '[.[] | {Id, RepoTags, RepoDigests, Created, Config}]')
  jq -n --arg spc "$VERSION" --arg project "$project" --arg at "$(date --utc +%FT%TZ)" --argjson engine "$(engine /version)" \
    --argjson containers "$list" --argjson inspects "$containers" --argjson images "$(engine /images/json)" --argjson used "$images" \
    --argjson networks "$(engine /networks)" --argjson volumes "$(engine /volumes)" '
    ($containers | map(.Mounts[].Name) | map(select(.))) as $mounted
    | ($used | map(.Id)) as $ids
    | {spc: $spc, project: $project, at: $at, api: $engine.ApiVersion, engine: $engine.Version,
       containers: $containers, container_inspects: $inspects,
       images: [$images[] | select(.Id | IN($ids[]))], image_inspects: $used,
       networks: [$networks[] | select(.Labels["com.docker.compose.project"] == $project or (.Name | IN("bridge", "host", "none")))],
       volumes: [$volumes.Volumes[] | select(.Labels["com.docker.compose.project"]? == $project or (.Name | IN($mounted[])))]}' \
    >"$OUT/$name.json"
}

# Copies the records that a run reads, without the journals of earlier runs.
keep_records() { # NAME PROJECT DIRECTORY
  mkdir -p "$OUT/$1-records/$2"
  cp "$3/.spc/$2/state.json" "$OUT/$1-records/$2/"
  cp "$3/.spc/$2/key.json" "$OUT/$1-records/$2/" 2>/dev/null || true
  cp "$3/.spc/options.json" "$OUT/$1-records/" 2>/dev/null || true
}

clean_up() {
  [[ ! -d $ROOT/reference ]] || (cd $ROOT/reference && "$SPC" --yes run scripts/down.rhai --volumes) || true
  [[ ! -d $ROOT/features ]] || (cd $ROOT/features && "$SPC" --yes run scripts/down.rhai) || true
  docker image rm --force features-web:1 $IMAGE >/dev/null 2>&1 || true
  rm -rf $ROOT
}

[[ ! -e $ROOT ]] || { say "$ROOT is there already: remove it"; exit 1; }
trap clean_up EXIT
rm -rf "$OUT"
mkdir -p "$OUT" $ROOT/reference
cp -r "$CHECKOUT/spc.toml" "$CHECKOUT/scripts" $ROOT/reference/
mkdir $ROOT/reference/examples
cp -r "$CHECKOUT/examples/spc" $ROOT/reference/examples/
rm -rf $ROOT/reference/examples/spc/{.env,.spc,certificates}
cp -r tools/upgrade/features $ROOT/

say "the reference stack, development"
cd $ROOT/reference
"$SPC" --quiet run scripts/prepare.rhai
# Test values, so that the recording contains no real secrets.
sed -i -E 's/^(POSTGRES_PASSWORD|SECRET_KEY|DJANGO_SUPERUSER_PASSWORD)=.*/\1=\1-of-the-fixture/' examples/spc/.env
"$SPC" --quiet run scripts/base_images.rhai
"$SPC" --quiet run scripts/up.rhai --build
record development spc
keep_records development spc examples/spc
"$SPC" --quiet --yes run scripts/down.rhai --volumes

say "the reference stack, production"
"$SPC" --quiet run scripts/production.rhai
record production spc
keep_records production spc examples/spc

say "features"
cd $ROOT/features
mkdir -p $ROOT/root/bin $ROOT/root/tmp
cp /bin/busybox $ROOT/root/bin/busybox
for program in sh sleep true test echo cat; do ln -s busybox "$ROOT/root/bin/$program"; done
tar -C $ROOT/root -c . | docker import --change 'ENV PATH=/bin' --change 'LABEL org.example.base=1' - $IMAGE >/dev/null
"$SPC" --quiet run scripts/up.rhai
record features features
keep_records features features .

say "the descriptions"
mkdir -p "$OUT/reference/scripts" "$OUT/reference/examples/spc"
cp $ROOT/reference/scripts/stack.rhai "$OUT/reference/scripts/"
cp $ROOT/reference/spc.toml "$OUT/reference/"
grep -vE '^(#|$)' $ROOT/reference/examples/spc/.env >"$OUT/reference/examples/spc/env"
cat >"$OUT/reference/scripts/up.rhai" <<'RUNBOOK'
import "stack" as app;
let o = args(app::options());
let done = app::describe(o).up();
print(`${done.changes} changes`);
RUNBOOK
cat >"$OUT/reference/scripts/down.rhai" <<'RUNBOOK'
import "stack" as app;
let o = args(app::options());
app::describe(o).down(#{ volumes: true });
RUNBOOK
cp -r $ROOT/features "$OUT/features"
rm -rf "$OUT/features/.spc"
say "recorded $OUT"
