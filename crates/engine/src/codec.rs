//! Text to tokens and back, as the model defines it.

mod bytes;
mod from_gguf;
mod json;
mod template;

use std::fmt;

use shammah_protocol::{Codec, CodecError, Conversation, LoadError, TokenId};
use tokenizers::Tokenizer;

use self::bytes::TokenBytes;
pub(crate) use self::bytes::byte_alphabet;
pub(crate) use self::from_gguf::{QWEN2_SPLIT, from_metadata};
pub(crate) use self::template::{Markers, Template};

/// The chat template and tokenizer of one model.
pub(crate) struct ModelCodec {
    tokenizer: Tokenizer,
    template: Template,
    bytes: TokenBytes,
}

/// What the tokenizers of Qwen models call their end tokens.
const END_TOKENS: [&str; 2] = ["<|im_end|>", "<|endoftext|>"];

impl ModelCodec {
    /// Joins a tokenizer, for a vocabulary of so many tokens, and a template.
    pub(crate) fn new(tokenizer: Tokenizer, vocabulary: usize, template: Template) -> Self {
        let bytes = TokenBytes::new(&tokenizer, vocabulary);
        Self { tokenizer, template, bytes }
    }

    /// The tokens of this model that end a turn by their name.
    pub(crate) fn named_ends(&self) -> impl Iterator<Item = TokenId> {
        END_TOKENS.iter().filter_map(|name| self.tokenizer.token_to_id(name))
    }
}

/// Reads `tokenizer.json`.
///
/// # Errors
/// [`LoadError::Invalid`].
pub(crate) fn from_json(json: &[u8], what: &str) -> Result<Tokenizer, LoadError> {
    Tokenizer::from_bytes(json).map_err(|error| LoadError::Invalid { what: what.into(), reason: error.to_string() })
}

impl Codec for ModelCodec {
    fn render(&self, conversation: &Conversation) -> Result<String, CodecError> {
        self.template.render(conversation)
    }

    fn encode(&self, text: &str) -> Result<Vec<TokenId>, CodecError> {
        let encoding = self.tokenizer.encode_fast(text, false).map_err(|error| CodecError::Encode(error.to_string()))?;
        Ok(encoding.get_ids().to_vec())
    }

    fn token_bytes(&self, token: TokenId) -> &[u8] {
        self.bytes.of(token)
    }
}

impl fmt::Debug for ModelCodec {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("ModelCodec").finish_non_exhaustive()
    }
}
