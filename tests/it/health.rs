//! Health and metrics answer when everything else is busy.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::daemon::Daemon;
use crate::reply::read;

#[tokio::test(flavor = "multi_thread")]
async fn health_answers_when_every_permit_is_taken() {
    let limits = [("SHAMMAH__ADMISSION__MAX_TURNS", "4"), ("SHAMMAH__ENGINE__STALL_TIMEOUT", "20s")];
    let daemon = Daemon::with(&limits, &[]).await;
    let body = json!({"max_tokens": 500, "messages": [{"role": "user", "content": "Tell me a story"}]});
    let streams: Vec<_> =
        (0..4).map(|_| tokio::spawn(read(daemon.request("/v1/messages/stream", &body).header("x-shammah-fault", "hang@1")))).collect();
    daemon.until("all permits are taken", async || daemon.status().await["queues"]["turns"] == 4).await;
    let refused = daemon.post("/v1/messages", &body).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (529, &json!("overloaded_error")));
    assert_eq!(refused.header("retry-after"), "2");
    assert_eq!(daemon.post("/v1/chat/completions", &body).await.status, 503);
    for path in ["/health", "/livez", "/readyz", "/v1/status", "/metrics", "/v1/models"] {
        assert_eq!(daemon.get(path).await.status, 200, "{path}");
    }
    streams.into_iter().for_each(|stream| stream.abort());
    daemon.until("the permits are back", async || daemon.status().await["queues"]["turns"] == 0).await;
}

/// Prints how many health requests a second are answered while eight streams run.
#[tokio::test(flavor = "multi_thread")]
async fn health_under_streams() {
    let daemon = Daemon::start().await;
    let body = json!({"max_tokens": 1500, "temperature": 1.9, "messages": [{"role": "user", "content": "Tell me a story"}]});
    let streams: Vec<_> = (0..8)
        .map(|_| {
            let (client, url, body) = (daemon.client.clone(), format!("{}/v1/messages/stream", daemon.base), body.clone());
            tokio::spawn(async move {
                loop {
                    read(client.post(&url).json(&body)).await;
                }
            })
        })
        .collect();
    daemon.until("eight sequences run", async || daemon.status().await["queues"]["sequences_running"] == 8).await;
    let (start, mut answered) = (Instant::now(), 0_u32);
    while start.elapsed() < Duration::from_secs(2) {
        let replies = futures_util::future::join_all((0..16).map(|_| daemon.get("/health"))).await;
        assert!(replies.iter().all(|reply| reply.status == 200));
        answered += 16;
    }
    println!("/health beside eight streams: {:.0} a second", f64::from(answered) / start.elapsed().as_secs_f64());
    streams.into_iter().for_each(|stream| stream.abort());
    daemon.stop().await;
}

#[tokio::test]
async fn metrics_count_queries() {
    let daemon = Daemon::start().await;
    daemon.ask("Hello!").await;
    daemon.post("/v1/chat/completions", &json!({"messages": []})).await;
    let metrics = daemon.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "application/openmetrics-text; version=1.0.0; charset=utf-8");
    for line in [
        "shammah_queries_total{route=\"/v1/messages\",model=\"shammah-demo\",status=\"ok\"} 1",
        "shammah_queries_total{route=\"/v1/chat/completions\",model=\"\",status=\"invalid_value\"} 1",
        "vllm:num_requests_running 0",
        "vllm:time_to_first_token_seconds_count 1",
        "shammah_turns 0",
    ] {
        assert!(metrics.body.contains(line), "{line} is not in\n{}", metrics.body);
    }
    assert!(metrics.body.ends_with("# EOF\n"));
    daemon.stop().await;
}
