//! Anthropic's Messages protocol (docs.claude.com/en/api/messages).

mod error;
mod message;
mod reply;
mod request;
mod stream;

pub use error::error;
pub use reply::reply;
pub use request::parse;
pub use stream::Writer;
