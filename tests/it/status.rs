//! `/v1/status` is a documented type: its shape is pinned.

use serde_json::{Value, json};

use crate::daemon::Daemon;

/// Keeps the shape: numbers, texts and ids that differ from run to run become the name of their type.
fn shape(value: &Value) -> Value {
    match value {
        Value::Null => json!("null"),
        Value::Bool(truth) => json!(truth),
        Value::Number(_) => json!("number"),
        Value::String(_) => json!("text"),
        Value::Array(items) => Value::Array(items.iter().map(shape).collect()),
        Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), shape(value))).collect(),
    }
}

#[tokio::test]
async fn the_status_has_its_shape() {
    let daemon = Daemon::start().await;
    daemon.until("the monitor has looked", async || daemon.status().await["memory"]["process_bytes"].as_u64() > Some(0)).await;
    let status = daemon.status().await;
    assert_eq!(status["state"], "Ready");
    let model = &status["model"];
    assert_eq!((&model["id"], &model["demo"], &model["quantization"]), (&json!("shammah-demo"), &json!(true), &json!("Q8_0")));
    assert!(model["notice"].as_str().unwrap().contains("--model"), "it says how to get a real model");
    let actors: Vec<_> = status["actors"].as_array().unwrap().iter().map(|actor| actor["name"].as_str().unwrap()).collect();
    let expected = ["store", "inference", "router", "sessions", "monitor", "front", "inference/loader", "inference/generator-shammah-demo"];
    assert_eq!(actors, expected);
    assert!(status["actors"].as_array().unwrap().iter().all(|actor| actor["state"] == "running"), "{status}");
    let mut shape = shape(&status);
    shape["actors"] = shape["actors"][0].clone();
    insta::assert_json_snapshot!(shape);
    let health = daemon.get("/health").await.json();
    assert_eq!((&health["status"], &health["active_sessions"]), (&json!("healthy"), &json!(0)));
    assert!(health["uptime_seconds"].as_f64() > Some(0.0));
    daemon.stop().await;
}
