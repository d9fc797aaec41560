#!/usr/bin/env bash
# Asks one question in four ways: without a daemon, through a daemon, and as a stream of each protocol.
source "$(dirname "${BASH_SOURCE[0]}")/lib/daemon.sh"

question='What is the capital of France?'
body='{"model": "shammah-demo", "max_tokens": 64, "stream": true, "messages": [{"role": "user", "content": "'$question'"}]}'

echo '== shammah query, no daemon: the answer is made in the process'
"$shammah" query "$question" | tee "$work/answer"
expect_in "$work/answer" Paris

start_daemon /readyz
echo "== shammah query, through the daemon at $url"
"$shammah" query "$question" | tee "$work/answer"
expect_in "$work/answer" Paris

echo '== POST /v1/messages/stream (Anthropic)'
post /v1/messages/stream "$body" | tee "$work/stream" | stream_text | tee "$work/answer"
echo
expect_in "$work/answer" Paris
events=$(sed -n 's/^event: //p' "$work/stream" | grep -vx ping | uniq | tr '\n' ' ')
echo "events: $events"
[[ $events == 'message_start content_block_start content_block_delta content_block_stop message_delta message_stop ' ]] ||
    die "the events are not in Anthropic's order"

echo '== POST /v1/chat/completions, stream: true (OpenAI)'
post /v1/chat/completions "$body" | tee "$work/stream" | stream_text | tee "$work/answer"
echo
expect_in "$work/answer" Paris
[[ $(grep '^data: ' "$work/stream" | tail -n 1) == 'data: [DONE]' ]] || die 'the stream does not end with data: [DONE]'

stop_daemon || die 'the daemon did not exit with 0'
echo 'ok'
