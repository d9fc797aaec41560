//! Both protocols: whole and streamed answers, in the exact order of their events.

use serde_json::{Value, json};

use crate::daemon::Daemon;
use crate::reply::json as parse;

fn france(extra: &[(&str, Value)]) -> Value {
    let mut body = json!({"max_tokens": 64, "messages": [{"role": "user", "content": "What is the capital of France?"}]});
    for (key, value) in extra {
        body[*key] = value.clone();
    }
    body
}

const ANSWER: &str = "The capital of France is Paris.";

#[tokio::test]
async fn anthropic_streams_in_order() {
    let daemon = Daemon::start().await;
    for (path, extra) in [("/v1/messages/stream", vec![]), ("/v1/messages?beta=true", vec![("stream", json!(true))])] {
        let reply = daemon.post(path, &france(&extra)).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), "text/event-stream");
        assert_eq!(reply.header("x-accel-buffering"), "no");
        assert_eq!(reply.header("cache-control"), "no-cache");
        assert_eq!(reply.header("x-shammah-model"), "shammah-demo");
        assert!(reply.header("request-id").starts_with("req_"));
        assert_eq!(reply.header("request-id"), reply.header("x-request-id"));
        let names = reply.names();
        let deltas = names.iter().filter(|name| *name == "content_block_delta").count();
        assert!(deltas > 2, "token by token: {names:?}");
        let mut expected = vec!["message_start", "content_block_start"];
        expected.extend(std::iter::repeat_n("content_block_delta", deltas));
        expected.extend(["content_block_stop", "message_delta", "message_stop"]);
        assert_eq!(names, expected);
        assert_eq!(reply.anthropic_text(), ANSWER);
        for event in reply.events() {
            assert_eq!(parse(&event.data)["type"].as_str(), event.name.as_deref());
        }
    }
    daemon.stop().await;
}

#[tokio::test]
async fn a_whole_answer_equals_the_streamed_one() {
    let daemon = Daemon::start().await;
    let whole = daemon.post("/v1/messages", &france(&[("model", json!("qwen-2.5-3b"))])).await.json();
    assert_eq!(whole["content"], json!([{"type": "text", "text": ANSWER}]));
    assert_eq!((&whole["type"], &whole["role"], &whole["model"]), (&json!("message"), &json!("assistant"), &json!("qwen-2.5-3b")));
    assert_eq!((&whole["stop_reason"], &whole["stop_sequence"]), (&json!("end_turn"), &Value::Null));
    assert!(whole["id"].as_str().unwrap().starts_with("msg_"));
    let usage = &whole["usage"];
    let input = usage["input_tokens"].as_u64().unwrap() + usage["cache_read_input_tokens"].as_u64().unwrap();
    assert!(input > 10 && usage["output_tokens"].as_u64().unwrap() > 3, "{usage}");

    let streamed = daemon.post("/v1/messages/stream", &france(&[])).await;
    let last = streamed.events().into_iter().rfind(|event| event.name.as_deref() == Some("message_delta")).unwrap();
    let last = parse(&last.data);
    assert_eq!(last["usage"]["output_tokens"], usage["output_tokens"]);
    assert_eq!(last["delta"]["stop_reason"], "end_turn");
    daemon.stop().await;
}

#[tokio::test]
async fn openai_chat_whole_and_streamed() {
    let daemon = Daemon::start().await;
    let whole = daemon.post("/v1/chat/completions", &france(&[("model", json!("qwen-local"))])).await.json();
    assert_eq!((&whole["object"], &whole["model"]), (&json!("chat.completion"), &json!("qwen-local")));
    assert_eq!(whole["choices"][0]["message"], json!({"role": "assistant", "content": ANSWER, "refusal": null}));
    assert_eq!(whole["choices"][0]["finish_reason"], "stop");
    assert!(whole["id"].as_str().unwrap().starts_with("chatcmpl-"));
    let usage = &whole["usage"];
    let sum = usage["prompt_tokens"].as_u64().unwrap() + usage["completion_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);

    let extra = [("stream", json!(true)), ("stream_options", json!({"include_usage": true}))];
    let streamed = daemon.post("/v1/chat/completions", &france(&extra)).await;
    assert_eq!(streamed.openai_text(), ANSWER);
    let events = streamed.events();
    assert_eq!(parse(&events[0].data)["choices"][0]["delta"]["role"], "assistant");
    assert_eq!(parse(&events[events.len() - 3].data)["choices"][0]["finish_reason"], "stop");
    let last = parse(&events[events.len() - 2].data);
    assert_eq!((&last["choices"], &last["usage"]["total_tokens"]), (&json!([]), &json!(sum)));
    daemon.stop().await;
}

#[tokio::test]
async fn stop_strings_and_max_tokens_end_an_answer() {
    let daemon = Daemon::start().await;
    let stopped = daemon.post("/v1/messages", &france(&[("stop_sequences", json!(["France"]))])).await.json();
    assert_eq!(stopped["content"][0]["text"], "The capital of ");
    assert_eq!((&stopped["stop_reason"], &stopped["stop_sequence"]), (&json!("stop_sequence"), &json!("France")));
    let cut = daemon.post("/v1/messages", &france(&[("max_tokens", json!(2))])).await.json();
    assert_eq!((&cut["stop_reason"], &cut["usage"]["output_tokens"]), (&json!("max_tokens"), &json!(2)));
    let cut = daemon.post("/v1/chat/completions", &france(&[("max_tokens", json!(2))])).await.json();
    assert_eq!(cut["choices"][0]["finish_reason"], "length");
    daemon.stop().await;
}

#[tokio::test]
async fn a_silent_stream_carries_pings() {
    let daemon = Daemon::with(&[("SHAMMAH__SERVER__PING_INTERVAL", "100ms"), ("SHAMMAH__ENGINE__STALL_TIMEOUT", "1s")], &[]).await;
    for (path, ping) in [("/v1/messages/stream", "event: ping"), ("/v1/chat/completions", ": ")] {
        let body = france(&[("stream", json!(true))]);
        let reply = crate::reply::read(daemon.request(path, &body).header("x-shammah-fault", "hang@2")).await;
        assert!(reply.body.contains(ping), "{}", reply.body);
        let text = if path.contains("chat") { reply.openai_text() } else { reply.anthropic_text() };
        assert_eq!(text, ANSWER);
    }
    daemon.stop().await;
}

#[tokio::test]
async fn the_same_seed_gives_the_same_answer() {
    let daemon = Daemon::start().await;
    let body = |seed| {
        json!({"temperature": 2, "seed": seed, "max_tokens": 40,
            "messages": [{"role": "user", "content": "Zebras in the snow?"}]})
    };
    let mut texts = Vec::new();
    for seed in [1, 1, 2] {
        let reply = daemon.post("/v1/chat/completions", &body(seed)).await.json();
        texts.push(reply["choices"][0]["message"]["content"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts[0], texts[1]);
    assert_ne!(texts[0], texts[2]);
    daemon.stop().await;
}
