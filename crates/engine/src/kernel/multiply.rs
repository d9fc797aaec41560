//! Matrix products with dense weights.

use half::{bf16, f16};
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::half::{widen_all, widen_bf16, widen_f16};
use super::panel::{lines, store, sums};

/// Outputs of a panel.
const WIDTH: usize = 32;
/// Multiplications from which several threads are worth waking.
const PARALLEL_FROM: usize = 1 << 20;

/// A type of weights that the kernel reads.
pub(crate) trait Weight: Copy + Default + Send + Sync {
    /// The weights as f32, in `buffer` if they have to be converted.
    fn widen<'a>(weights: &'a [Self], buffer: &'a mut Vec<f32>) -> &'a [f32];
}

impl Weight for f32 {
    #[inline(always)]
    fn widen<'a>(weights: &'a [Self], _: &'a mut Vec<f32>) -> &'a [f32] {
        weights
    }
}

impl Weight for f16 {
    #[inline(always)]
    fn widen<'a>(weights: &'a [Self], buffer: &'a mut Vec<f32>) -> &'a [f32] {
        widen_all(weights, buffer, widen_f16)
    }
}

impl Weight for bf16 {
    #[inline(always)]
    fn widen<'a>(weights: &'a [Self], buffer: &'a mut Vec<f32>) -> &'a [f32] {
        widen_all(weights, buffer, widen_bf16)
    }
}

/// A matrix of weights, laid out for the kernel: panels of 32 rows, each `[columns, 32]`; the last is filled up with zeros.
#[derive(Debug)]
pub(crate) struct Panels<W> {
    rows: usize,
    columns: usize,
    weights: Vec<W>,
}

impl<W: Weight> Panels<W> {
    /// From `[rows, columns]`, row-major.
    pub(crate) fn new(rows: usize, columns: usize, row_major: &[W]) -> Self {
        let panel = columns * WIDTH;
        let mut weights = vec![W::default(); rows.div_ceil(WIDTH) * panel];
        for (row, values) in row_major.chunks_exact(columns).enumerate() {
            let places = weights[row / WIDTH * panel + row % WIDTH..].iter_mut().step_by(WIDTH);
            for (place, value) in places.zip(values) {
                *place = *value;
            }
        }
        Self { rows, columns, weights }
    }

    /// The weights of one output.
    pub(crate) fn row(&self, row: usize) -> impl Iterator<Item = W> {
        let start = row / WIDTH * WIDTH * self.columns + row % WIDTH;
        self.weights[start..].iter().step_by(WIDTH).take(self.columns).copied()
    }

    /// `x [n, columns]` times the transpose of the matrix: `[n, rows]`.
    pub(crate) fn multiply(&self, x: &[f32]) -> Vec<f32> {
        let count = x.len() / self.columns;
        let mut output = vec![0.0; count * self.rows];
        let panels = self.weights.chunks_exact(self.columns * WIDTH);
        let mut products: Vec<Product<'_, '_, W>> =
            panels.map(|panel| Product { x, columns: self.columns, panel, output: Vec::with_capacity(count) }).collect();
        for row in output.chunks_exact_mut(self.rows) {
            for (product, part) in products.iter_mut().zip(row.chunks_mut(WIDTH)) {
                product.output.push(part);
            }
        }
        if count * self.weights.len() >= PARALLEL_FROM {
            products.into_par_iter().for_each(|product| Arch::new().dispatch(product));
        } else {
            products.into_iter().for_each(|product| Arch::new().dispatch(product));
        }
        output
    }
}

/// All rows times one panel.
struct Product<'a, 'o, W> {
    x: &'a [f32],
    columns: usize,
    panel: &'a [W],
    /// For each row of `x`, one place per row of the panel that is no filling.
    output: Vec<&'o mut [f32]>,
}

impl<W: Weight> WithSimd for Product<'_, '_, W> {
    type Output = ();

    /// The tiles make use of eight registers for sums, which hides the latency of an addition.
    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 4, 2>(simd),
            8 => self.run::<S, 2, 4>(simd),
            4 => self.run::<S, 2, 8>(simd),
            _ => self.run::<S, 1, WIDTH>(simd),
        }
    }
}

impl<W: Weight> Product<'_, '_, W> {
    #[inline(always)]
    fn run<S: Simd, const R: usize, const V: usize>(mut self, simd: S) {
        let mut buffer = Vec::new();
        let panel = W::widen(self.panel, &mut buffer);
        let columns = self.columns;
        let (tiles, rest) = self.output.as_chunks_mut::<R>();
        let (tiled, single) = self.x.split_at(tiles.len() * R * columns);
        for (outputs, x) in tiles.iter_mut().zip(tiled.chunks_exact(R * columns)) {
            let xs: [&[f32]; R] = std::array::from_fn(|r| &x[r * columns..(r + 1) * columns]);
            for (output, sums) in outputs.iter_mut().zip(sums::<S, R, V>(simd, xs, lines::<S, V>(panel))) {
                store(simd, sums, output);
            }
        }
        for (output, x) in rest.iter_mut().zip(single.chunks_exact(columns)) {
            let [sums] = sums::<S, 1, V>(simd, [x], lines::<S, V>(panel));
            store(simd, sums, output);
        }
    }
}
