//! Weights as they lie in memory: panels of 32 outputs, in each the inputs one after the other.

use half::{bf16, f16};
use pulp::Simd;

use super::half::{widen_all, widen_bf16, widen_f16};

/// Outputs of a panel.
pub(super) const WIDTH: usize = 32;
/// Inputs that are converted together, so that they stay in the first cache. Also the block of Q8_0.
const PIECE: usize = 32;

/// A type of weights that the kernel reads.
pub(crate) trait Weights: Send + Sync {
    /// Inputs whose weights are had at once.
    fn piece_inputs(&self, columns: usize) -> usize;

    /// The weights of a panel from input `first` on, for as many inputs as a piece has: `[inputs, 32]`, in `buffer` if they have to be
    /// converted.
    fn piece<'a, S: Simd>(&'a self, simd: S, columns: usize, panel: usize, first: usize, buffer: &'a mut Vec<f32>) -> &'a [f32];

    /// The weight of one output and one input.
    fn weight(&self, columns: usize, row: usize, column: usize) -> f32;
}

/// Numbers of one kind, `[panels, columns, 32]`; the last panel is filled up with zeros.
#[derive(Debug)]
pub(crate) struct Numbers<T>(Vec<T>);

/// Whole numbers of 8 bits with a scale for every 32 inputs of an output, as GGUF's `Q8_0`. They are widened to f32 exactly, so results
/// are those of dequantized weights, bit for bit.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// As [`Numbers`].
    quants: Vec<i8>,
    /// `[panels, columns / 32, 32]`.
    scales: Vec<f32>,
}

impl<T: Copy + Default> Numbers<T> {
    /// From `[rows, columns]`, row-major.
    pub(crate) fn new(columns: usize, row_major: &[T]) -> Self {
        let rows = row_major.len() / columns;
        let mut numbers = vec![T::default(); rows.next_multiple_of(WIDTH) * columns];
        for (row, values) in row_major.chunks_exact(columns).enumerate() {
            for (place, value) in numbers[index(columns, row, 0)..].iter_mut().step_by(WIDTH).zip(values) {
                *place = *value;
            }
        }
        Self(numbers)
    }
}

impl Blocks {
    /// Bytes of a block in the file: the scale, then the numbers.
    const BYTES: usize = 2 + PIECE;

    /// From the blocks of `[rows, columns]`, row-major; `columns` is a multiple of 32.
    pub(crate) fn new(columns: usize, data: &[u8]) -> Self {
        let blocks = data.as_chunks::<{ Self::BYTES }>().0;
        let quants: Vec<i8> = blocks.iter().flat_map(|block| block[2..].iter().map(|byte| byte.cast_signed())).collect();
        let scales: Vec<f32> = blocks.iter().map(|block| f16::from_le_bytes([block[0], block[1]]).to_f32()).collect();
        Self { quants: Numbers::new(columns, &quants).0, scales: Numbers::new(columns / PIECE, &scales).0 }
    }
}

impl Weights for Numbers<f32> {
    fn piece_inputs(&self, columns: usize) -> usize {
        columns
    }

    #[inline(always)]
    fn piece<'a, S: Simd>(&'a self, _: S, columns: usize, panel: usize, first: usize, _: &'a mut Vec<f32>) -> &'a [f32] {
        part(&self.0, columns, panel, first, columns)
    }

    fn weight(&self, columns: usize, row: usize, column: usize) -> f32 {
        self.0[index(columns, row, column)]
    }
}

impl Weights for Numbers<f16> {
    fn piece_inputs(&self, _: usize) -> usize {
        PIECE
    }

    #[inline(always)]
    fn piece<'a, S: Simd>(&'a self, _: S, columns: usize, panel: usize, first: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        widen_all(part(&self.0, columns, panel, first, PIECE), buffer, widen_f16)
    }

    fn weight(&self, columns: usize, row: usize, column: usize) -> f32 {
        self.0[index(columns, row, column)].to_f32()
    }
}

impl Weights for Numbers<bf16> {
    fn piece_inputs(&self, _: usize) -> usize {
        PIECE
    }

    #[inline(always)]
    fn piece<'a, S: Simd>(&'a self, _: S, columns: usize, panel: usize, first: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        widen_all(part(&self.0, columns, panel, first, PIECE), buffer, widen_bf16)
    }

    fn weight(&self, columns: usize, row: usize, column: usize) -> f32 {
        self.0[index(columns, row, column)].to_f32()
    }
}

impl Weights for Blocks {
    fn piece_inputs(&self, _: usize) -> usize {
        PIECE
    }

    #[inline(always)]
    fn piece<'a, S: Simd>(&'a self, simd: S, columns: usize, panel: usize, first: usize, buffer: &'a mut Vec<f32>) -> &'a [f32] {
        widen_all(part(&self.quants, columns, panel, first, PIECE), buffer, f32::from);
        let scales = S::as_simd_f32s(part(&self.scales, columns / PIECE, panel, first / PIECE, 1)).0;
        for line in S::as_mut_simd_f32s(buffer).0.chunks_exact_mut(scales.len()) {
            for (numbers, scales) in line.iter_mut().zip(scales) {
                *numbers = simd.mul_f32s(*numbers, *scales);
            }
        }
        buffer
    }

    fn weight(&self, columns: usize, row: usize, column: usize) -> f32 {
        f32::from(self.quants[index(columns, row, column)]) * self.scales[index(columns / PIECE, row, column / PIECE)]
    }
}

/// Where a weight lies.
fn index(columns: usize, row: usize, column: usize) -> usize {
    (row / WIDTH * columns + column) * WIDTH + row % WIDTH
}

/// The weights of a panel from input `first` on, for at most `inputs`.
#[inline(always)]
fn part<T>(numbers: &[T], columns: usize, panel: usize, first: usize, inputs: usize) -> &[T] {
    let end = columns.min(first + inputs);
    &numbers[(panel * columns + first) * WIDTH..(panel * columns + end) * WIDTH]
}
