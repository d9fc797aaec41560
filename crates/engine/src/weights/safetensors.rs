//! Weights in a Hugging Face folder: one safetensors file, or several with an index.

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use safetensors::Dtype;
use safetensors::tensor::Metadata;
use shammah_protocol::{LoadError, LoadProgress};

use super::{Progress, Tensor, Weights, check_shape, missing, most_common};
use crate::matrix::Matrix;

const SINGLE: &str = "model.safetensors";
const INDEX: &str = "model.safetensors.index.json";
/// As the format's own library.
const MAX_HEADER: u64 = 100_000_000;

/// Reads tensors from the files of a folder.
pub(crate) struct SafetensorsWeights<'a> {
    files: Vec<Shard>,
    folder: &'a str,
    progress: Progress<'a>,
}

struct Shard {
    path: PathBuf,
    file: File,
    metadata: Metadata,
    /// Where the data begins.
    start: u64,
}

impl<'a> SafetensorsWeights<'a> {
    /// Opens the files and reads their headers. `folder_name` names the folder in errors.
    ///
    /// # Errors
    /// [`LoadError`], naming the file.
    pub(crate) fn open(folder: &Path, folder_name: &'a str, report: &'a dyn Fn(LoadProgress)) -> Result<Self, LoadError> {
        let names = if folder.join(SINGLE).exists() { vec![SINGLE.into()] } else { shards(&folder.join(INDEX))? };
        let files = names.iter().map(|name| Shard::open(folder.join(name))).collect::<Result<Vec<_>, _>>()?;
        let total = files.iter().map(|shard| shard.metadata.data_len() as u64).sum();
        Ok(Self { files, folder: folder_name, progress: Progress::new(total, report) })
    }

    /// The type of most weights: `BF16`.
    pub(crate) fn main_type(&self) -> String {
        let tensors = self.files.iter().flat_map(|shard| shard.metadata.tensors().into_values());
        most_common(tensors.map(|tensor| (format!("{:?}", tensor.dtype), tensor.shape.iter().product())))
    }

    fn read(&mut self, tensor: Tensor, shape: &[usize]) -> Result<(Dtype, Vec<u8>), LoadError> {
        let name = tensor.huggingface();
        let found = self.files.iter_mut().find_map(|shard| shard.metadata.info(&name).cloned().map(|info| (shard, info)));
        let (shard, info) = found.ok_or_else(|| missing(&name, self.folder))?;
        let what = shard.path.display().to_string();
        check_shape(&name, &what, &info.shape, shape)?;
        let (begin, end) = info.data_offsets;
        let mut data = vec![0; end - begin];
        shard
            .file
            .seek(SeekFrom::Start(shard.start + begin as u64))
            .and_then(|_| shard.file.read_exact(&mut data))
            .map_err(|error| LoadError::Unreadable { what: format!("tensor {name} of {what}"), reason: error.to_string() })?;
        self.progress.add(data.len());
        Ok((info.dtype, data))
    }
}

impl Weights for SafetensorsWeights<'_> {
    fn has(&self, tensor: Tensor) -> bool {
        let name = tensor.huggingface();
        self.files.iter().any(|shard| shard.metadata.info(&name).is_some())
    }

    fn matrix(&mut self, tensor: Tensor, rows: usize, columns: usize) -> Result<Matrix, LoadError> {
        let (dtype, data) = self.read(tensor, &[rows, columns])?;
        dense(tensor, dtype, rows, columns, &data)
    }

    fn vector(&mut self, tensor: Tensor, length: usize) -> Result<Vec<f32>, LoadError> {
        let (dtype, data) = self.read(tensor, &[length])?;
        let matrix = dense(tensor, dtype, 1, length, &data)?;
        matrix.row(0).map_err(|error| LoadError::Invalid { what: tensor.huggingface(), reason: error.to_string() })
    }
}

fn dense(tensor: Tensor, dtype: Dtype, rows: usize, columns: usize, data: &[u8]) -> Result<Matrix, LoadError> {
    match dtype {
        Dtype::F32 => Ok(Matrix::f32(rows, columns, data)),
        Dtype::F16 => Ok(Matrix::f16(rows, columns, data)),
        Dtype::BF16 => Ok(Matrix::bf16(rows, columns, data)),
        other => Err(LoadError::Unsupported { what: format!("tensor {}", tensor.huggingface()), reason: format!("its type is {other:?}") }),
    }
}

impl Shard {
    fn open(path: PathBuf) -> Result<Self, LoadError> {
        let what = path.display().to_string();
        let unreadable = |error: std::io::Error| match error.kind() {
            std::io::ErrorKind::NotFound => LoadError::NotFound(what.clone()),
            _ => LoadError::Unreadable { what: what.clone(), reason: error.to_string() },
        };
        let invalid = |reason: &str| LoadError::Invalid { what: what.clone(), reason: reason.into() };
        let mut file = File::open(&path).map_err(unreadable)?;
        let length = file.metadata().map_err(unreadable)?.len();
        let mut prefix = [0; 8];
        file.read_exact(&mut prefix).map_err(unreadable)?;
        let header = u64::from_le_bytes(prefix);
        if header > MAX_HEADER || header > length - 8 {
            return Err(invalid("it is cut short"));
        }
        let mut json = vec![0; header as usize];
        file.read_exact(&mut json).map_err(unreadable)?;
        let metadata: Metadata = serde_json::from_slice(&json).map_err(|error| invalid(&error.to_string()))?;
        let start = 8 + header;
        if start + metadata.data_len() as u64 > length {
            return Err(invalid("it is cut short"));
        }
        Ok(Self { path, file, metadata, start })
    }
}

/// The files that an index names, each once, in order. Only plain names: an index must not reach out of its folder.
fn shards(index: &Path) -> Result<Vec<String>, LoadError> {
    #[derive(serde::Deserialize)]
    struct Index {
        weight_map: HashMap<String, String>,
    }
    let what = index.display().to_string();
    let json = std::fs::read_to_string(index).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => LoadError::NotFound(what.clone()),
        _ => LoadError::Unreadable { what: what.clone(), reason: error.to_string() },
    })?;
    let invalid = |reason: String| LoadError::Invalid { what: what.clone(), reason };
    let index: Index = serde_json::from_str(&json).map_err(|error| invalid(error.to_string()))?;
    let mut names: Vec<String> = index.weight_map.into_values().collect();
    names.sort_unstable();
    names.dedup();
    match names.iter().find(|name| Path::new(name).file_name() != Some(name.as_ref())) {
        Some(name) => Err(invalid(format!("{name} is not a plain file name"))),
        None => Ok(names),
    }
}
