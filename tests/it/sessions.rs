//! Sessions over HTTP.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::reply::read;

fn say(session: &str, text: &str) -> Value {
    json!({"session_id": session, "max_tokens": 60, "messages": [{"role": "user", "content": text}]})
}

#[tokio::test]
async fn the_second_turn_knows_the_first() {
    let daemon = Daemon::start().await;
    let first = daemon.post("/v1/messages", &say("ada", "My name is Ada.")).await;
    assert_eq!((first.status, &first.json()["session_id"]), (200, &json!("ada")));
    let second = daemon.post("/v1/chat/completions", &say("ada", "What is my name?")).await.json();
    assert_eq!(second["choices"][0]["message"]["content"], "Your name is Ada.");

    let view = daemon.get("/v1/session/ada").await.json();
    assert_eq!((&view["id"], &view["message_count"], &view["model"]), (&json!("ada"), &json!(4), &json!("shammah-demo")));
    assert!(view["created_at"].as_str() <= view["last_activity"].as_str());
    assert!(view["messages"].is_null());
    let transcript = daemon.get("/v1/session/ada?messages=true").await.json()["messages"].clone();
    assert_eq!((&transcript[2]["content"], &transcript[3]["content"]), (&json!("What is my name?"), &json!("Your name is Ada.")));

    assert_eq!(daemon.delete("/v1/session/ada").await.status, 204);
    assert_eq!(daemon.delete("/v1/session/ada").await.status, 404);
    assert_eq!(daemon.get("/v1/session/ada").await.status, 404);
    daemon.stop().await;
}

#[tokio::test]
async fn a_session_is_made_where_none_is_named() {
    let daemon = Daemon::start().await;
    let body = json!({"max_tokens": 5, "messages": [{"role": "user", "content": "Hello!"}]});
    let reply = daemon.post("/v1/messages", &body).await;
    let id = reply.json()["session_id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("sess_"));
    assert_eq!(reply.header("x-session-id"), id);
    assert_eq!(daemon.get(&format!("/v1/session/{id}")).await.json()["message_count"], 2);
    let labelled = read(daemon.request("/v1/messages", &body).header("x-claude-code-session-id", "label")).await;
    assert_eq!(labelled.header("x-session-id"), "label");
    assert_eq!(daemon.get("/v1/session/label").await.status, 200);
    daemon.stop().await;
}

#[tokio::test]
async fn deleting_stops_a_running_turn() {
    let daemon = Daemon::with(&[("SHAMMAH__ENGINE__STALL_TIMEOUT", "20s")], &[]).await;
    // The engine hangs in the middle of the answer, so the turn surely runs.
    let streaming = daemon.request("/v1/messages/stream", &say("gone", "Tell me a story")).header("x-shammah-fault", "hang@3");
    let streaming = tokio::spawn(read(streaming));
    daemon.until("the session exists", async || daemon.get("/v1/session/gone").await.status == 200).await;
    daemon.until("its turn runs", async || daemon.status().await["queues"]["sequences_running"] == 1).await;
    let busy = daemon.post("/v1/messages", &say("gone", "And now?")).await;
    assert_eq!(busy.status, 409, "{}", busy.body);
    assert_eq!(daemon.delete("/v1/session/gone").await.status, 204);
    let reply = streaming.await.unwrap();
    let names = reply.names();
    assert_eq!(names.iter().filter(|name| *name == "error").count(), 1, "{names:?}");
    assert_eq!(names.last().map(String::as_str), Some("error"));
    assert_eq!(daemon.get("/v1/session/gone").await.status, 404);
    daemon.until("the turn is gone", async || daemon.status().await["queues"]["turns"] == 0).await;
}
