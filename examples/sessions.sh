#!/usr/bin/env bash
# A conversation that the daemon remembers: the client chooses an id and sends only what is new.
source "$(dirname "${BASH_SOURCE[0]}")/lib/daemon.sh"

session=ada-and-the-watchman

# say TEXT: one turn of the session; its answer goes to $work/answer.
say() {
    echo "you:   $1"
    post /v1/messages '{"model": "default", "session_id": "'$session'", "messages": [{"role": "user", "content": "'"$1"'"}]}' >"$work/reply"
    [[ $(jq -r .session_id "$work/reply") == "$session" ]] || die "the reply names another session: $(cat "$work/reply")"
    jq -r '.content[0].text' "$work/reply" >"$work/answer"
    echo "model: $(cat "$work/answer")"
}

start_daemon /readyz
say 'My name is Ada.'
say 'What is my name?'
expect_in "$work/answer" Ada

echo "== GET /v1/session/$session"
get "/v1/session/$session?messages=true" | jq . | tee "$work/session"
[[ $(jq .message_count "$work/session") == 4 ]] || die 'the session does not hold two questions and two answers'

echo "== DELETE /v1/session/$session"
deleted=$(status_of DELETE "/v1/session/$session")
gone=$(status_of GET "/v1/session/$session")
echo "DELETE: $deleted, then GET: $gone"
[[ $deleted == 204 && $gone == 404 ]] || die 'expected 204, then 404'

stop_daemon || die 'the daemon did not exit with 0'
echo 'ok'
