#!/bin/sh
# Writes each template below the template folder to the same place below the output folder, without its suffix, with the
# variables of the environment put in. Others, nginx's own among them, stay as they are.
set -eu

templates=${NGINX_ENVSUBST_TEMPLATE_DIR:-/etc/nginx/templates}
suffix=${NGINX_ENVSUBST_TEMPLATE_SUFFIX:-.template}
output=${NGINX_ENVSUBST_OUTPUT_DIR:-/etc/nginx/conf.d}

[ -d "$templates" ] || exit 0
if [ ! -w "$output" ]; then
    echo "$0: '$output' can't be written to: the templates in '$templates' are not used" >&2
    exit 0
fi

# shellcheck disable=SC2016  # envsubst is given the names as they stand in a template: ${NAME}
defined=$(awk 'BEGIN { for (name in ENVIRON) if (name ~ ENVIRON["NGINX_ENVSUBST_FILTER"] && name ~ /^[A-Za-z_][A-Za-z0-9_]*$/) printf "${%s} ", name }')
find "$templates" -follow -type f -name "*$suffix" | sort | while read -r template; do
    made=$output/${template#"$templates"/}
    made=${made%"$suffix"}
    mkdir -p "$(dirname "$made")"
    echo "$0: $template to $made"
    envsubst "$defined" <"$template" >"$made"
done
