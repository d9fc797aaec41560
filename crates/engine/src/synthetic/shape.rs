//! Shapes that are worth imitating.

use std::str::FromStr;

use super::SyntheticError;
use crate::config::Config;
use crate::weights::{Part, Tensor};

/// The shape of a model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntheticShape {
    /// Three layers, 7 heads on one key head, a vocabulary of 384: for tests.
    Tiny,
    /// As `Tiny`, with an untied head.
    TinyUntied,
    Qwen2_5_0_5b,
    Qwen2_5_1_5b,
    Qwen2_5_3b,
}

impl SyntheticShape {
    /// All shapes by name.
    pub const ALL: [(&str, Self); 5] = [
        ("tiny", Self::Tiny),
        ("tiny-untied", Self::TinyUntied),
        ("qwen2.5-0.5b", Self::Qwen2_5_0_5b),
        ("qwen2.5-1.5b", Self::Qwen2_5_1_5b),
        ("qwen2.5-3b", Self::Qwen2_5_3b),
    ];

    pub(super) fn config(self) -> Config {
        let (hidden, intermediate, layers, heads, kv_heads) = match self {
            Self::Tiny | Self::TinyUntied => (224, 320, 3, 7, 1),
            Self::Qwen2_5_0_5b => (896, 4864, 24, 14, 2),
            Self::Qwen2_5_1_5b => (1536, 8960, 28, 12, 2),
            Self::Qwen2_5_3b => (2048, 11008, 36, 16, 2),
        };
        let tiny = matches!(self, Self::Tiny | Self::TinyUntied);
        Config {
            hidden,
            intermediate,
            layers,
            heads,
            kv_heads,
            head_dim: hidden / heads,
            vocabulary: if tiny { 384 } else { 151_936 },
            window: if tiny { 1024 } else { 32_768 },
            rope_theta: 1_000_000.0,
            rms_eps: 1e-6,
            tied: self != Self::TinyUntied,
        }
    }
}

impl FromStr for SyntheticShape {
    type Err = SyntheticError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, shape)| shape).ok_or_else(|| SyntheticError::UnknownShape(name.into()))
    }
}

/// All tensors with their dimensions, outermost first, in the order of the files.
pub(super) fn tensors(config: &Config) -> Vec<(Tensor, Vec<usize>)> {
    let (hidden, inner) = (config.hidden, config.intermediate);
    let (width, kv_width) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
    let layer = [
        (Part::AttentionNorm, vec![hidden]),
        (Part::Query, vec![width, hidden]),
        (Part::QueryBias, vec![width]),
        (Part::Key, vec![kv_width, hidden]),
        (Part::KeyBias, vec![kv_width]),
        (Part::Value, vec![kv_width, hidden]),
        (Part::ValueBias, vec![kv_width]),
        (Part::Output, vec![hidden, width]),
        (Part::FeedForwardNorm, vec![hidden]),
        (Part::Gate, vec![inner, hidden]),
        (Part::Up, vec![inner, hidden]),
        (Part::Down, vec![hidden, inner]),
    ];
    let mut tensors = vec![(Tensor::Embedding, vec![config.vocabulary, hidden])];
    for index in 0..config.layers {
        tensors.extend(layer.iter().map(|(part, shape)| (Tensor::Layer(index, *part), shape.clone())));
    }
    tensors.push((Tensor::FinalNorm, vec![hidden]));
    if !config.tied {
        tensors.push((Tensor::Head, vec![config.vocabulary, hidden]));
    }
    tensors
}
