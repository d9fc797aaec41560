//! Bodies that are refused, and the words that say why.

use serde_json::{Value, json};
use shammah_wire::Protocol::{self, Anthropic, OpenAiChat};
use shammah_wire::WireError;

use crate::parse;

fn said(protocol: Protocol, body: &Value) -> String {
    let error = parse(protocol, body).expect_err("the body is refused");
    // Where in the bytes it stands depends on how the test writes them.
    error.to_string().split(" at line").take(1).collect()
}

#[test]
fn bytes_that_are_not_json() {
    for protocol in [Anthropic, OpenAiChat] {
        for body in ["", "{", "not json", "{\"messages\":[]} more", "{\"temperature\": 1e999}"] {
            let error = protocol.parse(body.as_bytes(), None).unwrap_err();
            assert!(matches!(error, WireError::NotJson(_) | WireError::Invalid { .. }), "{body}: {error}");
        }
        assert_eq!(protocol.parse(b"{", None).unwrap_err().kind(), "invalid_json");
        assert_eq!(protocol.parse(b"\xff", None).unwrap_err().kind(), "invalid_json");
    }
}

#[test]
fn wrong_types_are_named_by_their_path() {
    for protocol in [Anthropic, OpenAiChat] {
        assert_eq!(said(protocol, &json!({})), "body: missing field `messages`");
        assert_eq!(said(protocol, &json!(["m", []])), "body: must be a JSON object");
        assert_eq!(said(protocol, &json!({"messages": "Hi"})), "messages: invalid type: string \"Hi\", expected a sequence");
        assert_eq!(said(protocol, &json!({"messages": []})), "messages: must hold at least one message");
        let one = |message: Value| json!({"messages": [{"role": "user", "content": "Hi"}, message]});
        assert!(said(protocol, &one(json!({"role": "robot", "content": "Hi"}))).starts_with("messages[1].role: unknown value `robot`"));
        assert_eq!(
            said(protocol, &one(json!({"role": "user", "content": 7}))),
            "messages[1].content: invalid type: integer `7`, expected a string or a list"
        );
        assert_eq!(
            said(protocol, &one(json!({"role": "user", "content": [{"type": "text"}]}))),
            "messages[1].content[0]: missing field `text`"
        );
        assert!(
            said(protocol, &one(json!({"role": "user", "content": [{"type": "smell"}]})))
                .starts_with("messages[1].content[0].type: unknown value `smell`")
        );
        let one = |field: &str, value: Value| json!({"messages": [{"role": "user", "content": "Hi"}], field: value});
        assert!(said(protocol, &one("max_tokens", json!(0))).starts_with("max_tokens: invalid value: integer `0`"));
        assert!(said(protocol, &one("temperature", json!("hot"))).starts_with("temperature: invalid type"));
        assert_eq!(said(protocol, &one("temperature", json!(3))), "temperature: must be between 0 and 2, not 3");
        assert_eq!(said(protocol, &one("top_k", json!(-2))), "top_k: must be -1 or more, not -2");
    }
}

#[test]
fn media_are_refused_where_they_stand() {
    let one = |part: Value| json!({"messages": [{"role": "user", "content": [{"type": "text", "text": "See"}, part]}]});
    let image = json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": ""}});
    assert_eq!(said(Anthropic, &one(image.clone())), "messages[0].content[1]: images are not supported");
    let result = json!({"type": "tool_result", "tool_use_id": "a", "content": [image]});
    assert_eq!(said(Anthropic, &one(result)), "messages[0].content[1].content[0]: images are not supported");
    let image = json!({"type": "image_url", "image_url": {"url": "data:"}});
    assert_eq!(said(OpenAiChat, &one(image)), "messages[0].content[1]: image input is not supported");
}

#[test]
fn tool_parts_belong_to_their_roles() {
    let one = |role: &str, block: Value| json!({"messages": [{"role": role, "content": [block]}]});
    let call = json!({"type": "tool_use", "id": "a", "name": "t", "input": {}});
    assert_eq!(said(Anthropic, &one("user", call)), "messages[0].content[0]: only an assistant's message can hold `tool_use`");
    let result = json!({"type": "tool_result", "tool_use_id": "a"});
    assert_eq!(said(Anthropic, &one("assistant", result)), "messages[0].content[0]: only a user's message can hold `tool_result`");
    let tools = json!({"messages": [{"role": "user", "content": "Hi"}], "tools": [{"name": "t"}]});
    assert_eq!(said(Anthropic, &tools), "tools[0].input_schema: is missing");
    assert_eq!(said(OpenAiChat, &json!({"messages": [{"role": "tool", "content": "sun"}]})), "messages[0].tool_call_id: is missing");
    assert_eq!(said(OpenAiChat, &json!({"messages": [{"role": "user"}]})), "messages[0].content: is missing");
    let call = |arguments: &str| json!([{"id": "a", "function": {"name": "t", "arguments": arguments}}]);
    let misplaced = json!({"messages": [{"role": "user", "content": "Hi", "tool_calls": call("{}")}]});
    assert_eq!(said(OpenAiChat, &misplaced), "messages[0].tool_calls: only an assistant's message can hold tool calls");
    for arguments in ["[]", "{", "7", "{} {}"] {
        let body = json!({"messages": [{"role": "assistant", "tool_calls": call(arguments)}]});
        let words = "messages[0].tool_calls[0].function.arguments: is not a JSON object in a string";
        assert!(said(OpenAiChat, &body).starts_with(words), "{arguments}");
    }
}

#[test]
fn what_would_be_answered_wrongly_is_refused() {
    let cases =
        [("n", json!(2)), ("response_format", json!({"type": "json_object"})), ("logprobs", json!(true)), ("logit_bias", json!({"1": 5}))];
    for (field, value) in cases {
        let error = parse(OpenAiChat, &json!({"messages": [{"role": "user", "content": "Hi"}], field: value})).unwrap_err();
        assert_eq!((error.kind(), error.param()), ("unsupported_value", Some(field)));
    }
    let harmless = json!({"messages": [{"role": "user", "content": "Hi"}], "n": 1, "response_format": {"type": "text"},
        "logprobs": false, "logit_bias": {}, "user": "me", "store": false, "parallel_tool_calls": true});
    assert!(parse(OpenAiChat, &harmless).is_ok());
}

#[test]
fn stop_strings_are_few_and_not_empty() {
    for (protocol, field) in [(Anthropic, "stop_sequences"), (OpenAiChat, "stop")] {
        let one = |stop: Value| json!({"messages": [{"role": "user", "content": "Hi"}], field: stop});
        assert!(parse(protocol, &one(json!(vec!["x"; 16]))).is_ok());
        assert_eq!(said(protocol, &one(json!(vec!["x"; 17]))), format!("{field}: has 17 strings, at most 16 are possible"));
        assert_eq!(said(protocol, &one(json!(["x", ""]))), format!("{field}: holds an empty string"));
    }
}
