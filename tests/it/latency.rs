//! How long a token takes from its step to the client, printed with `--nocapture`. What is asserted is the order of things.

use futures_util::StreamExt;
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::daemon::Daemon;

/// When each text delta arrived.
async fn arrivals(daemon: &Daemon, prompt: &str) -> Vec<Timestamp> {
    let body = json!({"max_tokens": 300, "messages": [{"role": "user", "content": prompt}]});
    let response = daemon.request("/v1/messages/stream", &body).send().await.unwrap();
    let (mut chunks, mut arrivals, mut rest) = (response.bytes_stream(), Vec::new(), String::new());
    while let Some(chunk) = chunks.next().await {
        rest.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        while let Some((event, more)) = rest.split_once("\n\n") {
            if event.contains("content_block_delta") {
                arrivals.push(Timestamp::now());
            }
            rest = more.to_owned();
        }
    }
    arrivals
}

/// When each step ended, by the engine's log.
fn steps(log: &str) -> Vec<Timestamp> {
    let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let steps = lines.filter(|line| line["target"] == "shammah::step");
    steps.map(|line| line["timestamp"].as_str().unwrap().parse().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_event_follows_its_step() {
    let daemon = Daemon::with(&[("SHAMMAH_LOG", "info,shammah::step=debug"), ("SHAMMAH__LOG__FORMAT", "json")], &[]).await;
    let mut delays = Vec::new();
    for prompt in ["What is the capital of France?", "Who are you?", "Tell me a story", "What can you do?"] {
        let before = steps(&daemon.whole_log()).len();
        let arrivals = arrivals(&daemon, prompt).await;
        let steps = steps(&daemon.whole_log()).split_off(before);
        // The first token comes with the last step of the prompt, the last step makes the end token.
        assert!(steps.len() > arrivals.len(), "{} steps, {} arrivals", steps.len(), arrivals.len());
        let prefill = steps.len() - 1 - arrivals.len();
        assert!(arrivals[0] < steps[(prefill + 7).min(steps.len() - 1)], "the first event is out before the eighth token's step ends");
        delays.extend(arrivals.iter().zip(&steps[prefill..]).map(|(arrival, step)| arrival.duration_since(*step).as_secs_f64() * 1e3));
    }
    delays.sort_by(f64::total_cmp);
    let percentile = |percent: usize| delays[(delays.len() - 1) * percent / 100];
    println!(
        "{} events, ms after their step: p50 {:.2}, p99 {:.2}, max {:.2}",
        delays.len(),
        percentile(50),
        percentile(99),
        percentile(100)
    );
    daemon.stop().await;
}
