//! Weights in a GGUF file.

use std::io::{Read, Seek, SeekFrom};

use candle_core::quantized::GgmlDType;
use shammah_protocol::{LoadError, LoadProgress};

use super::{Progress, Tensor, Weights, check_shape, missing, most_common};
use crate::gguf::{Header, TensorInfo};
use crate::matrix::Matrix;

/// Reads tensors from an open file whose header has been read.
pub(crate) struct GgufWeights<'a, R> {
    file: R,
    header: &'a Header,
    what: &'a str,
    progress: Progress<'a>,
}

impl<'a, R: Read + Seek> GgufWeights<'a, R> {
    /// `what` names the file in errors.
    pub(crate) fn new(file: R, header: &'a Header, what: &'a str, report: &'a dyn Fn(LoadProgress)) -> Self {
        let total = header.tensors.values().map(|tensor| tensor.bytes as u64).sum();
        Self { file, header, what, progress: Progress::new(total, report) }
    }

    /// The type of most weights, as the format calls it: `Q8_0`, `Q4_K`.
    pub(crate) fn main_type(&self) -> String {
        let name = |dtype: GgmlDType| {
            let name = format!("{dtype:?}");
            if name.ends_with('K') { name.replace('K', "_K") } else { name }
        };
        most_common(self.header.tensors.values().map(|tensor| (name(tensor.dtype), tensor.shape.iter().product())))
    }

    fn read(&mut self, tensor: Tensor, shape: &[usize]) -> Result<(&'a TensorInfo, Vec<u8>), LoadError> {
        let name = tensor.gguf();
        let info = self.header.tensors.get(&name).ok_or_else(|| missing(&name, self.what))?;
        check_shape(&name, self.what, &info.shape, shape)?;
        let mut data = vec![0; info.bytes];
        self.file
            .seek(SeekFrom::Start(info.offset))
            .and_then(|_| self.file.read_exact(&mut data))
            .map_err(|error| LoadError::Unreadable { what: format!("tensor {name} of {}", self.what), reason: error.to_string() })?;
        self.progress.add(info.bytes);
        Ok((info, data))
    }

    fn invalid(&self, tensor: Tensor, reason: impl ToString) -> LoadError {
        LoadError::Invalid { what: format!("tensor {} of {}", tensor.gguf(), self.what), reason: reason.to_string() }
    }
}

impl<R: Read + Seek> Weights for GgufWeights<'_, R> {
    fn has(&self, tensor: Tensor) -> bool {
        self.header.tensors.contains_key(&tensor.gguf())
    }

    fn matrix(&mut self, tensor: Tensor, rows: usize, columns: usize) -> Result<Matrix, LoadError> {
        let (info, data) = self.read(tensor, &[rows, columns])?;
        Matrix::ggml(rows, columns, info.dtype, &data).map_err(|error| self.invalid(tensor, error))
    }

    fn vector(&mut self, tensor: Tensor, length: usize) -> Result<Vec<f32>, LoadError> {
        let (info, data) = self.read(tensor, &[length])?;
        let matrix = Matrix::ggml(1, length, info.dtype, &data);
        matrix.and_then(|matrix| matrix.row(0)).map_err(|error| self.invalid(tensor, error))
    }
}
