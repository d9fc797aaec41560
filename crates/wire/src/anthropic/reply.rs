//! The body of an answer that is sent as a whole.

use serde_json::{Value, json};
use shammah_protocol::{FinishReason, TurnStart, Usage};

use crate::answer::Answer;

/// The whole message. It always has one text block, an empty answer too: clients read `content[0].text`.
pub fn reply(start: &TurnStart, answer: &Answer) -> Value {
    let mut message = skeleton(start, usage(answer.usage));
    message["content"] = json!([{"type": "text", "text": answer.text}]);
    message["stop_reason"] = json!(stop_reason(&answer.reason));
    message["stop_sequence"] = json!(stop_sequence(&answer.reason));
    message
}

/// The message before anything is said.
pub(super) fn skeleton(start: &TurnStart, usage: Value) -> Value {
    json!({
        "id": format!("msg_{}", start.message),
        "type": "message",
        "role": "assistant",
        "model": start.asked,
        "content": [],
        "stop_reason": null,
        "stop_sequence": null,
        "usage": usage,
        "session_id": start.session,
    })
}

/// The input is the sum of its three parts: unlike OpenAI's, `input_tokens` leaves the cached ones out.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "input_tokens": usage.prompt_tokens.saturating_sub(usage.cached_tokens),
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": usage.cached_tokens,
        "output_tokens": usage.completion_tokens,
    })
}

pub(super) fn stop_reason(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::EndTurn => "end_turn",
        FinishReason::StopSequence(_) => "stop_sequence",
        FinishReason::MaxTokens => "max_tokens",
    }
}

pub(super) fn stop_sequence(reason: &FinishReason) -> Option<&str> {
    match reason {
        FinishReason::StopSequence(text) => Some(text),
        FinishReason::EndTurn | FinishReason::MaxTokens => None,
    }
}
