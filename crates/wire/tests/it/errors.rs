//! Errors in the words of each protocol.

use std::time::Duration;

use serde_json::json;
use shammah_protocol::{RequestId, TurnError};
use shammah_wire::Protocol::{Anthropic, OpenAiChat};
use shammah_wire::{Class, HttpError, Problem, Protocol};

fn sent(protocol: Protocol, error: &TurnError) -> HttpError {
    protocol.error(&Problem::from(error), &RequestId::from("req_1"))
}

#[test]
fn every_failure_of_a_turn_has_its_status() {
    let wait = Duration::from_millis(1500);
    let not_ready = TurnError::ModelNotReady { model: "m".into(), state: "loading".to_owned(), retry_after: wait };
    let cases = [
        (TurnError::ModelNotFound("m".to_owned()), 404, 404),
        (TurnError::PromptTooLong { tokens: 9, window: 8 }, 400, 400),
        (TurnError::InvalidRequest("no".to_owned()), 400, 400),
        (TurnError::Overloaded { what: "the queue", retry_after: wait }, 529, 503),
        (not_ready, 529, 503),
        (TurnError::SessionBusy("s".into()), 409, 409),
        (TurnError::SessionNotFound("s".into()), 404, 404),
        (TurnError::SessionDeleted, 404, 404),
        (TurnError::EngineCrash, 500, 500),
        (TurnError::Interrupted { attempts: 3 }, 500, 500),
        (TurnError::Deadline(wait), 504, 504),
        (TurnError::SlowClient, 504, 504),
        (TurnError::ShuttingDown, 529, 503),
        (TurnError::Internal("x".to_owned()), 500, 500),
    ];
    for (error, anthropic, openai) in cases {
        let (anthropic_sent, openai_sent) = (sent(Anthropic, &error), sent(OpenAiChat, &error));
        assert_eq!((anthropic_sent.status, openai_sent.status), (anthropic, openai), "{error}");
        assert_eq!(anthropic_sent.headers, openai_sent.headers);
        let expected = match error {
            TurnError::Overloaded { .. } | TurnError::ModelNotReady { .. } => vec![("retry-after", "2".to_owned())],
            TurnError::ShuttingDown => vec![("retry-after", "1".to_owned())],
            TurnError::EngineCrash => vec![("x-should-retry", "false".to_owned())],
            _ => vec![],
        };
        assert_eq!(anthropic_sent.headers, expected, "{error}");
    }
}

#[test]
fn bodies_are_those_of_the_protocols() {
    let error = TurnError::PromptTooLong { tokens: 5000, window: 4096 };
    let message = "prompt is too long: 5000 tokens > 4096 maximum; this model's maximum context length is 4096 tokens";
    assert_eq!(
        sent(Anthropic, &error).body,
        json!({"type": "error", "error": {"type": "invalid_request_error", "message": message}, "request_id": "req_1"})
    );
    assert_eq!(
        sent(OpenAiChat, &error).body,
        json!({"error": {"message": message, "type": "invalid_request_error", "param": "messages", "code": "context_length_exceeded"}})
    );
    let missing = sent(OpenAiChat, &TurnError::ModelNotFound("x".to_owned())).body;
    assert_eq!((&missing["error"]["code"], &missing["error"]["param"]), (&json!("model_not_found"), &json!("model")));
}

#[test]
fn a_refused_body_names_the_field() {
    let error = OpenAiChat.parse(br#"{"messages":[]}"#, None).unwrap_err();
    let sent = OpenAiChat.error(&Problem::from(&error), &RequestId::from("req_1"));
    let body = json!({"error": {"message": "messages: must hold at least one message", "type": "invalid_request_error",
        "param": "messages", "code": "invalid_value"}});
    assert_eq!((sent.status, sent.body), (400, body));
}

#[test]
fn the_gate_speaks_the_protocol_of_the_path() {
    for (path, protocol) in [
        ("/v1/messages", Anthropic),
        ("/v1/messages/count_tokens", Anthropic),
        ("/v1/messages_of_others", OpenAiChat),
        ("/v1/chat/completions", OpenAiChat),
        ("/", OpenAiChat),
    ] {
        assert_eq!(Protocol::of_path(path), protocol, "{path}");
    }
    let problem = Problem::new(Class::RateLimited, "rate_limit_exceeded", "slow down").with_retry_after(Some(Duration::ZERO));
    let sent = Anthropic.error(&problem, &RequestId::from("req_1"));
    assert_eq!((sent.status, &sent.body["error"]["type"]), (429, &json!("rate_limit_error")));
    assert_eq!(sent.headers, [("retry-after", "1".to_owned())]);
}
