//! An answer as OpenAI's chunks.

use serde_json::{Value, json};
use shammah_protocol::{TurnEvent, TurnStart};

use super::reply;
use crate::ask::Delivery;
use crate::frame::{Frame, StreamWriter};
use crate::openai::error;
use crate::problem::Problem;

/// A chunk with the role, one per text, one with the reason, perhaps one with the usage, `[DONE]`; or, after a failure, one
/// error and no `[DONE]`.
#[derive(Debug)]
pub struct Writer {
    start: TurnStart,
    delivery: Delivery,
}

impl Writer {
    /// The writer of one answer.
    pub fn new(start: TurnStart, delivery: Delivery) -> Self {
        Self { start, delivery }
    }

    fn choice(&self, delta: Value, finish_reason: Option<&str>) -> Frame {
        self.chunk(json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish_reason}]), Value::Null)
    }

    fn chunk(&self, choices: Value, usage: Value) -> Frame {
        let mut chunk = json!({
            "id": reply::id(&self.start),
            "object": "chat.completion.chunk",
            "created": self.start.created_at.as_second(),
            "model": self.start.asked,
            "choices": choices,
        });
        if self.delivery == Delivery::StreamWithUsage {
            chunk["usage"] = usage;
        }
        Frame::unnamed(&chunk)
    }
}

impl StreamWriter for Writer {
    fn start(&self) -> Vec<Frame> {
        vec![self.choice(json!({"role": "assistant", "content": ""}), None)]
    }

    fn event(&mut self, event: &TurnEvent) -> Vec<Frame> {
        match event {
            TurnEvent::Text(text) => vec![self.choice(json!({"content": text}), None)],
            TurnEvent::Finished { reason, usage } => {
                let mut frames = vec![self.choice(json!({}), Some(reply::finish_reason(reason)))];
                if self.delivery == Delivery::StreamWithUsage {
                    frames.push(self.chunk(json!([]), reply::usage(*usage)));
                }
                frames.push(Frame { event: None, data: "[DONE]".to_owned() });
                frames
            }
            TurnEvent::Failed(failure) => vec![Frame::unnamed(&error::body(&Problem::from(failure)))],
        }
    }

    fn ping(&self) -> &'static str {
        ": ping\n\n"
    }
}
