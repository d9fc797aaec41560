//! From GGUF metadata.

use shammah_protocol::LoadError;

use super::Config;
use crate::gguf::Header;

/// Reads the shape of the model.
///
/// # Errors
/// [`LoadError::Unsupported`] for another architecture or a scaled RoPE, [`LoadError::Invalid`] for missing or impossible figures.
pub(crate) fn from_metadata(header: &Header, what: &str) -> Result<Config, LoadError> {
    let text = |key: &str| header.metadata.get(key).and_then(|value| value.as_str());
    let unsupported = |reason: String| LoadError::Unsupported { what: what.into(), reason };
    match text("general.architecture") {
        Some("qwen2") => {}
        other => return Err(unsupported(format!("its architecture is {}, not qwen2", other.unwrap_or("unknown")))),
    }
    if let Some(scaling) = text("qwen2.rope.scaling.type").filter(|scaling| *scaling != "none") {
        return Err(unsupported(format!("rope scaling {scaling}")));
    }
    let optional = |key: &str| header.metadata.get(&format!("qwen2.{key}"));
    let missing = |key: &str| LoadError::Invalid { what: what.into(), reason: format!("qwen2.{key} is missing or no number") };
    let size = |key: &str| optional(key).and_then(|value| value.as_u64()?.try_into().ok()).ok_or_else(|| missing(key));
    let number = |key: &str| optional(key).and_then(|value| value.as_f64()).ok_or_else(|| missing(key));

    let (hidden, heads) = (size("embedding_length")?, size("attention.head_count")?);
    let embedding = header.tensors.get("token_embd.weight").and_then(|tensor| tensor.shape.first().copied());
    let config = Config {
        hidden,
        intermediate: size("feed_forward_length")?,
        layers: size("block_count")?,
        heads,
        kv_heads: if optional("attention.head_count_kv").is_some() { size("attention.head_count_kv")? } else { heads },
        head_dim: if optional("attention.key_length").is_some() {
            size("attention.key_length")?
        } else {
            hidden.checked_div(heads).unwrap_or(0)
        },
        vocabulary: embedding.unwrap_or(0),
        window: size("context_length")?,
        rope_theta: if optional("rope.freq_base").is_some() { number("rope.freq_base")? } else { 10_000.0 },
        rms_eps: number("attention.layer_norm_rms_epsilon")? as f32,
        tied: !header.tensors.contains_key("output.weight"),
    };
    config.checked(what)
}
