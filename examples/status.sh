#!/usr/bin/env bash
# Watches a daemon come up, by HTTP and on the command line, and stops it.
source "$(dirname "${BASH_SOURCE[0]}")/lib/daemon.sh"

# Reads /v1/status, and says so when the state has changed.
state=
watch_state() {
    get /v1/status >"$work/status" || return 1
    local now
    now=$(jq -r .state "$work/status")
    [[ $now == "$state" ]] || echo "state: $now" >&3
    state=$now
    [[ $state == Ready ]]
}

start_daemon /livez
echo "== GET /v1/status until the model is ready"
exec 3>&1
wait_until 60 'the state Ready' watch_state
jq '{state, model, active_sessions, memory, queues, version}' "$work/status"

echo '== the actors'
all_run() {
    get /v1/status >"$work/status" && jq -e '.actors | length > 0 and all(.state == "running")' "$work/status"
}
wait_until 30 'every actor running' all_run
jq -r '.actors[] | "\(.name)\t\(.state)\trestarts \(.restarts)"' "$work/status" | tee "$work/actors"
expect_in "$work/actors" inference/generator-shammah-demo
get /health | tee "$work/health"
echo
[[ $(jq -r .status "$work/health") == healthy ]] || die 'the daemon is not healthy'

echo '== shammah status'
"$shammah" status | tee "$work/shown"
expect_in "$work/shown" generator-shammah-demo

echo '== shammah status --watch, for two seconds'
timeout 2 "$shammah" status --watch >"$work/shown" || (($? == 124)) || die 'shammah status --watch failed'
expect_in "$work/shown" generator-shammah-demo

echo '== shammah stop'
"$shammah" stop
stop_daemon || die 'the daemon did not exit with 0'
[[ ! -e $SHAMMAH_HOME/daemon.pid ]] || die 'daemon.pid is still there'
echo 'ok'
