//! The engine, its actor and its thread die in the middle of streams; every client receives exactly the uninterrupted text.

use serde_json::{Value, json};

use crate::daemon::{Daemon, GENERATOR};
use crate::reply::read;

const PROMPTS: [&str; 10] = [
    "Tell me a story",
    "What can you do?",
    "Who are you?",
    "How does shammah learn?",
    "How do I start the daemon?",
    "What is the capital of France?",
    "I want to die",
    "What about privacy?",
    "List the commands",
    "What does token mean?",
];
const CAUSES: [&str; 3] = ["panic", "kill", "hang"];
const STREAMS: usize = 8;

/// How many triples to try; all hundred by `just crash`.
fn rounds() -> usize {
    std::env::var("SHAMMAH_CRASH_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(12)
}

/// A seeded walk: the same triples in every run.
fn scatter(round: usize) -> usize {
    (round + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40
}

fn body(round: usize, stream: usize) -> Value {
    let temperature = if stream.is_multiple_of(2) { 0.0 } else { 0.8 };
    json!({"messages": [{"role": "user", "content": PROMPTS[(round + stream) % PROMPTS.len()]}],
        "max_tokens": 64, "stream": true, "temperature": temperature, "seed": round * STREAMS + stream})
}

#[tokio::test(flavor = "multi_thread")]
async fn every_stream_goes_on_exactly() {
    let environment = [
        ("SHAMMAH__ENGINE__STALL_TIMEOUT", "500ms"),
        // Crashes come one after the other here; budget and backoff are not what is tried.
        ("SHAMMAH__SUPERVISION__MAX_RESTARTS", "1000"),
        ("SHAMMAH__SUPERVISION__WINDOW", "100ms"),
        ("SHAMMAH__LOG__FORMAT", "json"),
    ];
    let daemon = Daemon::with(&environment, &[]).await;
    let mut seen = daemon.actor(GENERATOR).await;
    for round in 0..rounds() {
        let mut expected = Vec::new();
        let mut length = 0;
        for stream in 0..STREAMS {
            let reply = daemon.post("/v1/chat/completions", &body(round, stream)).await;
            if stream == round % STREAMS {
                // Role, finish and mark are no tokens.
                length = reply.events().len() - 3;
            }
            expected.push(reply.openai_text());
        }
        // Anywhere in the stream that carries the crash.
        let (cause, position) = (CAUSES[round % CAUSES.len()], scatter(round) % length.max(1));
        let streams = (0..STREAMS).map(|stream| {
            let request = daemon.request("/v1/chat/completions", &body(round, stream));
            let fault = format!("{cause}@{position}");
            read(if stream == round % STREAMS { request.header("x-shammah-fault", fault) } else { request })
        });
        let replies = futures_util::future::join_all(streams).await;
        for (stream, (reply, expected)) in replies.iter().zip(&expected).enumerate() {
            assert_eq!(&reply.openai_text(), expected, "round {round}, stream {stream}, {cause}@{position}");
        }
        daemon.until("the generator runs again", async || daemon.actor(GENERATOR).await["state"] == "running").await;
        let now = daemon.actor(GENERATOR).await;
        assert_ne!(now["id"], seen["id"], "round {round}: it is another actor");
        assert_eq!(now["restarts"], json!(seen["restarts"].as_u64().unwrap() + 1), "round {round}");
        assert!(now["last_error"].is_string());
        seen = now;
    }
    let log = daemon.whole_log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut millis: Vec<u64> =
        lines.filter(|line| line["message"] == "stream resumed").filter_map(|line| line["millis"].as_u64()).collect();
    millis.sort_unstable();
    let percentile = |percent: usize| millis[(millis.len() - 1) * percent / 100];
    println!(
        "{} rounds, {} resumed streams: p50 {} ms, p99 {} ms from the loss to the next token",
        rounds(),
        millis.len(),
        percentile(50),
        percentile(99)
    );
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_poison_prompt_is_refused_and_the_process_stays() {
    let daemon = Daemon::start().await;
    let body = json!({"max_tokens": 64, "messages": [{"role": "user", "content": "Tell me a story"}]});
    for _ in 0..10 {
        let reply = read(daemon.request("/v1/messages", &body).header("x-shammah-fault", "poison@3")).await;
        assert_eq!((reply.status, reply.header("x-should-retry")), (500, "false"), "{}", reply.body);
        assert_eq!(reply.json()["error"]["type"], "api_error");
    }
    assert_eq!(daemon.ask("What is the capital of France?").await, "The capital of France is Paris.");
    assert_eq!(daemon.actor(GENERATOR).await["restarts"], 2);
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_actors_are_killed_while_streams_run() {
    let daemon = Daemon::with(&[("SHAMMAH__SUPERVISION__MAX_RESTARTS", "100")], &[]).await;
    let body = |stream: usize| {
        json!({"messages": [{"role": "user", "content": "Tell me a story"}], "max_tokens": 120,
        "stream": true, "temperature": 0.8, "seed": stream})
    };
    let mut expected = Vec::new();
    for stream in 0..STREAMS {
        expected.push(daemon.post("/v1/chat/completions", &body(stream)).await.openai_text());
    }
    for actor in ["front", "router", "sessions", "store", "monitor", "inference/loader", "inference"] {
        let streams: Vec<_> =
            (0..STREAMS).map(|stream| tokio::spawn(read(daemon.request("/v1/chat/completions", &body(stream))))).collect();
        daemon.until("they run", async || daemon.status().await["queues"]["sequences_running"].as_u64() > Some(2)).await;
        assert_eq!(daemon.post(&format!("/debug/kill/{actor}"), &json!({})).await.status, 204, "{actor}");
        for (stream, expected) in streams.into_iter().zip(&expected) {
            assert_eq!(&stream.await.unwrap().openai_text(), expected, "{actor}");
        }
        daemon.until("it runs again", async || daemon.actor(actor).await["state"] == "running").await;
        assert!(daemon.actor(actor).await["restarts"].as_u64() >= Some(1), "{actor}");
    }
    daemon.stop().await;
}
