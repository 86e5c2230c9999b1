#!/bin/sh
# Freqtrade reads its secrets from variables; this reads them from files first: FREQTRADE__EXCHANGE__KEY_FILE names the
# file with FREQTRADE__EXCHANGE__KEY. An empty file counts as none.
set -eu
for name in $(env | sed -n 's/^\(FREQTRADE__[A-Z0-9_]*\)_FILE=.*/\1/p'); do
    eval "file=\$${name}_FILE"
    # shellcheck disable=SC2154  # set by eval
    if [ ! -r "$file" ]; then
        echo "with-files: expected a file that can be read in ${name}_FILE, found '$file'" >&2
        exit 2
    fi
    value=$(cat "$file")
    unset "${name}_FILE"
    [ -z "$value" ] || export "$name=$value"
done
exec "$@"
