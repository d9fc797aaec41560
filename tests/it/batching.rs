//! Answers in a batch are the answers alone, token for token.

use std::time::Instant;

use serde_json::{Value, json};

use crate::daemon::{Daemon, demo_folder};

const BATCH: usize = 8;

/// Distinct prompts of the demo's evaluation suite.
fn prompts(count: usize) -> Vec<Value> {
    let suite = std::fs::read_to_string(demo_folder().join("eval.jsonl")).unwrap();
    let cases: Vec<Value> = suite.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let plain: Vec<&Value> = cases.iter().filter(|case| case["tools"] == json!([])).collect();
    let stride = plain.len() / count;
    plain.iter().step_by(stride.max(1)).take(count).map(|case| case["messages"].clone()).collect()
}

fn body(messages: &Value, sampled: bool, seed: usize) -> Value {
    let temperature = if sampled { 0.8 } else { 0.0 };
    json!({"messages": messages, "max_tokens": 64, "temperature": temperature, "seed": seed})
}

async fn answer(daemon: &Daemon, body: &Value) -> (String, u64) {
    let reply = daemon.post("/v1/chat/completions", body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let reply = reply.json();
    let text = reply["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
    (text, reply["usage"]["completion_tokens"].as_u64().unwrap())
}

/// The texts, and tokens per second over all.
async fn run(daemon: &Daemon, bodies: &[Value], at_once: usize) -> (Vec<String>, f64) {
    let (start, mut texts, mut tokens) = (Instant::now(), Vec::new(), 0);
    for group in bodies.chunks(at_once) {
        for (text, count) in futures_util::future::join_all(group.iter().map(|body| answer(daemon, body))).await {
            texts.push(text);
            tokens += count;
        }
    }
    (texts, tokens as f64 / start.elapsed().as_secs_f64())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_of_eight_answers_as_each_alone() {
    let daemon = Daemon::with(&[("SHAMMAH_LOG", "info,shammah::step=debug"), ("SHAMMAH__LOG__FORMAT", "json")], &[]).await;
    for sampled in [false, true] {
        let bodies: Vec<Value> = prompts(200).iter().enumerate().map(|(seed, messages)| body(messages, sampled, seed)).collect();
        assert_eq!(bodies.len(), 200);
        let (alone, rate_alone) = run(&daemon, &bodies, 1).await;
        let (together, rate_together) = run(&daemon, &bodies, BATCH).await;
        for (index, (alone, together)) in alone.iter().zip(&together).enumerate() {
            assert_eq!(alone, together, "prompt {index}, sampled: {sampled}");
        }
        println!(
            "sampled {sampled}: {rate_alone:.0} tokens a second alone, {rate_together:.0} in batches of eight: {:.2}x",
            rate_together / rate_alone
        );
    }
    let log = daemon.whole_log();
    let steps = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).filter(|line| line["target"] == "shammah::step");
    let largest = steps.filter_map(|step| step["batch"].as_u64()).max();
    assert!(largest >= Some(6), "at least six sequences shared a step: {largest:?}");
    daemon.stop().await;
}
