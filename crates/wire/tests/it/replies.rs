//! Answers that are sent as a whole.

use serde_json::json;
use shammah_protocol::{FinishReason, Usage};
use shammah_wire::Answer;
use shammah_wire::Protocol::{Anthropic, OpenAiChat};

use crate::start;

fn answer(reason: FinishReason) -> Answer {
    Answer { text: "Hello".to_owned(), reason, usage: Usage { prompt_tokens: 10, cached_tokens: 4, completion_tokens: 3 } }
}

#[test]
fn anthropic_leaves_cached_tokens_out_of_the_input() {
    assert_eq!(
        Anthropic.reply(&start(), &answer(FinishReason::EndTurn)),
        json!({
            "id": "msg_abc", "type": "message", "role": "assistant", "model": "claude-sonnet",
            "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn", "stop_sequence": null,
            "usage": {"input_tokens": 6, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 4, "output_tokens": 3},
            "session_id": "sess_1",
        })
    );
    let stopped = Anthropic.reply(&start(), &answer(FinishReason::StopSequence("END".to_owned())));
    assert_eq!((&stopped["stop_reason"], &stopped["stop_sequence"]), (&json!("stop_sequence"), &json!("END")));
    assert_eq!(Anthropic.reply(&start(), &answer(FinishReason::MaxTokens))["stop_reason"], "max_tokens");
}

#[test]
fn openai_counts_cached_tokens_in_the_prompt() {
    assert_eq!(
        OpenAiChat.reply(&start(), &answer(FinishReason::EndTurn)),
        json!({
            "id": "chatcmpl-abc", "object": "chat.completion", "created": 1_795_244_889, "model": "claude-sonnet",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello", "refusal": null}, "logprobs": null,
                "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13, "prompt_tokens_details": {"cached_tokens": 4}},
            "session_id": "sess_1",
        })
    );
    let reason = |reason| OpenAiChat.reply(&start(), &answer(reason))["choices"][0]["finish_reason"].clone();
    assert_eq!(reason(FinishReason::StopSequence("END".to_owned())), "stop");
    assert_eq!(reason(FinishReason::MaxTokens), "length");
}
