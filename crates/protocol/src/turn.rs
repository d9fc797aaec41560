//! What a client hears of an answer in the making. The three writers of the wire formats read this one stream.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::TurnError;
use crate::id::{MessageId, ModelId, SessionId};

/// The answer begins: known when the engine has admitted the sequence, before any response header is sent.
#[derive(Clone, Debug, PartialEq)]
pub struct TurnStart {
    pub message: MessageId,
    pub session: SessionId,
    /// Who answers.
    pub model: ModelId,
    /// The name that was asked for; the reply repeats it.
    pub asked: String,
    pub created_at: Timestamp,
    pub prompt_tokens: usize,
    /// Of `prompt_tokens`: found in the page store.
    pub cached_tokens: usize,
}

/// Tokens of one answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub prompt_tokens: usize,
    /// Of `prompt_tokens`: found in the page store.
    pub cached_tokens: usize,
    /// Every token that was drawn, the end token included.
    pub completion_tokens: usize,
}

/// Why an answer is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FinishReason {
    /// The model ended it.
    EndTurn,
    /// One of the request's stop strings, this one, would have followed.
    StopSequence(String),
    /// `max_tokens` or the window.
    MaxTokens,
}

/// One event of an answer. `Finished` or `Failed` is the last, and there is exactly one of them.
#[derive(Clone, Debug, PartialEq)]
pub enum TurnEvent {
    /// More text; never a part of a character, never empty.
    Text(String),
    Finished {
        reason: FinishReason,
        usage: Usage,
    },
    Failed(TurnError),
}
