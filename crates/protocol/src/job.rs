//! What a turn asks of an engine, and what it gets back.

use std::sync::Arc;

use thiserror::Error;

use crate::id::{Correlation, JobId};
use crate::sampling::Sampling;

/// An entry of the model's vocabulary.
pub type TokenId = u32;

/// One attempt to go on with a sequence. It holds everything that the next token depends on, so any engine of the same model
/// continues it exactly.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: JobId,
    pub correlation: Correlation,
    pub prompt: Arc<[TokenId]>,
    /// Tokens that earlier attempts have already produced; the next token's position is their number.
    pub emitted: Vec<TokenId>,
    pub sampling: Sampling,
    /// The completion never grows beyond this many tokens, those of earlier attempts included.
    pub max_tokens: usize,
    /// A crash to cause on purpose, in tests.
    #[cfg(debug_assertions)]
    pub fault: Option<crate::fault::Fault>,
}

impl Job {
    /// Prompt and completion so far, in tokens.
    pub fn length(&self) -> usize {
        self.prompt.len() + self.emitted.len()
    }

    /// What identifies the work, whoever asks: the same prompt hashes to the same value in this process.
    pub fn fingerprint(&self) -> u64 {
        use std::hash::{DefaultHasher, Hash, Hasher};
        let mut hasher = DefaultHasher::new();
        self.prompt.hash(&mut hasher);
        hasher.finish()
    }
}

/// How an engine ends a sequence by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finish {
    /// The model drew one of its end tokens, this one.
    EndToken(TokenId),
    /// `max_tokens` is reached, or the window is full.
    Length,
}

/// Why an engine does not take a job, or gives it up.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Reject {
    #[error("the queue of the engine is full")]
    Busy,
    #[error("no room in the batch came free in time")]
    QueueTimeout,
    #[error("{tokens} tokens do not fit into a window of {window}")]
    TooLong { tokens: usize, window: usize },
    #[error("{tokens} tokens need more cache memory than the budget of {capacity} tokens")]
    NoMemory { tokens: usize, capacity: usize },
    #[error("this prompt has crashed the engine before")]
    EngineCrash,
    #[error("the engine failed on this sequence: {0}")]
    Failed(String),
}

/// What travels from an engine to a turn. The first piece is `Admitted` or `Rejected`; after `Finished` or `Rejected` there is none.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    /// The sequence has a place in the batch.
    Admitted {
        cached_tokens: usize,
    },
    /// The token at `position` of the completion, counted from 0 over all attempts.
    Token {
        position: usize,
        id: TokenId,
    },
    Finished(Finish),
    Rejected(Reject),
}
