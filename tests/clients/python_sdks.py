"""Speaks to a daemon through the official Python packages `anthropic` and `openai`, and by hand.

Starts target/debug/shammah (or the program that SHAMMAH_BIN names) on a free port with a temporary home, and prints one line
per check. Ends with 0 if all hold, else with 1. Usage: python tests/clients/python_sdks.py
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
import urllib.error
import urllib.request
from pathlib import Path

# No proxy stands between us and loopback; no setting of whoever runs this reaches the daemon or the packages.
for name in list(os.environ):
    if name.startswith(("SHAMMAH__", "ANTHROPIC_", "OPENAI_")) or name.lower() in ("http_proxy", "https_proxy", "all_proxy"):
        del os.environ[name]

import anthropic  # noqa: E402
import openai  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = os.environ.get("SHAMMAH_BIN", str(ROOT / "target/debug/shammah"))
MODEL = "shammah-demo"
READY_WITHIN = 60  # seconds
STOP_WITHIN = 40  # seconds, longer than the daemon's own deadline
QUESTION = [{"role": "user", "content": "What is the capital of France?"}]
STORY = [{"role": "user", "content": "Tell me a story."}]
SAMPLED = {"temperature": 0.8, "seed": 7}
ORDER = ["message_start", "content_block_start", "content_block_delta", "content_block_stop", "message_delta", "message_stop"]

CHECKS = []


def check(function):
    CHECKS.append(function)
    return function


def equal(got, wanted, what):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"


def holds(text, part):
    assert part in text, f"{part!r} is not in {text!r}"


def raises(error, call):
    try:
        result = call()
    except error as caught:
        return caught
    raise AssertionError(f"wanted {error.__name__}, got {result!r}")


class Daemon:
    """A daemon of our own."""

    def __init__(self, folder):
        self.home = Path(folder) / "home"
        self.home.mkdir()
        self.log = Path(folder) / "daemon.log"
        environment = os.environ | {"SHAMMAH_HOME": str(self.home)}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "daemon", "--bind", "127.0.0.1:0"], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )

    def wait(self):
        deadline = time.monotonic() + READY_WITHIN
        address = self.home / "daemon.addr"
        while time.monotonic() < deadline:
            assert self.process.poll() is None, f"the daemon ended with {self.process.returncode}"
            try:
                self.url = "http://" + address.read_text().strip()
                with urllib.request.urlopen(self.url + "/readyz", timeout=5):
                    return
            except (OSError, ValueError):  # no address yet, no listener yet, or not ready yet
                time.sleep(0.05)
        raise AssertionError(f"the daemon was not ready within {READY_WITHIN} s")

    def stop(self):
        self.process.terminate()
        try:
            return self.process.wait(STOP_WITHIN)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None

    def post(self, path, body):
        """Body and headers of a 200; anything else raises."""
        request = urllib.request.Request(self.url + path, json.dumps(body).encode(), {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as response:
            return json.load(response), response.headers


class Clients:
    def __init__(self, daemon):
        self.daemon = daemon
        self.anthropic = anthropic.Anthropic(base_url=daemon.url, api_key="none", max_retries=0, timeout=60)
        self.openai = openai.OpenAI(base_url=daemon.url + "/v1", api_key="none", max_retries=0, timeout=60)

    def message(self, messages):
        return self.anthropic.messages.create(model=MODEL, max_tokens=128, messages=messages)

    def message_stream(self, messages):
        """The text of the deltas, and the final message that the package puts together."""
        with self.anthropic.messages.stream(model=MODEL, max_tokens=128, messages=messages) as stream:
            text = "".join(stream.text_stream)
            return text, stream.get_final_message()

    def chat(self, messages, **more):
        return self.openai.chat.completions.create(model=MODEL, max_tokens=128, messages=messages, **more)

    def chat_stream(self, messages, **more):
        """Text, finish reason and usage of a streamed completion."""
        text, finish, usage = "", None, None
        for chunk in self.chat(messages, stream=True, stream_options={"include_usage": True}, **more):
            usage = chunk.usage or usage
            for choice in chunk.choices:
                assert finish is None, "a choice after the finish reason"
                text += choice.delta.content or ""
                finish = choice.finish_reason
        return text, finish, usage


@check
def anthropic_message(clients):
    message = clients.message(QUESTION)
    holds(message.content[0].text, "Paris")
    equal((message.type, message.role, message.model, message.stop_reason), ("message", "assistant", MODEL, "end_turn"), "message")
    assert message.usage.input_tokens > 0 and message.usage.output_tokens > 0, message.usage


@check
def anthropic_stream_is_the_same(clients):
    for messages in (QUESTION, STORY):
        whole = clients.message(messages)
        text, final = clients.message_stream(messages)
        equal(text, whole.content[0].text, "text")
        equal(final.content[0].text, text, "final text")
        equal(final.stop_reason, whole.stop_reason, "stop reason")
        equal(final.usage.output_tokens, whole.usage.output_tokens, "output tokens")


@check
def anthropic_events_in_order(clients):
    kinds = []
    for event in clients.anthropic.messages.create(model=MODEL, max_tokens=128, messages=QUESTION, stream=True):
        if event.type != "ping" and kinds[-1:] != [event.type]:
            kinds.append(event.type)
    equal(kinds, ORDER, "events")


@check
def anthropic_max_tokens(clients):
    message = clients.anthropic.messages.create(model=MODEL, max_tokens=5, messages=STORY)
    equal((message.stop_reason, message.usage.output_tokens), ("max_tokens", 5), "end")


@check
def anthropic_models(clients):
    assert MODEL in [model.id for model in clients.anthropic.models.list()], "the demo is not listed"
    equal(clients.anthropic.models.retrieve(MODEL).id, MODEL, "id")


@check
def anthropic_errors(clients):
    error = raises(anthropic.BadRequestError, lambda: clients.message([]))
    equal(error.body["error"]["type"], "invalid_request_error", "type")
    error = raises(anthropic.NotFoundError, lambda: clients.anthropic.models.retrieve("no-such-model"))
    assert error.status_code == 404


@check
def openai_chat(clients):
    completion = clients.chat(QUESTION)
    choice = completion.choices[0]
    holds(choice.message.content, "Paris")
    equal((completion.object, completion.model), ("chat.completion", MODEL), "completion")
    equal((choice.message.role, choice.finish_reason), ("assistant", "stop"), "choice")
    usage = completion.usage
    equal(usage.total_tokens, usage.prompt_tokens + usage.completion_tokens, "total tokens")


@check
def openai_stream_is_the_same(clients):
    for messages in (QUESTION, STORY):
        whole = clients.chat(messages)
        text, finish, usage = clients.chat_stream(messages)
        equal(text, whole.choices[0].message.content, "text")
        equal(finish, whole.choices[0].finish_reason, "finish reason")
        equal(usage.completion_tokens, whole.usage.completion_tokens, "completion tokens")


@check
def openai_sampled_stream_is_the_same(clients):
    whole = clients.chat(STORY, **SAMPLED)
    text, _, _ = clients.chat_stream(STORY, **SAMPLED)
    equal(text, whole.choices[0].message.content, "text")


@check
def openai_stream_manager(clients):
    with clients.openai.chat.completions.stream(model=MODEL, messages=QUESTION) as stream:
        for _ in stream:
            pass
        final = stream.get_final_completion()
    equal(final.choices[0].message.content, clients.chat(QUESTION).choices[0].message.content, "text")


@check
def openai_models(clients):
    assert MODEL in [model.id for model in clients.openai.models.list()], "the demo is not listed"
    equal(clients.openai.models.retrieve(MODEL).object, "model", "object")


@check
def openai_errors(clients):
    error = raises(openai.BadRequestError, lambda: clients.chat([]))
    equal(error.type, "invalid_request_error", "type")
    error = raises(openai.NotFoundError, lambda: clients.openai.models.retrieve("no-such-model"))
    equal(error.code, "model_not_found", "code")


@check
def both_protocols_give_the_same_text(clients):
    for messages in (QUESTION, STORY):
        equal(clients.chat(messages).choices[0].message.content, clients.message(messages).content[0].text, "text")


@check
def literal_message(clients):
    body = {"model": "qwen-2.5-3b", "messages": [{"role": "user", "content": "Hello!"}]}
    reply, headers = clients.daemon.post("/v1/messages", body)
    assert reply["content"][0]["text"], "no text"
    equal((reply["model"], headers["x-shammah-model"]), ("qwen-2.5-3b", MODEL), "model asked for, model that answers")


@check
def literal_chat(clients):
    body = {"model": "qwen-local", "messages": [{"role": "user", "content": "Hello!"}]}
    reply, headers = clients.daemon.post("/v1/chat/completions", body)
    assert reply["choices"][0]["message"]["content"], "no text"
    equal((reply["model"], headers["x-shammah-model"]), ("qwen-local", MODEL), "model asked for, model that answers")


@check
def literal_session(clients):
    for text, part in (("My name is Ada.", "Ada"), ("What is my name?", "Ada")):
        body = {"model": "qwen-local", "session_id": "chosen-by-the-client", "messages": [{"role": "user", "content": text}]}
        reply, _ = clients.daemon.post("/v1/messages", body)
        equal(reply["session_id"], "chosen-by-the-client", "session id")
        holds(reply["content"][0]["text"], part)


def run(daemon):
    """How many checks fail."""
    daemon.wait()
    clients = Clients(daemon)
    failed = 0
    for function in CHECKS:
        try:
            function(clients)
            print(f"ok    {function.__name__}", flush=True)
        except Exception as error:  # whatever it is, the other checks still run
            failed += 1
            body = error.read().decode(errors="replace") if isinstance(error, urllib.error.HTTPError) else ""
            line = traceback.extract_tb(error.__traceback__)[-1].lineno if isinstance(error, AssertionError) else None
            print(f"FAIL  {function.__name__}{f' (line {line})' if line else ''}: {type(error).__name__}: {error} {body}", flush=True)
    return failed


def main():
    print(f"anthropic {anthropic.__version__}, openai {openai.__version__}, {PROGRAM}")
    failed = 1
    with tempfile.TemporaryDirectory() as folder:
        daemon = Daemon(folder)
        try:
            failed = run(daemon)
            print(f"{len(CHECKS) - failed} of {len(CHECKS)} checks hold")
        except Exception as error:
            print(f"FAIL  {error}")
        finally:
            status = daemon.stop()
            if status != 0:
                failed += 1
                print(f"FAIL  the daemon ended with {status}, not 0")
            if failed:
                print("--- the last lines of the daemon:")
                print("\n".join(daemon.log.read_text(errors="replace").splitlines()[-40:]))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
