//! The engine through its traits.
#![allow(clippy::unwrap_used, reason = "these are tests")]

mod batching;
mod codec;
mod formats;
mod hostile;
mod limits;
mod store;
mod support;
