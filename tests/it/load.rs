//! Many sessions and many requests: nothing is lost and nothing is left over.

use serde_json::json;

use crate::daemon::Daemon;

/// How many rounds; more of them by hand, to see that memory levels off.
fn rounds() -> usize {
    std::env::var("SHAMMAH_LOAD_ROUNDS").ok().and_then(|rounds| rounds.parse().ok()).unwrap_or(3)
}

async fn round(daemon: &Daemon, sessions: usize, turns: usize) {
    let clients = (0..sessions).map(|session| {
        let (client, base) = (daemon.client.clone(), daemon.base.clone());
        tokio::spawn(async move {
            for turn in 0..turns {
                let text = format!("My name is Ada {turn}.");
                let body = json!({"session_id": format!("load-{session}"), "max_tokens": 8,
                    "messages": [{"role": "user", "content": text}]});
                let response = client.post(format!("{base}/v1/messages")).json(&body).send().await.unwrap();
                assert_eq!(response.status(), 200, "{}", response.text().await.unwrap());
            }
            let response = client.delete(format!("{base}/v1/session/load-{session}")).send().await.unwrap();
            assert_eq!(response.status(), 204);
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_sessions_of_twenty_turns_three_times_over() {
    let daemon = Daemon::start().await;
    let mut resident = Vec::new();
    for _ in 0..rounds() {
        round(&daemon, 10, 20).await;
        resident.push(daemon.resident());
    }
    let growth = resident[2] as f64 / resident[1] as f64;
    println!("resident after each round: {resident:?}, growth of the third {growth:.4}");
    assert!(growth < 1.02, "{resident:?}");
    let status = daemon.status().await;
    assert_eq!((&status["active_sessions"], &status["queues"]["turns"]), (&json!(0), &json!(0)));
    // The connections of the client pool stay open; beyond them nothing grows.
    let before = daemon.descriptors_and_threads();
    round(&daemon, 10, 2).await;
    let after = daemon.descriptors_and_threads();
    assert!(after.0 <= before.0 + 2 && after.1 <= before.1, "{before:?} {after:?}");
    daemon.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_requests_without_a_session() {
    let daemon = Daemon::start().await;
    let body = json!({"max_tokens": 2, "messages": [{"role": "user", "content": "Hello!"}]});
    for _ in 0..1000 {
        let reply = daemon.post("/v1/messages", &body).await;
        assert_eq!(reply.status, 200, "{}", reply.body);
    }
    assert_eq!(daemon.status().await["active_sessions"], 100);
    daemon.stop().await;
}
