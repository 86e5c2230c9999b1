#!/bin/sh
# Writes which packages the image of each role brings, by the lock, into build/sbom (or the folder that is named): with
# the member and the extras that its Dockerfile installs. One CycloneDX file a role.
set -eu
cd "$(dirname "$0")/.."
folder=${1:-build/sbom}
mkdir -p "$folder"
for file in deploy/docker/*.Dockerfile; do
    role=$(basename "$file" .Dockerfile)
    installs=$(sed -n 's/^RUN uv sync .*--no-editable \(--package .*\)$/\1/p' "$file")
    [ -n "$installs" ] || { echo "sbom: expected an 'uv sync … --no-editable --package …' in $file, found none" >&2 && exit 1; }
    # shellcheck disable=SC2086  # several words
    "${UV:-uv}" export --frozen --no-dev $installs --format cyclonedx1.5 --preview-features sbom-export --quiet \
        --output-file "$folder/$role.cdx.json" >/dev/null
    echo "$folder/$role.cdx.json: $(($(grep -c '"bom-ref"' "$folder/$role.cdx.json") - 1)) components ($installs)"
done
