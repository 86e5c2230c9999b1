#!/bin/sh
# A backup of the bus of the stack in containers, read back and held against its hashes; then those that are older than
# the newest KEEP are removed. For cron or a timer: it ends with 0 only if a sound backup stands. Root, or whoever may
# give a folder to the containers' user.
#
#   sh deploy/backup.sh [FOLDER] [KEEP]     ./backups and 14 where nothing is said
set -eu
cd "$(dirname "$0")/.."
folder=${1:-backups}
keep=${2:-14}
case $keep in
'' | *[!0-9]* | 0) echo "expected how many backups to keep, 1 or more, found '$keep'" >&2 && exit 2 ;;
esac
containers=10001 # the user of our images
mkdir -p "$folder"
folder=$(cd "$folder" && pwd)
chmod 0700 "$folder"
[ "$(id -u)" != 0 ] || chown "$containers" "$folder"
name=$(date -u +%Y-%m-%dT%H%M%SZ)
inside() { docker compose run --rm --no-deps -T -v "$folder:/backups" quantbus "$@"; }

inside bus backup "/backups/$name"
inside bus restore "/backups/$name" --what-if
# The names sort as their times do. What this script did not name is left alone.
find "$folder" -mindepth 1 -maxdepth 1 -type d -name '20??-??-??T??????Z' | sort -r | tail -n "+$((keep + 1))" |
    while read -r old; do
        rm -r "$old"
        echo "removed $old"
    done
