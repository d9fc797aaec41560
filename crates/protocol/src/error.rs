//! Why there is no answer, or no more of it.

use std::time::Duration;

use thiserror::Error;

use crate::id::{ModelId, SessionId};

/// Everything that can end a turn without an answer. The wire formats turn it into a status and a body of their own.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum TurnError {
    #[error("the model `{0}` does not exist")]
    ModelNotFound(String),
    /// The words are those that clients match on.
    #[error("prompt is too long: {tokens} tokens > {window} maximum")]
    PromptTooLong { tokens: usize, window: usize },
    #[error("{0}")]
    InvalidRequest(String),
    #[error("{what} is full; try again in {} s", retry_after.as_secs())]
    Overloaded { what: &'static str, retry_after: Duration },
    #[error("the model {model} is not ready: {state}")]
    ModelNotReady { model: ModelId, state: String, retry_after: Duration },
    #[error("a turn of the session {0} is still running")]
    SessionBusy(SessionId),
    #[error("the session {0} does not exist")]
    SessionNotFound(SessionId),
    #[error("the session was deleted")]
    SessionDeleted,
    #[error("this prompt crashed the engine more than once and is refused for a while")]
    EngineCrash,
    #[error("the engine was lost {attempts} times without a new token")]
    Interrupted { attempts: u32 },
    #[error("the answer took longer than {} s", .0.as_secs())]
    Deadline(Duration),
    #[error("the client read too slowly")]
    SlowClient,
    #[error("the server is shutting down")]
    ShuttingDown,
    #[error("internal error: {0}")]
    Internal(String),
}

impl TurnError {
    /// A stable word for metrics, logs and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::ModelNotFound(_) => "model_not_found",
            Self::PromptTooLong { .. } => "prompt_too_long",
            Self::InvalidRequest(_) => "invalid_request",
            Self::Overloaded { .. } => "overloaded",
            Self::ModelNotReady { .. } => "model_not_ready",
            Self::SessionBusy(_) => "session_busy",
            Self::SessionNotFound(_) => "session_not_found",
            Self::SessionDeleted => "session_deleted",
            Self::EngineCrash => "engine_crash",
            Self::Interrupted { .. } => "interrupted",
            Self::Deadline(_) => "deadline",
            Self::SlowClient => "slow_client",
            Self::ShuttingDown => "shutting_down",
            Self::Internal(_) => "internal",
        }
    }

    /// How long the client should wait before it asks again; `None` if asking again does not help, or need not wait.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Overloaded { retry_after, .. } | Self::ModelNotReady { retry_after, .. } => Some(*retry_after),
            // By then another daemon may run.
            Self::ShuttingDown => Some(Duration::from_secs(1)),
            _ => None,
        }
    }
}
