#!/usr/bin/env bash
# Crashes the engine in the middle of a stream. The client sees the text of an undisturbed run, and one end.
#
# The header x-shammah-fault is obeyed by debug builds only: `panic@8` makes the engine panic in the step of token 8, counted from 0.
source "$(dirname "${BASH_SOURCE[0]}")/lib/daemon.sh"

generator=inference/generator-shammah-demo
body='{"model": "shammah-demo", "max_tokens": 128, "messages": [{"role": "user", "content": "Tell me a story."}]}'

# What /v1/status says about the generator.
look() {
    get /v1/status | jq --arg name "$generator" '.actors[] | select(.name == $name)'
}
restarts() {
    look | jq .restarts
}
known() {
    [[ -n $(restarts) ]]
}
restarted() {
    (($(restarts) > before))
}

start_daemon /readyz
wait_until 10 "$generator in /v1/status" known
before=$(restarts)
id=$(look | jq -r .id)

echo '== undisturbed'
post /v1/messages/stream "$body" | stream_text | tee "$work/undisturbed"
echo

echo '== with a panic in the step of token 8'
post /v1/messages/stream "$body" -H 'x-shammah-fault: panic@8' | tee "$work/stream" | stream_text | tee "$work/crashed"
echo
[[ -s $work/undisturbed ]] || die 'there is no text'
cmp "$work/undisturbed" "$work/crashed" || die 'the texts differ'
for event in message_start message_stop; do
    [[ $(grep -cx "event: $event" "$work/stream") == 1 ]] || die "the stream does not hold exactly one $event"
done

echo "== what /v1/status says about $generator"
wait_until 10 "a counted restart of $generator (is this a debug build?)" restarted
look | tee "$work/generator"
[[ $(jq -r .id "$work/generator") != "$id" ]] || die 'it is still the same actor'

stop_daemon || die 'the daemon did not exit with 0'
echo 'ok: the engine died and the stream did not'
