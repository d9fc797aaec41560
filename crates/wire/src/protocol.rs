//! The protocols that clients speak.

use serde_json::Value;
use shammah_protocol::{RequestId, SessionId, TurnStart};

use crate::answer::Answer;
use crate::ask::{Ask, Delivery};
use crate::error::WireError;
use crate::frame::StreamWriter;
use crate::problem::{HttpError, Problem};
use crate::{anthropic, openai};

/// A protocol in which an answer can be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// `POST /v1/messages`.
    Anthropic,
    /// `POST /v1/chat/completions`; its errors are those of every other route too.
    OpenAiChat,
}

impl Protocol {
    /// Whose error format a path is answered in.
    pub fn of_path(path: &str) -> Self {
        match path.strip_prefix("/v1/messages") {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => Self::Anthropic,
            _ => Self::OpenAiChat,
        }
    }

    /// Reads a request's body. `label` is the session that a header named; an id in the body goes before it.
    ///
    /// # Errors
    /// [`WireError`] if the body is not a request of this protocol, or asks for what is not supported.
    pub fn parse(self, body: &[u8], label: Option<SessionId>) -> Result<Ask, WireError> {
        match self {
            Self::Anthropic => anthropic::parse(body, label),
            Self::OpenAiChat => openai::chat::parse(body, label),
        }
    }

    /// The body of an answer that is sent as a whole.
    pub fn reply(self, start: &TurnStart, answer: &Answer) -> Value {
        match self {
            Self::Anthropic => anthropic::reply(start, answer),
            Self::OpenAiChat => openai::chat::reply(start, answer),
        }
    }

    /// The writer of an answer that is streamed.
    pub fn writer(self, start: TurnStart, delivery: Delivery, request: RequestId) -> Box<dyn StreamWriter> {
        match self {
            Self::Anthropic => Box::new(anthropic::Writer::new(start, request)),
            Self::OpenAiChat => Box::new(openai::chat::Writer::new(start, delivery)),
        }
    }

    /// An error as this protocol sends it before any part of an answer.
    pub fn error(self, problem: &Problem, request: &RequestId) -> HttpError {
        match self {
            Self::Anthropic => anthropic::error(problem, request),
            Self::OpenAiChat => openai::error(problem),
        }
    }
}
