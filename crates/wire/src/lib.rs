//! The HTTP protocols: their bodies as types, and their translation to and from `protocol`. No I/O.
//!
//! [`Protocol`] is the whole edge. A body becomes an [`Ask`]; the answer goes back as one JSON body ([`Protocol::reply`]) or as
//! server-sent events ([`Protocol::writer`]); every error becomes a [`Problem`] and then an [`HttpError`] of the protocol that
//! was called.

pub mod answer;
pub mod anthropic;
pub mod ask;
mod body;
mod content;
pub mod error;
pub mod frame;
pub mod models;
pub mod openai;
pub mod problem;
pub mod protocol;
pub mod session;

pub use answer::Answer;
pub use ask::{Ask, Delivery};
pub use error::WireError;
pub use frame::{Frame, StreamWriter};
pub use problem::{Class, HttpError, Problem};
pub use protocol::Protocol;
pub use session::SessionView;
