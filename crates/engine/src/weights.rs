//! The weights of a model, read from either file format by the same names.

mod gguf;
mod name;
mod progress;
mod safetensors;

use shammah_protocol::LoadError;

use crate::matrix::Matrix;

pub(crate) use self::gguf::GgufWeights;
pub(crate) use self::name::{Part, Tensor};
pub(crate) use self::progress::Progress;
pub(crate) use self::safetensors::SafetensorsWeights;

/// A file, or files, of named tensors.
pub(crate) trait Weights {
    /// Whether there is such a tensor.
    fn has(&self, tensor: Tensor) -> bool;

    /// Reads a matrix.
    ///
    /// # Errors
    /// [`LoadError`], naming the tensor: it is missing, of another shape, of a type that is not supported, or cannot be read.
    fn matrix(&mut self, tensor: Tensor, rows: usize, columns: usize) -> Result<Matrix, LoadError>;

    /// Reads a vector as f32.
    ///
    /// # Errors
    /// As [`Self::matrix`].
    fn vector(&mut self, tensor: Tensor, length: usize) -> Result<Vec<f32>, LoadError>;
}

fn missing(name: &str, file: &str) -> LoadError {
    LoadError::Invalid { what: file.into(), reason: format!("there is no tensor {name}") }
}

fn check_shape(name: &str, file: &str, found: &[usize], wanted: &[usize]) -> Result<(), LoadError> {
    if found == wanted {
        return Ok(());
    }
    let reason = format!("tensor {name} has the shape {found:?}, but the configuration says {wanted:?}");
    Err(LoadError::Invalid { what: file.into(), reason })
}

/// The name of the type that most numbers have, given types and counts.
fn most_common(types: impl Iterator<Item = (String, usize)>) -> String {
    let mut counts = std::collections::BTreeMap::<String, usize>::new();
    for (name, count) in types {
        *counts.entry(name).or_default() += count;
    }
    counts.into_iter().max_by_key(|(_, count)| *count).map(|(name, _)| name).unwrap_or_default()
}
