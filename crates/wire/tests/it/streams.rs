//! Answers that are streamed, byte for byte.

use shammah_protocol::{FinishReason, RequestId, TurnError, TurnEvent, Usage};
use shammah_wire::Protocol::{self, Anthropic, OpenAiChat};
use shammah_wire::{Delivery, Frame};

use crate::start;

const MESSAGE_START: &str = concat!(
    r#"event: message_start"#,
    "\n",
    r#"data: {"type":"message_start","message":{"id":"msg_abc","type":"message","role":"assistant","model":"claude-sonnet","#,
    r#""content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":6,"cache_creation_input_tokens":0,"#,
    r#""cache_read_input_tokens":4,"output_tokens":0},"session_id":"sess_1"}}"#,
    "\n\n",
    "event: content_block_start\n",
    r#"data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
    "\n\n",
);
const CHUNK: &str = r#"data: {"id":"chatcmpl-abc","object":"chat.completion.chunk","created":1795244889,"model":"claude-sonnet","#;

fn stream(protocol: Protocol, delivery: Delivery, events: &[TurnEvent]) -> String {
    let mut writer = protocol.writer(start(), delivery, RequestId::from("req_1"));
    let mut frames = writer.start();
    frames.extend(events.iter().flat_map(|event| writer.event(event)));
    frames.iter().map(Frame::to_string).collect()
}

fn finished() -> TurnEvent {
    TurnEvent::Finished { reason: FinishReason::EndTurn, usage: Usage { prompt_tokens: 10, cached_tokens: 4, completion_tokens: 3 } }
}

fn text(text: &str) -> TurnEvent {
    TurnEvent::Text(text.to_owned())
}

#[test]
fn anthropic_tells_a_message_from_start_to_stop() {
    let expected = concat!(
        "event: content_block_delta\n",
        r#"data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel\nlo"}}"#,
        "\n\n",
        "event: content_block_stop\n",
        r#"data: {"type":"content_block_stop","index":0}"#,
        "\n\n",
        "event: message_delta\n",
        r#"data: {"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"input_tokens":6,"#,
        r#""cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":3}}"#,
        "\n\n",
        "event: message_stop\n",
        r#"data: {"type":"message_stop"}"#,
        "\n\n",
    );
    assert_eq!(stream(Anthropic, Delivery::Stream, &[text("Hel\nlo"), finished()]), format!("{MESSAGE_START}{expected}"));
}

#[test]
fn an_empty_answer_is_still_a_whole_message() {
    let names = |protocol| {
        let told = stream(protocol, Delivery::Stream, &[finished()]);
        told.lines().filter_map(|line| line.strip_prefix("event: ")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(names(Anthropic), ["message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop"]);
    assert_eq!(stream(OpenAiChat, Delivery::Stream, &[finished()]).matches("data: ").count(), 3);
}

#[test]
fn openai_tells_chunks() {
    let told = |usage: &str| {
        [
            format!(
                r#"{CHUNK}"choices":[{{"index":0,"delta":{{"role":"assistant","content":""}},"logprobs":null,"finish_reason":null}}]{usage}}}"#
            ),
            format!(r#"{CHUNK}"choices":[{{"index":0,"delta":{{"content":"Hi"}},"logprobs":null,"finish_reason":null}}]{usage}}}"#),
            format!(r#"{CHUNK}"choices":[{{"index":0,"delta":{{}},"logprobs":null,"finish_reason":"stop"}}]{usage}}}"#),
        ]
        .join("\n\n")
    };
    let events = [text("Hi"), finished()];
    assert_eq!(stream(OpenAiChat, Delivery::Stream, &events), format!("{}\n\ndata: [DONE]\n\n", told("")));
    let counts = concat!(
        r#""choices":[],"usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13,"#,
        r#""prompt_tokens_details":{"cached_tokens":4}}}"#,
    );
    let expected = format!("{}\n\n{CHUNK}{counts}\n\ndata: [DONE]\n\n", told(r#","usage":null"#));
    assert_eq!(stream(OpenAiChat, Delivery::StreamWithUsage, &events), expected);
}

#[test]
fn a_broken_stream_ends_with_one_error() {
    let failed = TurnEvent::Failed(TurnError::Interrupted { attempts: 3 });
    let told = stream(Anthropic, Delivery::Stream, &[text("Hi"), failed.clone()]);
    let expected = concat!(
        "event: error\n",
        r#"data: {"type":"error","error":{"type":"api_error","message":"the engine was lost 3 times without a new token"},"#,
        r#""request_id":"req_1"}"#,
        "\n\n",
    );
    assert!(told.ends_with(expected), "{told}");
    assert!(!told.contains("message_stop") && !told.contains("content_block_stop"));
    let told = stream(OpenAiChat, Delivery::StreamWithUsage, &[text("Hi"), failed]);
    let expected = concat!(
        r#"data: {"error":{"message":"the engine was lost 3 times without a new token","type":"server_error","param":null,"#,
        r#""code":"interrupted"}}"#,
        "\n\n",
    );
    assert!(told.ends_with(expected), "{told}");
    assert!(!told.contains("[DONE]"));
}

#[test]
fn pings_are_whole_events() {
    let ping = |protocol: Protocol| protocol.writer(start(), Delivery::Stream, RequestId::from("req_1")).ping();
    assert_eq!(ping(Anthropic), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
    assert_eq!(ping(OpenAiChat), ": ping\n\n");
}
