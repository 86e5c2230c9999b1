#!/bin/sh
# Makes the secrets of the stack, each a file of its own in ./secrets (or the folder that is named), and never another
# one in place of one that stands. Compose hands each container only its own.
#
# Containers run as a user of their own and read a secret through a bind mount of the file. So the files can be read,
# and the folder, which no container sees, keeps everybody else out.
set -eu
folder=${1:-secrets}
umask 077
mkdir -p "$folder"
chmod 0700 "$folder"

keep() { # keep NAME BYTES
    path="$folder/$1"
    [ -s "$path" ] && return 0
    head -c "$2" /dev/urandom | base64 | tr -d '\n' >"$path.new"
    chmod 0444 "$path.new"
    mv "$path.new" "$path"
    echo "made $path"
}

keep mongod.key 96 # mongod takes 6 to 1024 characters of base64
for role in admin ingest research gateway executor account monitor operator migrate bot grafana; do
    keep "$role.password" 33
done
keep alert.token 33 # of Alertmanager, which posts to the monitor
keep grafana.key 33
# Yours to fill in: a key of the exchange that can only read, for the profile `account`; addresses of messengers and the
# password of a mail server, for alerts.
for name in account.key account.secret messengers smtp.password; do
    [ -e "$folder/$name" ] || { : >"$folder/$name" && chmod 0444 "$folder/$name" && echo "made $folder/$name, empty: yours to fill in"; }
done
