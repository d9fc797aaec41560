//! A matrix of weights in the type that its file has.

use candle_core::quantized::{GgmlDType, QStorage, QTensor};
use candle_core::{CpuStorage, CustomOp1, Device, Layout};
use half::{bf16, f16};
use thiserror::Error;

use crate::kernel::{Panels, Weight};

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
    F32(Panels<f32>),
    F16(Panels<f16>),
    BF16(Panels<bf16>),
    Quantized(QTensor),
}

impl Matrix {
    /// From little-endian bytes, four per number.
    pub(crate) fn f32(rows: usize, columns: usize, data: &[u8]) -> Self {
        Self::new(rows, columns, Values::F32(panels(rows, columns, data, f32::from_le_bytes)))
    }

    /// From little-endian bytes, two per number.
    pub(crate) fn f16(rows: usize, columns: usize, data: &[u8]) -> Self {
        Self::new(rows, columns, Values::F16(panels(rows, columns, data, f16::from_le_bytes)))
    }

    /// From little-endian bytes, two per number.
    pub(crate) fn bf16(rows: usize, columns: usize, data: &[u8]) -> Self {
        Self::new(rows, columns, Values::BF16(panels(rows, columns, data, bf16::from_le_bytes)))
    }

    /// From blocks as they lie in a GGUF file.
    ///
    /// # Errors
    /// [`MatrixError`] if a row is not whole blocks.
    pub(crate) fn quantized(rows: usize, columns: usize, dtype: GgmlDType, data: &[u8]) -> Result<Self, MatrixError> {
        let storage = QStorage::from_data(data.into(), &Device::Cpu, dtype)?;
        Ok(Self::new(rows, columns, Values::Quantized(QTensor::new(storage, (rows, columns))?)))
    }

    /// The same weights as f32 if they are quantized, else itself.
    ///
    /// # Errors
    /// [`MatrixError`].
    pub(crate) fn dequantized(self) -> Result<Self, MatrixError> {
        let Self { rows, columns, values } = self;
        let values = match values {
            Values::Quantized(tensor) => {
                Values::F32(Panels::new(rows, columns, &tensor.dequantize(&Device::Cpu)?.flatten_all()?.to_vec1()?))
            }
            other => other,
        };
        Ok(Self::new(rows, columns, values))
    }

    fn new(rows: usize, columns: usize, values: Values) -> Self {
        Self { rows, columns, values }
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
            Values::F32(panels) => panels.row(row).collect(),
            Values::F16(panels) => panels.row(row).map(f16::to_f32).collect(),
            Values::BF16(panels) => panels.row(row).map(bf16::to_f32).collect(),
            Values::Quantized(tensor) => {
                let id = candle_core::Tensor::new(&[row as u32], &Device::Cpu)?;
                tensor.embedding(&id)?.flatten_all()?.to_vec1()?
            }
        })
    }

    /// `x [n, columns]` times the transpose of the matrix: `[n, rows]`. A row of the result depends on the same row of `x` alone,
    /// bit for bit.
    ///
    /// # Errors
    /// [`MatrixError`].
    pub(crate) fn apply(&self, x: &[f32]) -> Result<Vec<f32>, MatrixError> {
        Ok(match &self.values {
            Values::F32(panels) => panels.multiply(x),
            Values::F16(panels) => panels.multiply(x),
            Values::BF16(panels) => panels.multiply(x),
            Values::Quantized(tensor) => self.apply_quantized(tensor, x)?,
        })
    }

    fn apply_quantized(&self, tensor: &QTensor, x: &[f32]) -> Result<Vec<f32>, MatrixError> {
        let mut input = x.to_vec();
        // For a single row candle takes another Q6_K kernel, which rounds differently.
        let padded = tensor.dtype() == GgmlDType::Q6K && x.len() == self.columns;
        if padded {
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

fn panels<const N: usize, T: Weight>(rows: usize, columns: usize, data: &[u8], read: impl Fn([u8; N]) -> T) -> Panels<T> {
    let numbers: Vec<T> = data.as_chunks().0.iter().map(|bytes| read(*bytes)).collect();
    Panels::new(rows, columns, &numbers)
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
        let data = tensor.data().unwrap();
        match dtype {
            GgmlDType::F32 => Matrix::f32(rows, columns, &data),
            GgmlDType::F16 => Matrix::f16(rows, columns, &data),
            GgmlDType::BF16 => Matrix::bf16(rows, columns, &data),
            _ => Matrix::quantized(rows, columns, dtype, &data).unwrap(),
        }
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
        for (dtype, tolerance) in [(F32, 1e-5), (F16, 1e-5), (BF16, 1e-5), (Q8_0, 0.02), (Q6K, 0.02), (Q4K, 0.02)] {
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
