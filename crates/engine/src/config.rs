//! The shape of a model, from its own configuration.

mod gguf;
mod huggingface;

use shammah_protocol::{LoadError, Sampling, TokenId};

pub(crate) use gguf::from_metadata;
pub(crate) use huggingface::{from_json, generation};

/// The shape of a Qwen2 decoder.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Config {
    pub(crate) hidden: usize,
    pub(crate) intermediate: usize,
    pub(crate) layers: usize,
    pub(crate) heads: usize,
    /// Divides `heads`.
    pub(crate) kv_heads: usize,
    /// Even.
    pub(crate) head_dim: usize,
    pub(crate) vocabulary: usize,
    /// Positions.
    pub(crate) window: usize,
    pub(crate) rope_theta: f64,
    pub(crate) rms_eps: f32,
    /// Whether the embedding is also the head.
    pub(crate) tied: bool,
}

/// How the model's makers say that it should be used.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Generation {
    pub(crate) sampling: Sampling,
    /// Tokens that end an answer.
    pub(crate) ends: Vec<TokenId>,
}

/// No model has more of anything; keeps products of two within `usize`.
const LIMIT: usize = 1 << 24;

impl Config {
    /// Checks what the decoder relies on.
    fn checked(self, what: &str) -> Result<Self, LoadError> {
        let sizes = [
            ("hidden size", self.hidden),
            ("intermediate size", self.intermediate),
            ("number of layers", self.layers),
            ("number of heads", self.heads),
            ("number of key heads", self.kv_heads),
            ("head dimension", self.head_dim),
            ("vocabulary", self.vocabulary),
            ("window", self.window),
        ];
        let wrong = sizes.iter().find(|(_, size)| !(1..=LIMIT).contains(size)).map(|(name, size)| format!("its {name} is {size}"));
        let wrong = wrong.or_else(|| {
            if !self.heads.is_multiple_of(self.kv_heads) {
                Some(format!("{} heads cannot share {} key heads", self.heads, self.kv_heads))
            } else if !self.head_dim.is_multiple_of(2) {
                Some(format!("its head dimension {} is odd", self.head_dim))
            } else if !(self.rope_theta.is_finite() && self.rope_theta > 0.0) {
                Some(format!("its rope theta is {}", self.rope_theta))
            } else if !(self.rms_eps.is_finite() && self.rms_eps >= 0.0) {
                Some(format!("its norm epsilon is {}", self.rms_eps))
            } else {
                None
            }
        });
        match wrong {
            None => Ok(self),
            Some(reason) => Err(LoadError::Invalid { what: what.into(), reason }),
        }
    }
}
