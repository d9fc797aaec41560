//! An answer that streams in from the daemon.

use std::collections::VecDeque;

use anyhow::{anyhow, bail};
use reqwest::Response;
use serde_json::Value;

use super::client::cause;
use super::events::{Event, EventReader};

/// Names the model that answers.
const MODEL: &str = "x-shammah-model";

/// An answer in the making. Dropping it ends it.
#[derive(Debug)]
pub(super) struct Reply {
    response: Response,
    reader: EventReader,
    unread: VecDeque<Event>,
}

/// What one event says.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    Text(String),
    Nothing,
    End,
}

impl Reply {
    pub(super) fn new(response: Response) -> Self {
        Self { response, reader: EventReader::default(), unread: VecDeque::new() }
    }

    /// Who answers.
    pub(super) fn model(&self) -> Option<&str> {
        self.response.headers().get(MODEL)?.to_str().ok()
    }

    /// More text; `None` after a good end.
    ///
    /// # Errors
    /// The daemon's own, or that the stream broke off.
    pub(super) async fn next(&mut self) -> anyhow::Result<Option<String>> {
        loop {
            while let Some(event) = self.unread.pop_front() {
                match step(&event)? {
                    Step::Text(text) => return Ok(Some(text)),
                    Step::Nothing => {}
                    Step::End => return Ok(None),
                }
            }
            let broken = |why: String| anyhow!("the daemon broke off before the answer was complete: {why}");
            let bytes = self.response.chunk().await.map_err(|error| broken(cause(&error)))?;
            let bytes = bytes.ok_or_else(|| broken("the stream has no end".into()))?;
            self.unread.extend(self.reader.feed(&bytes));
        }
    }
}

/// Reads one event of OpenAI's stream. Those with a name are extras that nobody here asked for.
fn step(event: &Event) -> anyhow::Result<Step> {
    match event.data.as_str() {
        _ if event.name.is_some() => return Ok(Step::Nothing),
        "[DONE]" => return Ok(Step::End),
        _ => {}
    }
    let chunk: Value = serde_json::from_str(&event.data).map_err(|error| anyhow!("the daemon's answer cannot be read: {error}"))?;
    if let Some(error) = chunk.get("error") {
        bail!("{}", error["message"].as_str().unwrap_or("the daemon ended the answer with an error"));
    }
    let text = chunk.pointer("/choices/0/delta/content").and_then(Value::as_str).filter(|text| !text.is_empty());
    Ok(text.map_or(Step::Nothing, |text| Step::Text(text.to_owned())))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;
    use shammah_protocol::{FinishReason, MessageId, ModelId, RequestId, SessionId, TurnError, TurnEvent, TurnStart, Usage};
    use shammah_wire::{Delivery, Protocol};

    use super::*;

    fn steps(events: &[TurnEvent]) -> Vec<Result<Step, String>> {
        let start = TurnStart {
            message: MessageId::random(),
            session: SessionId::random(),
            model: ModelId::from("m"),
            asked: "m".into(),
            created_at: Timestamp::UNIX_EPOCH,
            prompt_tokens: 1,
            cached_tokens: 0,
        };
        let mut writer = Protocol::OpenAiChat.writer(start, Delivery::Stream, RequestId::random());
        let mut frames = writer.start();
        frames.extend(events.iter().flat_map(|event| writer.event(event)));
        let mut reader = EventReader::default();
        let read = frames.iter().flat_map(|frame| reader.feed(&frame.to_bytes())).collect::<Vec<_>>();
        read.iter().map(|event| step(event).map_err(|error| error.to_string())).filter(|step| *step != Ok(Step::Nothing)).collect()
    }

    #[test]
    fn an_answer_is_read_to_its_end() {
        let finished = TurnEvent::Finished { reason: FinishReason::EndTurn, usage: Usage::default() };
        let read = steps(&[TurnEvent::Text("a\n".into()), TurnEvent::Text("ü".into()), finished]);
        assert_eq!(read, [Ok(Step::Text("a\n".into())), Ok(Step::Text("ü".into())), Ok(Step::End)]);
    }

    #[test]
    fn a_failure_is_told_in_its_own_words() {
        let read = steps(&[TurnEvent::Text("a".into()), TurnEvent::Failed(TurnError::ShuttingDown)]);
        assert_eq!(read, [Ok(Step::Text("a".into())), Err("the server is shutting down".into())]);
    }

    #[test]
    fn extras_are_passed_over() {
        let extra = Event { name: Some("shammah.tool".into()), data: "{}".into() };
        assert_eq!(step(&extra).unwrap(), Step::Nothing);
    }
}
