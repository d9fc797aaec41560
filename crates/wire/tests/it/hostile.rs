//! No body, whatever it holds, makes anything but a request or a 400.

use proptest::collection::{hash_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};
use shammah_protocol::RequestId;
use shammah_wire::Problem;
use shammah_wire::Protocol::{self, Anthropic, OpenAiChat};

/// Words that lead deep into the readers.
const WORDS: [&str; 24] = [
    "messages",
    "role",
    "content",
    "type",
    "text",
    "user",
    "assistant",
    "system",
    "tool",
    "tool_use",
    "tool_result",
    "tool_calls",
    "id",
    "function",
    "name",
    "arguments",
    "input",
    "tools",
    "stop",
    "n",
    "seed",
    "stream_options",
    "session_id",
    "{}",
];

fn word() -> impl Strategy<Value = String> {
    prop_oneof![proptest::sample::select(&WORDS[..]).prop_map(str::to_owned), ".{0,8}"]
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        word().prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            hash_map(word(), inner, 0..6).prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

fn holds(protocol: Protocol, body: &[u8]) {
    if let Err(error) = protocol.parse(body, None) {
        let sent = protocol.error(&Problem::from(&error), &RequestId::from("req_1"));
        assert_eq!(sent.status, 400);
        assert!(sent.body["error"]["message"].is_string());
    }
}

proptest! {
    #[test]
    fn bytes(body in vec(any::<u8>(), 0..200)) {
        holds(Anthropic, &body);
        holds(OpenAiChat, &body);
    }

    #[test]
    fn json_values(value in any_json()) {
        for body in [value.clone(), json!({"messages": value}), json!({"messages": [{"role": "user", "content": value}]})] {
            holds(Anthropic, body.to_string().as_bytes());
            holds(OpenAiChat, body.to_string().as_bytes());
        }
    }

    #[test]
    fn fields(field in word(), value in any_json()) {
        let body = json!({"messages": [{"role": "user", "content": "Hi"}], field: value}).to_string();
        holds(Anthropic, body.as_bytes());
        holds(OpenAiChat, body.as_bytes());
    }
}

#[test]
fn depth_is_bounded() {
    for protocol in [Anthropic, OpenAiChat] {
        holds(protocol, "[".repeat(1_000_000).as_bytes());
        let deep = format!(r#"{{"messages": [{{"role": "user", "content": {}"#, r#"[{"type":"tool_result","content":"#.repeat(100_000));
        holds(protocol, deep.as_bytes());
    }
}
