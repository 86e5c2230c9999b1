#!/bin/sh
# make up, make down, make logs: the stack in containers where a Docker engine answers, else as processes of this
# machine; the same names and ports. STACK=compose or STACK=local says which, whatever answers.
#
#   sh deploy/stack.sh up|down|logs [words for `docker compose up` or `quantbus up`]
set -eu
cd "$(dirname "$0")/.."
make=${MAKE:-make}
quantbus=${UV_PROJECT_ENVIRONMENT:-.venv}/bin/quantbus
project() { docker compose --profile '*' "$@"; } # every profile, so that nothing that runs is overlooked

no_engine() { # says why there is none, and nothing where one answers
    command -v docker >/dev/null || { echo "there is no docker command"; return; }
    docker compose version >/dev/null 2>&1 || { echo "docker has no compose"; return; }
    shortly=$(command -v timeout || true)
    [ -n "$(${shortly:+"$shortly" 5} docker info --format '{{.ServerVersion}}' 2>/dev/null)" ] ||
        echo "no Docker engine answers this user"
}

choose() { # sets chosen and why
    missing=$(no_engine)
    case ${STACK:-} in
    compose | local) chosen=$STACK why="STACK=$STACK" ;;
    "") if [ -z "$missing" ]; then chosen=compose why="a Docker engine answers"; else chosen=local why=$missing; fi ;;
    *) echo "expected STACK=compose or STACK=local, found '$STACK'" >&2 && exit 2 ;;
    esac
    if [ "$chosen" = compose ] && [ -n "$missing" ]; then
        echo "STACK=compose wants a Docker engine, and $missing" >&2
        exit 2
    fi
}

in_containers() { # in_containers [--all]: true if any runs, or has run and is not removed; no answer ends it all
    [ -z "$missing" ] || return 1
    if ! listed=$(project ps --quiet "$@" 2>/dev/null); then
        project ps --quiet "$@" >/dev/null || true # for what it says
        echo "whether containers run could not be told: mend the above first" >&2
        exit 1
    fi
    [ -n "$listed" ]
}

on_this_machine() { # true if `quantbus up` runs; numbers of processes are given anew
    for file in "${QUANTBUS_HOME:-.quantbus}"/stack-*/stack.json; do
        pid=$(sed -n 's/.*"pid": *\([0-9]*\).*/\1/p' "$file" 2>/dev/null)
        if [ -n "$pid" ] && ps -ww -o command= -p "$pid" | grep -qw up; then return 0; fi
    done
    return 1
}

folder_of_secrets() { # as Compose itself understands .env
    told=$(docker compose config --format json) || exit # YAML folds a long path at its spaces
    echo "$told" | sed -n 's|^ *"file": "\(.*\)/mongod\.key",*$|\1|p'
}

refuse_leftovers() { # Compose leaves what runs of a profile that .env names no longer
    wanted=$(docker compose config --services) || exit
    running=$(project ps --services --status running --status restarting) || exit
    left=
    for name in $running; do
        echo "$wanted" | grep -qx "$name" || left="$left $name"
    done
    [ -z "$left" ] || {
        echo "there runs what COMPOSE_PROFILES in .env does not name:$left; end it first:" >&2
        echo "  docker compose --profile '*' rm --stop --force$left" >&2
        exit 1
    }
}

up_in_containers() {
    [ -e .env ] || { cp .env.example .env && echo "made .env from .env.example"; }
    refuse_leftovers
    secrets=$(folder_of_secrets)
    sh deploy/docker/make-secrets.sh "$secrets"
    { command -v npm >/dev/null && "$make" -s web; } || echo "no charts: see make web"
    STACK_REVISION=${STACK_REVISION:-$(git describe --always --dirty --abbrev=40 --exclude '*' 2>/dev/null || echo unknown)}
    export STACK_REVISION
    # What keeps ending and starting again is never unhealthy: without a bound this would wait for ever.
    docker compose up --build --detach --wait --wait-timeout 600 "$@" || {
        code=$?
        echo "not all came up: \`docker compose ps --all\` says what, and \`docker compose logs\` why" >&2
        exit "$code"
    }
    docker compose ps --format '{{.Service}} {{.Ports}}' |
        sed -n 's/^\([^ ]*\) .*127\.0\.0\.1:\([0-9]*\)->.*/\1 \2/p' |
        while read -r name port; do printf '%16s  http://127.0.0.1:%s\n' "$name" "$port"; done
    echo "see it in a browser: http://127.0.0.1:8710/; stop it with \`make down\`, follow it with \`make logs\`"
}

other_runs() { # other_runs WHERE
    echo "a stack runs already $1; stop it first with \`make down\`" >&2
    exit 1
}

choose
verb=${1:-}
[ $# -eq 0 ] || shift
case $verb in
up)
    echo "stack: $chosen ($why)"
    if [ "$chosen" = compose ]; then
        if on_this_machine; then other_runs "as processes of this machine"; fi
        up_in_containers "$@"
    else
        if in_containers; then other_runs "in containers"; fi
        "$make" -s runtime
        "$quantbus" up --detach "$@"
    fi
    ;;
down)
    # Whichever runs, and be it both.
    nothing="nothing was running"
    stopped=$nothing
    if in_containers --all; then
        project down --remove-orphans "$@"
        stopped="stopped: the containers; what they kept stays in volumes"
        echo "$stopped"
    fi
    case $missing in
    "" | "there is no docker command") ;;
    *) echo "containers were not looked for: $missing" ;;
    esac
    told=$nothing
    if [ -x "$quantbus" ]; then told=$("$quantbus" down); fi
    if [ "$told" != "$nothing" ] || [ "$stopped" = "$nothing" ]; then echo "$told"; fi
    ;;
logs)
    if [ "${STACK:-}" != local ] && in_containers; then
        project logs --follow "$@"
    elif [ -x "$quantbus" ]; then
        "$quantbus" logs --follow "$@"
    else
        echo "no stack is running; start one with \`make up\`" >&2
        exit 1
    fi
    ;;
*)
    echo "expected up, down or logs, found '$verb'" >&2
    exit 2
    ;;
esac
