//! What the tensors of a Qwen2 model are called.

/// A tensor of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tensor {
    Embedding,
    FinalNorm,
    /// Missing where the embedding is also the head.
    Head,
    Layer(usize, Part),
}

/// A tensor of one layer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    AttentionNorm,
    Query,
    QueryBias,
    Key,
    KeyBias,
    Value,
    ValueBias,
    Output,
    FeedForwardNorm,
    Gate,
    Up,
    Down,
}

impl Part {
    fn names(self) -> (&'static str, &'static str) {
        match self {
            Self::AttentionNorm => ("input_layernorm.weight", "attn_norm.weight"),
            Self::Query => ("self_attn.q_proj.weight", "attn_q.weight"),
            Self::QueryBias => ("self_attn.q_proj.bias", "attn_q.bias"),
            Self::Key => ("self_attn.k_proj.weight", "attn_k.weight"),
            Self::KeyBias => ("self_attn.k_proj.bias", "attn_k.bias"),
            Self::Value => ("self_attn.v_proj.weight", "attn_v.weight"),
            Self::ValueBias => ("self_attn.v_proj.bias", "attn_v.bias"),
            Self::Output => ("self_attn.o_proj.weight", "attn_output.weight"),
            Self::FeedForwardNorm => ("post_attention_layernorm.weight", "ffn_norm.weight"),
            Self::Gate => ("mlp.gate_proj.weight", "ffn_gate.weight"),
            Self::Up => ("mlp.up_proj.weight", "ffn_up.weight"),
            Self::Down => ("mlp.down_proj.weight", "ffn_down.weight"),
        }
    }
}

impl Tensor {
    /// Its name in safetensors.
    pub(crate) fn huggingface(self) -> String {
        match self {
            Self::Embedding => "model.embed_tokens.weight".into(),
            Self::FinalNorm => "model.norm.weight".into(),
            Self::Head => "lm_head.weight".into(),
            Self::Layer(layer, part) => format!("model.layers.{layer}.{}", part.names().0),
        }
    }

    /// Its name in GGUF.
    pub(crate) fn gguf(self) -> String {
        match self {
            Self::Embedding => "token_embd.weight".into(),
            Self::FinalNorm => "output_norm.weight".into(),
            Self::Head => "output.weight".into(),
            Self::Layer(layer, part) => format!("blk.{layer}.{}", part.names().1),
        }
    }
}
