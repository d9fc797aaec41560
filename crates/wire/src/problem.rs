//! Errors before and after they take on the shape of a protocol.

use std::time::Duration;

use serde_json::Value;
use shammah_protocol::TurnError;

use crate::error::WireError;

/// What kind of error it is; each protocol has a status and a word for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    InvalidRequest,
    Authentication,
    Permission,
    NotFound,
    MethodNotAllowed,
    Conflict,
    TooLarge,
    RateLimited,
    Internal,
    Overloaded,
    Timeout,
}

/// An error in no protocol's words yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    pub class: Class,
    /// A stable word: OpenAI's `code`.
    pub code: &'static str,
    pub message: String,
    /// The path of the field at fault.
    pub param: Option<String>,
    pub retry_after: Option<Duration>,
    /// The same request would fail again: clients are told not to repeat it.
    pub hopeless: bool,
}

/// An error as it is sent. The body is JSON.
#[derive(Clone, Debug, PartialEq)]
pub struct HttpError {
    pub status: u16,
    pub headers: Vec<(&'static str, String)>,
    pub body: Value,
}

impl Class {
    /// The HTTP status; protocols differ only in that of a server that is full.
    pub(crate) fn status(self, overloaded: u16) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Authentication => 401,
            Self::Permission => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Timeout => 504,
            Self::Overloaded => overloaded,
        }
    }
}

impl Problem {
    /// An error that asking again does not depend on.
    pub fn new(class: Class, code: &'static str, message: impl Into<String>) -> Self {
        Self { class, code, message: message.into(), param: None, retry_after: None, hopeless: false }
    }

    /// Names the field at fault.
    #[must_use]
    pub fn with_param(self, param: &str) -> Self {
        Self { param: Some(param.to_owned()), ..self }
    }

    /// Says when to ask again.
    #[must_use]
    pub fn with_retry_after(self, wait: Option<Duration>) -> Self {
        Self { retry_after: wait, ..self }
    }

    /// Puts a protocol's status and body together with the headers that are the same in both.
    pub(crate) fn respond(&self, status: u16, body: Value) -> HttpError {
        // Whole seconds and at least one: clients parse an integer, and 0 would make them spin.
        let wait = self.retry_after.map(|wait| ("retry-after", wait.as_millis().div_ceil(1000).max(1).to_string()));
        let verdict = self.hopeless.then(|| ("x-should-retry", "false".to_owned()));
        HttpError { status, headers: wait.into_iter().chain(verdict).collect(), body }
    }
}

impl From<&WireError> for Problem {
    fn from(error: &WireError) -> Self {
        let problem = Self::new(Class::InvalidRequest, error.kind(), error.to_string());
        Self { param: error.param().map(str::to_owned), ..problem }
    }
}

impl From<&TurnError> for Problem {
    fn from(error: &TurnError) -> Self {
        let of = |class| Self::new(class, error.kind(), error.to_string()).with_retry_after(error.retry_after());
        match error {
            TurnError::ModelNotFound(_) => of(Class::NotFound).with_param("model"),
            // Claude Code matches the first half of the message, LiteLLM (aider) the second.
            TurnError::PromptTooLong { window, .. } => Self {
                code: "context_length_exceeded",
                message: format!("{error}; this model's maximum context length is {window} tokens"),
                ..of(Class::InvalidRequest).with_param("messages")
            },
            TurnError::InvalidRequest(_) => of(Class::InvalidRequest),
            TurnError::Overloaded { .. } | TurnError::ModelNotReady { .. } | TurnError::ShuttingDown => of(Class::Overloaded),
            TurnError::SessionBusy(_) => of(Class::Conflict),
            TurnError::SessionNotFound(_) | TurnError::SessionDeleted => of(Class::NotFound).with_param("session_id"),
            TurnError::EngineCrash => Self { hopeless: true, ..of(Class::Internal) },
            TurnError::Interrupted { .. } | TurnError::Internal(_) => of(Class::Internal),
            TurnError::Deadline(_) | TurnError::SlowClient => of(Class::Timeout),
        }
    }
}
