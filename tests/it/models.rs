//! Models and their names.

use serde_json::json;

use crate::daemon::{Daemon, demo_folder};

#[tokio::test]
async fn cards_serve_both_sdks() {
    let daemon = Daemon::start().await;
    let list = daemon.get("/v1/models?limit=1000").await.json();
    let ids: Vec<_> = list["data"].as_array().unwrap().iter().map(|card| card["id"].as_str().unwrap()).collect();
    assert_eq!(ids[0], "shammah-demo");
    assert!(ids.contains(&"qwen-local"));
    let card = daemon.get("/v1/models/shammah-demo").await.json();
    assert_eq!((&card["object"], &card["type"], &card["max_model_len"]), (&json!("model"), &json!("model"), &json!(2048)));
    let unknown = daemon.get("/v1/models/nobody").await;
    assert_eq!((unknown.status, &unknown.json()["error"]["code"]), (404, &json!("model_not_found")));
    daemon.stop().await;
}

#[tokio::test]
async fn unknown_names_can_be_refused() {
    let daemon = Daemon::with(&[("SHAMMAH__MODELS__UNKNOWN", "refuse")], &[]).await;
    let body = |model: &str| json!({"model": model, "max_tokens": 5, "messages": [{"role": "user", "content": "Hello!"}]});
    let refused = daemon.post("/v1/messages", &body("nobody")).await;
    assert_eq!((refused.status, &refused.json()["error"]["type"]), (404, &json!("not_found_error")));
    let refused = daemon.post("/v1/chat/completions", &body("nobody")).await;
    assert_eq!((refused.status, &refused.json()["error"]["code"]), (404, &json!("model_not_found")));
    assert_eq!(daemon.post("/v1/messages", &body("qwen-local")).await.status, 200);
    assert_eq!(daemon.post("/v1/messages", &body("shammah-demo")).await.status, 200);
    daemon.stop().await;
}

#[tokio::test]
async fn a_folder_and_a_file_answer_alike() {
    let folder = demo_folder();
    let mut answers = Vec::new();
    for path in [folder.clone(), folder.join("shammah-demo-q8_0.gguf")] {
        let daemon = Daemon::with(&[], &["--model", path.to_str().unwrap()]).await;
        let model = daemon.status().await["model"].clone();
        assert_eq!((&model["demo"], &model["architecture"]), (&json!(false), &json!("qwen2")), "{model}");
        // A GGUF file has no generation config: greedy is asked for.
        let body = json!({"temperature": 0, "max_tokens": 64, "messages": [{"role": "user", "content": "What is the capital of Italy?"}]});
        answers.push(daemon.post("/v1/messages", &body).await.json()["content"][0]["text"].clone());
        daemon.stop().await;
    }
    assert_eq!(answers, ["The capital of Italy is Rome.", "The capital of Italy is Rome."]);
}

#[tokio::test]
async fn a_model_that_cannot_be_loaded_is_named_and_the_demo_answers_by_name() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("broken.gguf");
    std::fs::write(&path, b"GGUF but not really").unwrap();
    let daemon = Daemon::spawn(home, &[], &["--model", path.to_str().unwrap()]).await;
    daemon.until("the load has failed", async || daemon.status().await["state"] == "Failed").await;
    assert!(daemon.status().await["error"].as_str().unwrap().contains("broken.gguf"));
    assert_eq!(daemon.get("/health").await.json()["status"], "failed");
    let body = |model: &str| json!({"model": model, "max_tokens": 64, "messages": [{"role": "user", "content": "Hello!"}]});
    let refused = daemon.post("/v1/messages", &body("default")).await;
    assert_eq!((refused.status, refused.header("retry-after")), (529, "2"));
    assert_eq!(daemon.post("/v1/chat/completions", &body("default")).await.status, 503);
    daemon.until("the demo answers", async || daemon.post("/v1/messages", &body("shammah-demo")).await.status == 200).await;
    daemon.stop().await;
}
