//! Server-sent events (WHATWG HTML, section 9.2).

use std::fmt::{self, Debug, Display};

use serde_json::Value;
use shammah_protocol::TurnEvent;

/// One event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub event: Option<&'static str>,
    pub data: String,
}

impl Frame {
    /// An event with a name.
    pub fn named(event: &'static str, data: &Value) -> Self {
        Self { event: Some(event), data: data.to_string() }
    }

    /// An event without a name.
    pub fn unnamed(data: &Value) -> Self {
        Self { event: None, data: data.to_string() }
    }

    /// The event as it is sent, the empty line that ends it included.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.to_string().into_bytes()
    }
}

impl Display for Frame {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(event) = self.event {
            writeln!(formatter, "event: {event}")?;
        }
        for line in self.data.split('\n') {
            writeln!(formatter, "data: {line}")?;
        }
        formatter.write_str("\n")
    }
}

/// Writes one answer as the events of one protocol.
pub trait StreamWriter: Send + Debug {
    /// What is sent as soon as the answer is admitted.
    fn start(&self) -> Vec<Frame>;

    /// What an event of the turn becomes. The last event closes the stream: nothing may follow its frames.
    fn event(&mut self, event: &TurnEvent) -> Vec<Frame>;

    /// What is sent while nothing else is, ready to be written.
    fn ping(&self) -> &'static str;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_end_with_an_empty_line() {
        let named = Frame::named("ping", &serde_json::json!({"type": "ping"}));
        assert_eq!(named.to_string(), "event: ping\ndata: {\"type\":\"ping\"}\n\n");
        let text = Frame::unnamed(&serde_json::json!("two\nlines"));
        assert_eq!(text.to_bytes(), b"data: \"two\\nlines\"\n\n");
        let raw = Frame { event: None, data: "two\nlines".to_owned() };
        assert_eq!(raw.to_string(), "data: two\ndata: lines\n\n");
    }
}
