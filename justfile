# `just` lists what there is. Every recipe uses the one dev profile, so that nothing is built twice.

set positional-arguments

_default:
    @just --list --unsorted

# Everything that CI checks
ci:
    .ci/run

# All tests; arguments go to cargo test
test *args:
    cargo test --workspace "$@"

# Format the code
fmt:
    cargo fmt --all

# Lints, as in CI
clippy:
    cargo clippy --workspace --all-targets --locked -- -D warnings

# The program: `just run daemon`, `just run query "Hello!"`
run *args:
    cargo run -- "$@"

# The scripted examples, each with a daemon of its own
examples: build
    for script in examples/*.sh; do "$script" || exit 1; done

# The official Python packages against a daemon
clients: build
    test -x target/clients-venv/bin/pip || python3 -m venv target/clients-venv
    target/clients-venv/bin/pip install --quiet -r tests/clients/requirements.txt
    target/clients-venv/bin/python -B tests/clients/python_sdks.py

# The demo model's evaluation suite, through the HTTP API
eval:
    cargo test -p shammah --test it -- --nocapture evaluation

# The crash test with a hundred seeded triples of cause, prompt and position; prints how long streams paused
crash:
    SHAMMAH_CRASH_ROUNDS=100 cargo test -p shammah --test it -- --nocapture every_stream_goes

# The tests that print figures, one after the other: latency, /health under streams, load, batching, the actors' bench
figures:
    cargo test --workspace --test it -- --nocapture --test-threads=1 each_event_follows health_under_streams ten_sessions a_batch_of_eight session_lookup

# Licences, sources and banned crates (needs cargo-deny)
deny:
    cargo deny --locked check licenses bans sources

# Bring target/debug/shammah up to date, with the features that the tests build it with
build:
    cargo test --workspace --no-run
