//! The fields beside the messages.

use serde_json::{Value, json};
use shammah_protocol::{SamplingOverrides, SessionChoice, SessionId};
use shammah_wire::Delivery;
use shammah_wire::Protocol::{Anthropic, OpenAiChat};

use crate::{parse, request};

/// A shortest body, with these fields.
fn with(fields: &Value) -> Value {
    let mut body = json!({"messages": [{"role": "user", "content": "Hi"}]});
    for (key, value) in fields.as_object().expect("fields are an object") {
        body[key] = value.clone();
    }
    body
}

#[test]
fn absent_fields_are_left_to_the_model() {
    for protocol in [Anthropic, OpenAiChat] {
        let ask = parse(protocol, &with(&json!({"stream": null, "max_tokens": null, "model": ""}))).unwrap();
        assert_eq!(ask.delivery, Delivery::Whole);
        assert_eq!((ask.request.model, ask.request.max_tokens, ask.request.stop.len()), (None, None, 0));
        assert_eq!(ask.request.sampling, SamplingOverrides::default());
        assert_eq!(ask.request.session, SessionChoice::Fresh);
    }
}

#[test]
fn sampling_is_read() {
    let said = request(
        OpenAiChat,
        &with(&json!({"temperature": 0, "top_p": 0.9, "top_k": -1, "min_p": 0.1, "repetition_penalty": 1.1,
            "presence_penalty": 1, "frequency_penalty": -1, "seed": 7, "max_tokens": 5, "max_completion_tokens": 6, "stop": ["a", "b"]})),
    );
    let expected = SamplingOverrides {
        temperature: Some(0.0),
        top_p: Some(0.9),
        top_k: Some(0),
        min_p: Some(0.1),
        repetition_penalty: Some(1.1),
        presence_penalty: Some(1.0),
        frequency_penalty: Some(-1.0),
        seed: Some(7),
    };
    assert_eq!(said.sampling, expected);
    assert_eq!((said.max_tokens, said.stop), (Some(6), vec!["a".to_owned(), "b".to_owned()]));
    let said = request(Anthropic, &with(&json!({"temperature": 1, "top_p": 0.5, "top_k": 40})));
    let expected = SamplingOverrides { temperature: Some(1.0), top_p: Some(0.5), top_k: Some(40), ..SamplingOverrides::default() };
    assert_eq!(said.sampling, expected);
}

#[test]
fn seeds_have_64_bits_with_or_without_a_sign() {
    let seed = |value: Value| parse(OpenAiChat, &with(&json!({"seed": value}))).map(|ask| ask.request.sampling.seed);
    assert_eq!(seed(json!(u64::MAX)), Ok(Some(u64::MAX)));
    assert_eq!(seed(json!(-1)), Ok(Some(u64::MAX)));
    assert_eq!(seed(json!(i64::MIN)), Ok(Some(1 << 63)));
    assert!(seed(json!(1.5)).is_err());
}

#[test]
fn streaming_is_asked_for() {
    let delivery = |protocol, fields| parse(protocol, &with(&fields)).unwrap().delivery;
    assert_eq!(delivery(Anthropic, json!({"stream": true})), Delivery::Stream);
    assert_eq!(delivery(OpenAiChat, json!({"stream": true, "stream_options": {"include_usage": false}})), Delivery::Stream);
    assert_eq!(delivery(OpenAiChat, json!({"stream": true, "stream_options": {"include_usage": true}})), Delivery::StreamWithUsage);
    assert_eq!(delivery(OpenAiChat, json!({"stream": false, "stream_options": {"include_usage": true}})), Delivery::Whole);
}

#[test]
fn the_session_in_the_body_goes_before_the_header() {
    for protocol in [Anthropic, OpenAiChat] {
        let session = |fields, label: Option<&str>| {
            let body = with(&fields).to_string();
            protocol.parse(body.as_bytes(), label.map(SessionId::from)).map(|ask| ask.request.session)
        };
        assert_eq!(session(json!({}), Some("h")), Ok(SessionChoice::Label("h".into())));
        assert_eq!(session(json!({"session_id": "b"}), Some("h")), Ok(SessionChoice::Record("b".into())));
        assert_eq!(session(json!({"session_id": null}), None), Ok(SessionChoice::Fresh));
        let error = session(json!({"session_id": ""}), None).unwrap_err();
        assert_eq!(error.to_string(), "session_id: must have 1 to 128 printable characters");
    }
}
