//! A complete answer.

use shammah_protocol::{FinishReason, Usage};

/// What a turn's events add up to, for a client that does not stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer {
    pub text: String,
    pub reason: FinishReason,
    pub usage: Usage,
}
