//! Between text and tokens, as the model itself defines it.

use std::fmt::Debug;

use thiserror::Error;

use crate::conversation::Conversation;
use crate::job::TokenId;

/// Why a conversation has no prompt.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CodecError {
    /// The chat template refuses the conversation, in its own words.
    #[error("the model's chat template refuses these messages: {0}")]
    Refused(String),
    #[error("the text cannot be encoded: {0}")]
    Encode(String),
}

/// Chat template and tokenizer of one model. Calls may take milliseconds: not for an actor's handler.
pub trait Codec: Send + Sync + Debug {
    /// Renders the conversation by the model's chat template, up to where the assistant begins to speak.
    ///
    /// # Errors
    /// [`CodecError::Refused`] if the template raises an exception.
    fn render(&self, conversation: &Conversation) -> Result<String, CodecError>;

    /// Tokens of a rendered prompt; control tokens in the text are recognised, none is added.
    ///
    /// # Errors
    /// [`CodecError::Encode`] if the tokenizer fails.
    fn encode(&self, text: &str) -> Result<Vec<TokenId>, CodecError>;

    /// The bytes that a token adds to the text; empty for control tokens. A character may span several tokens.
    fn token_bytes(&self, token: TokenId) -> &[u8];
}
