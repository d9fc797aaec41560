//! OpenAI's protocols (platform.openai.com/docs/api-reference).

pub mod chat;
mod error;

pub use error::error;
