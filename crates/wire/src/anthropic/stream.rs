//! An answer as Anthropic's events.

use serde_json::json;
use shammah_protocol::{RequestId, TurnEvent, TurnStart, Usage};

use super::{error, reply};
use crate::frame::{Frame, StreamWriter};
use crate::problem::Problem;

/// `message_start`, one text block, `message_delta`, `message_stop`; or, after a failure, one `error` and nothing more.
///
/// The SDKs read the events by name and want `message_start` first, block indexes in order and a block's text to begin empty.
#[derive(Debug)]
pub struct Writer {
    start: TurnStart,
    request: RequestId,
}

impl Writer {
    /// The writer of one answer.
    pub fn new(start: TurnStart, request: RequestId) -> Self {
        Self { start, request }
    }
}

impl StreamWriter for Writer {
    fn start(&self) -> Vec<Frame> {
        let TurnStart { prompt_tokens, cached_tokens, .. } = self.start;
        let usage = reply::usage(Usage { prompt_tokens, cached_tokens, completion_tokens: 0 });
        let message = reply::skeleton(&self.start, usage);
        let block = json!({"type": "text", "text": ""});
        vec![
            Frame::named("message_start", &json!({"type": "message_start", "message": message})),
            Frame::named("content_block_start", &json!({"type": "content_block_start", "index": 0, "content_block": block})),
        ]
    }

    fn event(&mut self, event: &TurnEvent) -> Vec<Frame> {
        match event {
            TurnEvent::Text(text) => {
                let delta = json!({"type": "text_delta", "text": text});
                vec![Frame::named("content_block_delta", &json!({"type": "content_block_delta", "index": 0, "delta": delta}))]
            }
            TurnEvent::Finished { reason, usage } => {
                let delta = json!({"stop_reason": reply::stop_reason(reason), "stop_sequence": reply::stop_sequence(reason)});
                vec![
                    Frame::named("content_block_stop", &json!({"type": "content_block_stop", "index": 0})),
                    Frame::named("message_delta", &json!({"type": "message_delta", "delta": delta, "usage": reply::usage(*usage)})),
                    Frame::named("message_stop", &json!({"type": "message_stop"})),
                ]
            }
            TurnEvent::Failed(failure) => vec![Frame::named("error", &error::body(&Problem::from(failure), &self.request))],
        }
    }

    fn ping(&self) -> &'static str {
        "event: ping\ndata: {\"type\":\"ping\"}\n\n"
    }
}
