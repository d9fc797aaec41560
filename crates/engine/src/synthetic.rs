//! Random models in true shapes: the same files as a real model, weights without sense. For tests and benchmarks without a download.

mod files;
mod numbers;
mod shape;
mod vocabulary;

use std::path::Path;
use std::str::FromStr;

use candle_core::quantized::GgmlDType;
use shammah_protocol::LoadProgress;
use thiserror::Error;

pub use shape::SyntheticShape;

/// File format and number type of a synthetic model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SyntheticFormat {
    /// One GGUF file; matrices in this type where their rows are whole blocks of it, else in `Q8_0`; vectors in f32.
    Gguf(GgufType),
    /// A folder with safetensors in f32.
    SafetensorsF32,
    /// A folder with safetensors in bf16.
    SafetensorsBf16,
}

/// A type of weights in GGUF.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GgufType {
    F32,
    F16,
    BF16,
    Q8_0,
    Q4_0,
    Q4K,
    Q6K,
}

impl SyntheticFormat {
    /// All formats by name.
    pub const ALL: [(&str, Self); 9] = [
        ("gguf-f32", Self::Gguf(GgufType::F32)),
        ("gguf-f16", Self::Gguf(GgufType::F16)),
        ("gguf-bf16", Self::Gguf(GgufType::BF16)),
        ("gguf-q8_0", Self::Gguf(GgufType::Q8_0)),
        ("gguf-q4_0", Self::Gguf(GgufType::Q4_0)),
        ("gguf-q4_k", Self::Gguf(GgufType::Q4K)),
        ("gguf-q6_k", Self::Gguf(GgufType::Q6K)),
        ("safetensors-f32", Self::SafetensorsF32),
        ("safetensors-bf16", Self::SafetensorsBf16),
    ];
}

impl FromStr for SyntheticFormat {
    type Err = SyntheticError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        let known = Self::ALL.into_iter().find(|(known, _)| *known == name);
        known.map(|(_, format)| format).ok_or_else(|| SyntheticError::UnknownFormat(name.into()))
    }
}

impl GgufType {
    fn dtype(self) -> GgmlDType {
        match self {
            Self::F32 => GgmlDType::F32,
            Self::F16 => GgmlDType::F16,
            Self::BF16 => GgmlDType::BF16,
            Self::Q8_0 => GgmlDType::Q8_0,
            Self::Q4_0 => GgmlDType::Q4_0,
            Self::Q4K => GgmlDType::Q4K,
            Self::Q6K => GgmlDType::Q6K,
        }
    }
}

/// Why a synthetic model was not written.
#[derive(Debug, Error)]
pub enum SyntheticError {
    #[error("there is no shape named {0}")]
    UnknownShape(String),
    #[error("there is no format named {0}")]
    UnknownFormat(String),
    #[error("the model cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("the weights cannot be quantized: {0}")]
    Quantize(#[from] candle_core::Error),
    #[error("the configuration cannot be written: {0}")]
    Json(#[from] serde_json::Error),
}

/// Writes a model to `path`: a file for GGUF, a folder otherwise. The same seed gives the same weights in every format, up to the
/// rounding of its type. No more than one tensor is in memory at a time.
///
/// # Errors
/// [`SyntheticError`]; what has been written so far stays.
pub fn write(
    path: &Path,
    shape: SyntheticShape,
    format: SyntheticFormat,
    seed: u64,
    progress: &dyn Fn(LoadProgress),
) -> Result<(), SyntheticError> {
    match format {
        SyntheticFormat::Gguf(kind) => files::write_gguf(path, shape, kind.dtype(), seed, progress),
        SyntheticFormat::SafetensorsF32 => files::write_folder(path, shape, files::Float::F32, seed, progress),
        SyntheticFormat::SafetensorsBf16 => files::write_folder(path, shape, files::Float::Bf16, seed, progress),
    }
}
