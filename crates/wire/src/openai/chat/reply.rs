//! The body of an answer that is sent as a whole.

use serde_json::{Value, json};
use shammah_protocol::{FinishReason, TurnStart, Usage};

use crate::answer::Answer;

/// The whole `chat.completion`, with the session's id beside OpenAI's fields.
pub fn reply(start: &TurnStart, answer: &Answer) -> Value {
    json!({
        "id": id(start),
        "object": "chat.completion",
        "created": start.created_at.as_second(),
        "model": start.asked,
        "choices": [{
            "index": 0,
            "message": {"role": "assistant", "content": answer.text, "refusal": null},
            "logprobs": null,
            "finish_reason": finish_reason(&answer.reason),
        }],
        "usage": usage(answer.usage),
        "session_id": start.session,
    })
}

pub(super) fn id(start: &TurnStart) -> String {
    format!("chatcmpl-{}", start.message)
}

pub(super) fn finish_reason(reason: &FinishReason) -> &'static str {
    match reason {
        FinishReason::EndTurn | FinishReason::StopSequence(_) => "stop",
        FinishReason::MaxTokens => "length",
    }
}

/// Unlike Anthropic's input, `prompt_tokens` includes the cached ones.
pub(super) fn usage(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {"cached_tokens": usage.cached_tokens},
    })
}
