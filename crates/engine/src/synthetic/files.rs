//! The files of a synthetic model.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor as CandleTensor};
use half::bf16;
use serde_json::{Value as Json, json};
use shammah_protocol::LoadProgress;

use super::numbers::numbers;
use super::shape::tensors;
use super::vocabulary::{CHAT_TEMPLATE, Vocabulary};
use super::{SyntheticError, SyntheticShape};
use crate::config::Config;
use crate::gguf::{TensorHead, Value, Writer};
use crate::weights::{Part, Progress, Tensor};

/// A number type of safetensors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Float {
    F32,
    Bf16,
}

impl Float {
    fn size(self) -> usize {
        match self {
            Self::F32 => 4,
            Self::Bf16 => 2,
        }
    }

    fn bytes(self, numbers: &[f32]) -> Vec<u8> {
        match self {
            Self::F32 => numbers.iter().flat_map(|number| number.to_le_bytes()).collect(),
            Self::Bf16 => numbers.iter().flat_map(|number| bf16::from_f32(*number).to_le_bytes()).collect(),
        }
    }
}

pub(super) fn write_gguf(
    path: &Path,
    shape: SyntheticShape,
    dtype: GgmlDType,
    seed: u64,
    report: &dyn Fn(LoadProgress),
) -> Result<(), SyntheticError> {
    let config = shape.config();
    let tensors = tensors(&config);
    let heads: Vec<TensorHead> = tensors
        .iter()
        .map(|(tensor, shape)| TensorHead { name: tensor.gguf(), shape: shape.clone(), dtype: fitting(dtype, shape) })
        .collect();
    let mut writer = Writer::new(BufWriter::new(File::create(path)?), &metadata(&config), &heads)?;
    let mut progress = Progress::new(total(&tensors), report);
    for (index, ((tensor, shape), head)) in tensors.iter().zip(&heads).enumerate() {
        let numbers = numbers(seed, index, shape, is_norm(*tensor));
        if head.dtype == GgmlDType::F32 {
            writer.tensor(&Float::F32.bytes(&numbers))?;
        } else {
            let dense = CandleTensor::from_vec(numbers, shape.as_slice(), &Device::Cpu)?;
            writer.tensor(&QTensor::quantize(&dense, head.dtype)?.data()?)?;
        }
        progress.add(shape.iter().product::<usize>() * size_of::<f32>());
    }
    Ok(writer.finish()?)
}

pub(super) fn write_folder(
    path: &Path,
    shape: SyntheticShape,
    float: Float,
    seed: u64,
    report: &dyn Fn(LoadProgress),
) -> Result<(), SyntheticError> {
    let config = shape.config();
    let vocabulary = Vocabulary::new(config.vocabulary);
    std::fs::create_dir_all(path)?;
    let put =
        |name: &str, json: &Json| -> Result<(), SyntheticError> { Ok(std::fs::write(path.join(name), serde_json::to_vec_pretty(json)?)?) };
    put("config.json", &config_json(&config, vocabulary.end()))?;
    put("generation_config.json", &json!({"do_sample": false, "eos_token_id": vocabulary.end()}))?;
    put("tokenizer.json", &vocabulary.tokenizer_json())?;
    put("tokenizer_config.json", &json!({"eos_token": "<|im_end|>", "bos_token": null, "chat_template": CHAT_TEMPLATE}))?;

    let tensors = tensors(&config);
    let mut header = serde_json::Map::new();
    let mut offset = 0;
    for (tensor, shape) in &tensors {
        let end = offset + shape.iter().product::<usize>() * float.size();
        let dtype = if float == Float::F32 { "F32" } else { "BF16" };
        header.insert(tensor.huggingface(), json!({"dtype": dtype, "shape": shape, "data_offsets": [offset, end]}));
        offset = end;
    }
    let mut header = serde_json::to_vec(&header)?;
    header.resize(header.len().next_multiple_of(8), b' ');
    let mut file = BufWriter::new(File::create(path.join("model.safetensors"))?);
    file.write_all(&(header.len() as u64).to_le_bytes())?;
    file.write_all(&header)?;
    let mut progress = Progress::new(total(&tensors), report);
    for (index, (tensor, shape)) in tensors.iter().enumerate() {
        file.write_all(&float.bytes(&numbers(seed, index, shape, is_norm(*tensor))))?;
        progress.add(shape.iter().product::<usize>() * size_of::<f32>());
    }
    Ok(file.flush()?)
}

/// Bytes of all numbers as f32.
fn total(tensors: &[(Tensor, Vec<usize>)]) -> u64 {
    tensors.iter().map(|(_, shape)| (shape.iter().product::<usize>() * size_of::<f32>()) as u64).sum()
}

fn is_norm(tensor: Tensor) -> bool {
    matches!(tensor, Tensor::FinalNorm | Tensor::Layer(_, Part::AttentionNorm | Part::FeedForwardNorm))
}

/// The type that a tensor of this shape gets.
fn fitting(wanted: GgmlDType, shape: &[usize]) -> GgmlDType {
    match shape {
        [_, columns] if columns.is_multiple_of(wanted.block_size()) => wanted,
        [_, columns] if columns.is_multiple_of(GgmlDType::Q8_0.block_size()) => GgmlDType::Q8_0,
        _ => GgmlDType::F32,
    }
}

fn config_json(config: &Config, end: usize) -> Json {
    json!({
        "architectures": ["Qwen2ForCausalLM"],
        "model_type": "qwen2",
        "hidden_act": "silu",
        "hidden_size": config.hidden,
        "intermediate_size": config.intermediate,
        "num_hidden_layers": config.layers,
        "num_attention_heads": config.heads,
        "num_key_value_heads": config.kv_heads,
        "vocab_size": config.vocabulary,
        "max_position_embeddings": config.window,
        "rope_theta": config.rope_theta,
        "rms_norm_eps": 1e-6,
        "tie_word_embeddings": config.tied,
        "eos_token_id": end,
    })
}

fn metadata(config: &Config) -> Vec<(String, Value)> {
    const CONTROL: i64 = 3;
    const NORMAL: i64 = 1;
    let vocabulary = Vocabulary::new(config.vocabulary);
    let control = vocabulary.control();
    let text = |text: &str| Value::Text(text.into());
    let size = |size: usize| Value::Unsigned(size as u64);
    let kinds = (0..vocabulary.tokens.len()).map(|id| Value::Signed(if control.contains(&id) { CONTROL } else { NORMAL }));
    let merges = vocabulary.merges.iter().map(|(left, right)| Value::Text(format!("{left} {right}")));
    let entries = [
        ("general.architecture", text("qwen2")),
        ("qwen2.block_count", size(config.layers)),
        ("qwen2.context_length", size(config.window)),
        ("qwen2.embedding_length", size(config.hidden)),
        ("qwen2.feed_forward_length", size(config.intermediate)),
        ("qwen2.attention.head_count", size(config.heads)),
        ("qwen2.attention.head_count_kv", size(config.kv_heads)),
        ("qwen2.attention.layer_norm_rms_epsilon", Value::Float(config.rms_eps.into())),
        ("qwen2.rope.freq_base", Value::Float(config.rope_theta)),
        ("tokenizer.ggml.model", text("gpt2")),
        ("tokenizer.ggml.pre", text("qwen2")),
        ("tokenizer.ggml.token_type", Value::Array(kinds.collect())),
        ("tokenizer.ggml.merges", Value::Array(merges.collect())),
        ("tokenizer.ggml.eos_token_id", size(vocabulary.end())),
        ("tokenizer.ggml.tokens", Value::Array(vocabulary.tokens.into_iter().map(Value::Text).collect())),
        ("tokenizer.chat_template", text(CHAT_TEMPLATE)),
    ];
    entries.into_iter().map(|(key, value)| (key.to_owned(), value)).collect()
}
