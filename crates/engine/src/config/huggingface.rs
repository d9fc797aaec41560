//! From `config.json` and `generation_config.json`, as transformers 4 and 5 write them.

use serde::Deserialize;
use serde_json::Value;
use shammah_protocol::{LoadError, Sampling, TokenId};

use super::{Config, Generation};

#[derive(Deserialize)]
struct ConfigFile {
    model_type: Option<String>,
    hidden_size: usize,
    intermediate_size: usize,
    num_hidden_layers: usize,
    num_attention_heads: usize,
    num_key_value_heads: Option<usize>,
    head_dim: Option<usize>,
    vocab_size: usize,
    max_position_embeddings: usize,
    rms_norm_eps: f32,
    hidden_act: Option<String>,
    #[serde(default)]
    tie_word_embeddings: bool,
    #[serde(default)]
    use_sliding_window: bool,
    /// transformers 4.
    rope_theta: Option<f64>,
    rope_scaling: Option<Rope>,
    /// transformers 5.
    rope_parameters: Option<Rope>,
}

#[derive(Deserialize)]
struct Rope {
    #[serde(alias = "type")]
    rope_type: Option<String>,
    rope_theta: Option<f64>,
}

/// Reads the shape of the model.
///
/// # Errors
/// [`LoadError::Unsupported`] for another architecture, a scaled RoPE or a sliding window, [`LoadError::Invalid`] for missing or
/// impossible figures.
pub(crate) fn from_json(json: &str, what: &str) -> Result<Config, LoadError> {
    let file: ConfigFile = parse(json, what)?;
    let ropes = [file.rope_scaling.as_ref(), file.rope_parameters.as_ref()];
    let scaling = ropes.into_iter().flatten().filter_map(|rope| rope.rope_type.as_deref()).find(|kind| *kind != "default");
    let unsupported = if file.model_type.as_deref() != Some("qwen2") {
        Some(format!("its architecture is {}, not qwen2", file.model_type.as_deref().unwrap_or("unknown")))
    } else if let Some(kind) = scaling {
        Some(format!("rope scaling {kind}"))
    } else if file.use_sliding_window {
        Some("a sliding window".into())
    } else {
        file.hidden_act.filter(|act| act != "silu").map(|act| format!("the activation {act}"))
    };
    if let Some(reason) = unsupported {
        return Err(LoadError::Unsupported { what: what.into(), reason });
    }
    let config = Config {
        hidden: file.hidden_size,
        intermediate: file.intermediate_size,
        layers: file.num_hidden_layers,
        heads: file.num_attention_heads,
        kv_heads: file.num_key_value_heads.unwrap_or(file.num_attention_heads),
        head_dim: file.head_dim.unwrap_or(file.hidden_size.checked_div(file.num_attention_heads).unwrap_or(0)),
        vocabulary: file.vocab_size,
        window: file.max_position_embeddings,
        rope_theta: file.rope_parameters.and_then(|rope| rope.rope_theta).or(file.rope_theta).unwrap_or(10_000.0),
        rms_eps: file.rms_norm_eps,
        tied: file.tie_word_embeddings,
    };
    config.checked(what)
}

#[derive(Deserialize)]
struct GenerationFile {
    do_sample: Option<bool>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<u32>,
    repetition_penalty: Option<f32>,
}

/// Reads sampling defaults from `generation_config.json`, and end tokens from both files. A missing generation config is no error.
///
/// # Errors
/// [`LoadError::Invalid`] if one of the files is not what it should be.
pub(crate) fn generation(config: &str, generation: Option<&str>, what: &str) -> Result<Generation, LoadError> {
    let mut ends = end_tokens(&parse(config, what)?);
    let Some(json) = generation else {
        return Ok(Generation { sampling: Sampling::default(), ends });
    };
    let file: GenerationFile = parse(json, what)?;
    for end in end_tokens(&parse(json, what)?) {
        if !ends.contains(&end) {
            ends.push(end);
        }
    }
    let defaults = Sampling::default();
    let temperature = if file.do_sample == Some(false) { Some(0.0) } else { file.temperature };
    let sampling = Sampling {
        temperature: temperature.unwrap_or(defaults.temperature),
        top_p: file.top_p.unwrap_or(defaults.top_p),
        top_k: file.top_k.unwrap_or(defaults.top_k),
        repetition_penalty: file.repetition_penalty.unwrap_or(defaults.repetition_penalty),
        ..defaults
    };
    Ok(Generation { sampling, ends })
}

/// `eos_token_id` is a number, a list, or null.
fn end_tokens(file: &Value) -> Vec<TokenId> {
    let id = |value: &Value| value.as_u64().and_then(|id| TokenId::try_from(id).ok());
    match file.get("eos_token_id") {
        Some(Value::Array(ids)) => ids.iter().filter_map(id).collect(),
        Some(value) => id(value).into_iter().collect(),
        None => Vec::new(),
    }
}

fn parse<'a, T: Deserialize<'a>>(json: &'a str, what: &str) -> Result<T, LoadError> {
    serde_json::from_str(json).map_err(|error| LoadError::Invalid { what: what.into(), reason: error.to_string() })
}
