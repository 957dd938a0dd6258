#!/bin/sh
# Keeps the files under /assets/ for browsers that still show the page of an earlier release. Copies the files of this image into the
# volume of kept files, and removes files that no container had in its image for more than ASSETS_KEPT_DAYS days. nginx's image runs
# this before nginx. Nothing here may prevent the start, so failures are only reported.
own=/usr/share/nginx/html/assets
kept=/usr/share/nginx/kept/assets
days=${ASSETS_KEPT_DAYS:-7}

# Without the volume nothing is kept.
[ -d "$kept" ] || exit 0
cd "$own" || exit 0

# Under a temporary name first, because other containers serve these files.
copy() {
    new=$kept/.new-$(hostname)
    mkdir -p "$kept/${1%/*}" && cp "$1" "$new" && mv "$new" "$kept/$1"
}

find . -type f | while IFS= read -r file; do
    copy "$file" || echo "keep-assets: $file is not kept" >&2
done

case $days in
    *[!0-9]*) echo "keep-assets: ASSETS_KEPT_DAYS is not a number of days: $days" >&2 ;;
    *)
        find "$kept" -type f -mtime "+$days" | while IFS= read -r file; do
            # The files of this image stay, also if they could not be copied again.
            [ -e "$own/${file#"$kept"/}" ] || rm -f "$file"
        done
        ;;
esac

# A kept file has the time when a container with it last ran. So the days count from the end of a release, not from its start.
while sleep 3600; do
    find . -type f | while IFS= read -r file; do touch -c "$kept/$file"; done
done </dev/null >/dev/null 2>&1 &
exit 0
