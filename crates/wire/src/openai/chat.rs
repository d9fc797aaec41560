//! `POST /v1/chat/completions`.

mod message;
mod reply;
mod request;
mod stream;

pub use reply::reply;
pub use request::parse;
pub use stream::Writer;
