# shellcheck shell=bash
# Sourced by the examples. Gives each a daemon of its own on a free port, with a temporary home, and cleans up when it ends.
# Needs curl and jq. Takes target/debug/shammah, which is built if it is missing, or the program that SHAMMAH_BIN names.

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
shammah=${SHAMMAH_BIN:-$root/target/debug/shammah}
work=$(mktemp -d)
daemon_pid=
url=

# Settings of whoever runs this do not reach the example.
for name in "${!SHAMMAH__@}"; do unset "$name"; done
export SHAMMAH_HOME=$work/home
mkdir "$SHAMMAH_HOME"

die() {
    printf 'FAILED: %s\n' "$*" >&2
    exit 1
}

# wait_until SECONDS WHAT COMMAND…: repeats the command until it succeeds.
wait_until() {
    local deadline=$((SECONDS + $1)) what=$2
    shift 2
    until "$@" >/dev/null 2>&1; do
        kill -0 "$daemon_pid" 2>/dev/null || die "the daemon ended before $what"
        ((SECONDS < deadline)) || die "$what: not in time"
        sleep 0.05
    done
}

get() {
    curl -sS --fail-with-body --noproxy '*' --max-time 10 "$url$1"
}

# post PATH BODY [CURL OPTIONS…]: the answer, as it arrives.
post() {
    local path=$1 body=$2
    shift 2
    curl -sSN --fail-with-body --noproxy '*' --max-time 120 -H 'content-type: application/json' "$@" -d "$body" "$url$path"
}

# The HTTP status of METHOD PATH.
status_of() {
    curl -sS --noproxy '*' --max-time 10 -o /dev/null -w '%{http_code}' -X "$1" "$url$2"
}

# The text in an SSE stream of Anthropic's protocol or OpenAI's, as it arrives.
stream_text() {
    sed -un 's/^data: \({.*\)/\1/p' | jq --unbuffered -rj '.delta.text? // .choices[0]?.delta.content? // empty'
}

# expect_in FILE TEXT
expect_in() {
    grep -qF -- "$2" "$1" || die "'$2' is not in: $(cat "$1")"
}

answers() {
    [[ -s $SHAMMAH_HOME/daemon.addr ]] && url="http://$(<"$SHAMMAH_HOME/daemon.addr")" && get "$1"
}

# start_daemon PATH: starts it and waits until PATH answers.
start_daemon() {
    "$shammah" daemon --bind 127.0.0.1:0 >"$work/daemon.log" 2>&1 &
    daemon_pid=$!
    wait_until 60 "an answer of $1" answers "$1"
}

# Stops the daemon; returns its exit status.
stop_daemon() {
    [[ -n $daemon_pid ]] || return 0
    local pid=$daemon_pid
    daemon_pid=
    kill -TERM "$pid" 2>/dev/null || true
    for _ in {1..800}; do # 40 s: longer than streams and connections are given
        kill -0 "$pid" 2>/dev/null || break
        sleep 0.05
    done
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid"
}

clean_up() {
    local status=$?
    trap - EXIT
    stop_daemon || true
    if ((status != 0)); then
        find "$work" -maxdepth 1 -type f -exec tail -vn 20 {} + >&2
    fi
    rm -rf "$work"
    exit $((status != 0))
}
trap clean_up EXIT
trap 'exit 1' INT TERM HUP

for program in curl jq; do
    command -v "$program" >/dev/null || die "$program is needed"
done
if [[ -z ${SHAMMAH_BIN:-} && ! -x $shammah ]]; then
    (cd "$root" && cargo build --locked)
fi
[[ -x $shammah ]] || die "there is no program $shammah"
