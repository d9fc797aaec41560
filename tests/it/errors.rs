//! Bad input: the right status and the body of the protocol that was called, and the daemon goes on.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::reply::read;

#[tokio::test]
async fn bad_bodies_are_refused_in_both_protocols() {
    let daemon = Daemon::start().await;
    let long = "word ".repeat(5000);
    let cases: [(&str, Value); 8] = [
        ("no messages", json!({"max_tokens": 5})),
        ("empty messages", json!({"max_tokens": 5, "messages": []})),
        ("unknown role", json!({"max_tokens": 5, "messages": [{"role": "king", "content": "hi"}]})),
        ("wrong type", json!({"max_tokens": "many", "messages": [{"role": "user", "content": "hi"}]})),
        ("temperature", json!({"max_tokens": 5, "temperature": 99, "messages": [{"role": "user", "content": "hi"}]})),
        ("session", json!({"max_tokens": 5, "session_id": "", "messages": [{"role": "user", "content": "hi"}]})),
        ("an array", json!([1, 2, 3])),
        ("over the window", json!({"max_tokens": 5, "messages": [{"role": "user", "content": long}]})),
    ];
    for (what, body) in &cases {
        let anthropic = daemon.post("/v1/messages", body).await;
        let error = anthropic.json();
        assert_eq!((anthropic.status, &error["type"]), (400, &json!("error")), "{what}: {error}");
        assert_eq!(error["error"]["type"], "invalid_request_error", "{what}: {error}");
        assert_eq!(error["request_id"], anthropic.header("request-id"));
        let openai = daemon.post("/v1/chat/completions", body).await;
        let error = openai.json();
        assert_eq!((openai.status, &error["error"]["type"]), (400, &json!("invalid_request_error")), "{what}: {error}");
        assert!(error["error"]["message"].as_str().is_some_and(|message| message.len() > 5), "{what}: {error}");
    }
    let window = daemon.post("/v1/messages", &cases[7].1).await.json();
    assert!(window["error"]["message"].as_str().unwrap().starts_with("prompt is too long: "), "{window}");
    let window = daemon.post("/v1/chat/completions", &cases[7].1).await.json();
    assert_eq!(window["error"]["code"], "context_length_exceeded");
    assert_eq!(daemon.ask("What is the capital of France?").await, "The capital of France is Paris.");
    daemon.stop().await;
}

#[tokio::test]
async fn what_is_not_json_too_large_or_nowhere() {
    let daemon = Daemon::with(&[("SHAMMAH__SERVER__BODY_LIMIT", "64KiB")], &[]).await;
    let raw = |path: &str, body: Vec<u8>| read(daemon.client.post(format!("{}{path}", daemon.base)).body(body));
    for path in ["/v1/messages", "/v1/chat/completions"] {
        assert_eq!(raw(path, b"{\"messages\": [".to_vec()).await.status, 400);
        assert_eq!(raw(path, vec![0xff; 100]).await.status, 400);
        assert_eq!(raw(path, vec![]).await.status, 400);
        assert_eq!(raw(path, vec![b' '; 100_000]).await.status, 413);
    }
    assert_eq!(raw("/v1/messages", vec![b' '; 100_000]).await.json()["error"]["type"], "request_too_large");
    let nowhere = daemon.get("/v1/nowhere").await;
    assert_eq!((nowhere.status, nowhere.json()["error"]["type"].as_str().is_some()), (404, true));
    assert_eq!(daemon.get("/v1/messages").await.status, 405);
    assert_eq!(daemon.get("/v1/messages/nowhere").await.json()["type"], "error");
    daemon.stop().await;
}

/// A body that never ends must not keep its place for ever.
#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let limits = [("SHAMMAH__SERVER__BODY_TIMEOUT", "200ms"), ("SHAMMAH__ADMISSION__MAX_TURNS", "1")];
    let daemon = Daemon::with(&limits, &[]).await;
    let stalled = futures_util::stream::pending::<Result<Vec<u8>, std::io::Error>>();
    let body = reqwest::Body::wrap_stream(stalled);
    let reply = read(daemon.client.post(format!("{}/v1/messages", daemon.base)).body(body)).await;
    assert_eq!((reply.status, &reply.json()["error"]["type"]), (504, &json!("timeout_error")));
    assert_eq!(daemon.ask("What is the capital of France?").await, "The capital of France is Paris.");
    daemon.stop().await;
}

#[tokio::test]
async fn keys_are_asked_for_where_they_are_required() {
    let keys = [("SHAMMAH__SERVER__AUTH_ENABLED", "true"), ("SHAMMAH__SERVER__API_KEYS", "one-secret-key,another-secret-key")];
    let daemon = Daemon::spawn(tempfile::tempdir().unwrap(), &keys, &[]).await;
    daemon.until_ready().await;
    let body = json!({"session_id": "s", "max_tokens": 5, "messages": [{"role": "user", "content": "Hello!"}]});
    let refused = daemon.post("/v1/messages", &body).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (401, &json!("authentication_error")));
    let wrong = read(daemon.request("/v1/chat/completions", &body).header("authorization", "Bearer wrong")).await;
    assert_eq!((wrong.status, &wrong.json()["error"]["code"]), (401, &json!("invalid_api_key")));
    assert_eq!(read(daemon.request("/v1/messages", &body).header("x-api-key", "one-secret-key")).await.status, 200);
    let session = |key: &'static str| {
        let url = format!("{}/v1/session/s", daemon.base);
        read(daemon.client.get(url).header("authorization", format!("Bearer {key}")))
    };
    assert_eq!(session("one-secret-key").await.status, 200);
    assert_eq!(session("another-secret-key").await.status, 404, "it belongs to the other key");
    for probe in ["/health", "/livez", "/readyz", "/"] {
        assert_eq!(daemon.get(probe).await.status, 200, "{probe}");
    }
    assert!(!daemon.whole_log().contains("secret-key"));
    daemon.stop().await;
}
