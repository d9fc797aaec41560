//! A matrix of weights in the type that its file has.

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{CpuStorage, CustomOp1, Device, Layout};
use half::{bf16, f16};
use thiserror::Error;

use crate::kernel::{Blocks, Numbers, Weights, multiply};

/// Something is wrong in the numbers' library.
#[derive(Debug, Error)]
#[error(transparent)]
pub(crate) struct MatrixError(#[from] candle_core::Error);

/// Weights `[rows, columns]`, row-major; a row makes one output.
#[derive(Debug)]
pub(crate) struct Matrix {
    rows: usize,
    columns: usize,
    values: Values,
}

#[derive(Debug)]
enum Values {
    F32(Numbers<f32>),
    F16(Numbers<f16>),
    BF16(Numbers<bf16>),
    Q8_0(Blocks),
    /// Left to candle, whose kernels round the activations to 8 bits too.
    Other(QTensor),
}

impl Matrix {
    /// From little-endian bytes, four per number.
    pub(crate) fn f32(rows: usize, columns: usize, data: &[u8]) -> Self {
        Self { rows, columns, values: Values::F32(numbers(columns, data, f32::from_le_bytes)) }
    }

    /// From little-endian bytes, two per number.
    pub(crate) fn f16(rows: usize, columns: usize, data: &[u8]) -> Self {
        Self { rows, columns, values: Values::F16(numbers(columns, data, f16::from_le_bytes)) }
    }

    /// From little-endian bytes, two per number.
    pub(crate) fn bf16(rows: usize, columns: usize, data: &[u8]) -> Self {
        Self { rows, columns, values: Values::BF16(numbers(columns, data, bf16::from_le_bytes)) }
    }

    /// From numbers or blocks of any type, as they lie in a GGUF file.
    ///
    /// # Errors
    /// [`MatrixError`] if a row is not whole blocks.
    pub(crate) fn ggml(rows: usize, columns: usize, dtype: GgmlDType, data: &[u8]) -> Result<Self, MatrixError> {
        Ok(match dtype {
            GgmlDType::F32 => Self::f32(rows, columns, data),
            GgmlDType::F16 => Self::f16(rows, columns, data),
            GgmlDType::BF16 => Self::bf16(rows, columns, data),
            GgmlDType::Q8_0 => Self { rows, columns, values: Values::Q8_0(Blocks::new(columns, data)) },
            other => {
                let storage = QStorage::from_data(data.into(), &Device::Cpu, other)?;
                Self { rows, columns, values: Values::Other(QTensor::new(storage, (rows, columns))?) }
            }
        })
    }

    /// How many weights there are.
    pub(crate) fn count(&self) -> usize {
        self.rows * self.columns
    }

    /// One row as f32.
    ///
    /// # Errors
    /// [`MatrixError`].
    pub(crate) fn row(&self, row: usize) -> Result<Vec<f32>, MatrixError> {
        Ok(match &self.values {
            Values::F32(weights) => self.row_of(weights, row),
            Values::F16(weights) => self.row_of(weights, row),
            Values::BF16(weights) => self.row_of(weights, row),
            Values::Q8_0(weights) => self.row_of(weights, row),
            Values::Other(tensor) => {
                let id = candle_core::Tensor::new(&[row as u32], &Device::Cpu)?;
                tensor.embedding(&id)?.flatten_all()?.to_vec1()?
            }
        })
    }

    fn row_of(&self, weights: &impl Weights, row: usize) -> Vec<f32> {
        (0..self.columns).map(|column| weights.weight(self.columns, row, column)).collect()
    }

    /// `x [n, columns]` times the transpose of the matrix: `[n, rows]`. A row of the result depends on the same row of `x` alone,
    /// bit for bit.
    ///
    /// # Errors
    /// [`MatrixError`].
    pub(crate) fn apply(&self, x: &[f32]) -> Result<Vec<f32>, MatrixError> {
        Ok(match &self.values {
            Values::F32(weights) => multiply(x, weights, self.rows, self.columns),
            Values::F16(weights) => multiply(x, weights, self.rows, self.columns),
            Values::BF16(weights) => multiply(x, weights, self.rows, self.columns),
            Values::Q8_0(weights) => multiply(x, weights, self.rows, self.columns),
            Values::Other(tensor) => self.apply_other(tensor, x)?,
        })
    }

    fn apply_other(&self, tensor: &QTensor, x: &[f32]) -> Result<Vec<f32>, MatrixError> {
        let mut input = x.to_vec();
        // For a single row candle takes another Q6_K kernel, which rounds differently.
        if tensor.dtype() == GgmlDType::Q6K && x.len() == self.columns {
            input.extend_from_within(..);
        }
        let layout = Layout::contiguous((input.len() / self.columns, self.columns));
        let (output, _) = tensor.cpu_fwd(&CpuStorage::F32(input), &layout)?;
        let mut output = match output {
            CpuStorage::F32(values) => values,
            _ => unreachable!("f32 in, f32 out"),
        };
        output.truncate(x.len() / self.columns * self.rows);
        Ok(output)
    }
}

fn numbers<const N: usize, T: Copy + Default>(columns: usize, data: &[u8], read: impl Fn([u8; N]) -> T) -> Numbers<T> {
    let numbers: Vec<T> = data.as_chunks().0.iter().map(|bytes| read(*bytes)).collect();
    Numbers::new(columns, &numbers)
}

#[cfg(test)]
mod tests {
    use candle_core::Tensor;
    use rand::Rng;
    use rand::SeedableRng;
    use rand_chacha::ChaCha8Rng;

    use super::*;

    const SHAPES: [(usize, usize); 3] = [(256, 512), (64, 96), (896, 128)];

    fn random(rng: &mut ChaCha8Rng, count: usize) -> Vec<f32> {
        (0..count).map(|_| rng.random_range(-1.0..1.0)).collect()
    }

    fn matrix_of(dtype: GgmlDType, rows: usize, columns: usize, values: &[f32]) -> Matrix {
        let tensor = Tensor::from_slice(values, (rows, columns), &Device::Cpu).unwrap();
        let tensor = QTensor::quantize(&tensor, dtype).unwrap();
        Matrix::ggml(rows, columns, dtype, &tensor.data().unwrap()).unwrap()
    }

    #[test]
    fn a_row_never_depends_on_the_others() {
        use GgmlDType::*;
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for dtype in [F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1, Q8_0, Q2K, Q3K, Q4K, Q5K, Q6K] {
            for (columns, rows) in SHAPES {
                if !columns.is_multiple_of(dtype.block_size()) {
                    continue;
                }
                let matrix = matrix_of(dtype, rows, columns, &random(&mut rng, rows * columns));
                let x = random(&mut rng, 64 * columns);
                let alone: Vec<f32> = x.chunks(columns).flat_map(|row| matrix.apply(row).unwrap()).collect();
                for n in [2, 3, 17, 31, 32, 64] {
                    let together = matrix.apply(&x[..n * columns]).unwrap();
                    let differing = together.iter().zip(&alone).filter(|(a, b)| a.to_bits() != b.to_bits()).count();
                    assert_eq!(differing, 0, "{dtype:?} {columns}x{rows} with {n} rows");
                }
            }
        }
    }

    #[test]
    fn every_type_multiplies_like_its_dequantized_self() {
        use GgmlDType::*;
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        for (dtype, tolerance) in [(F32, 1e-5), (F16, 1e-5), (BF16, 1e-5), (Q8_0, 1e-5), (Q6K, 0.02), (Q4K, 0.02)] {
            let (columns, rows) = (256, 48);
            let matrix = matrix_of(dtype, rows, columns, &random(&mut rng, rows * columns));
            let x = random(&mut rng, columns);
            let output = matrix.apply(&x).unwrap();
            for (row, got) in output.iter().enumerate() {
                let wanted: f64 = matrix.row(row).unwrap().iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                assert!((wanted - f64::from(*got)).abs() < tolerance * (columns as f64).sqrt(), "{dtype:?}: {wanted} {got}");
            }
        }
    }
}
