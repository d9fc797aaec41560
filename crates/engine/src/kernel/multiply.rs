//! Matrix products.

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::panel::{lines, store, sums};
use super::weights::{WIDTH, Weights};

/// Multiplications from which several threads are worth waking.
const PARALLEL_FROM: usize = 1 << 20;

/// `x [n, columns]` times the transpose of `weights [rows, columns]`: `[n, rows]`.
pub(crate) fn multiply(x: &[f32], weights: &impl Weights, rows: usize, columns: usize) -> Vec<f32> {
    let count = x.len() / columns;
    let mut output = vec![0.0; count * rows];
    let mut products: Vec<_> =
        (0..rows.div_ceil(WIDTH)).map(|panel| Product { x, columns, weights, panel, output: Vec::with_capacity(count) }).collect();
    for row in output.chunks_exact_mut(rows) {
        for (product, part) in products.iter_mut().zip(row.chunks_mut(WIDTH)) {
            product.output.push(part);
        }
    }
    if count * rows * columns >= PARALLEL_FROM {
        products.into_par_iter().for_each(|product| Arch::new().dispatch(product));
    } else {
        products.into_iter().for_each(|product| Arch::new().dispatch(product));
    }
    output
}

/// All rows times one panel.
struct Product<'a, 'o, W> {
    x: &'a [f32],
    columns: usize,
    weights: &'a W,
    panel: usize,
    /// For each row of `x`, one place per output of the panel that is no filling.
    output: Vec<&'o mut [f32]>,
}

impl<W: Weights> WithSimd for Product<'_, '_, W> {
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

impl<W: Weights> Product<'_, '_, W> {
    #[inline(always)]
    fn run<S: Simd, const R: usize, const V: usize>(self, simd: S) {
        let Self { x, columns, weights, panel, output } = self;
        let mut all = vec![[simd.splat_f32s(0.0); V]; output.len()];
        let mut buffer = Vec::new();
        for first in (0..columns).step_by(weights.piece_inputs(columns)) {
            let piece = weights.piece(simd, columns, panel, first, &mut buffer);
            let inputs = first..first + piece.len() / WIDTH;
            let (tiles, rest) = all.as_chunks_mut::<R>();
            let (tiled, single) = x.split_at(tiles.len() * R * columns);
            for (tile, x) in tiles.iter_mut().zip(tiled.chunks_exact(R * columns)) {
                let mut xs = [x; R];
                for (r, row) in x.chunks_exact(columns).enumerate() {
                    xs[r] = &row[inputs.clone()];
                }
                *tile = sums::<S, R, V>(simd, *tile, xs, lines::<S, V>(piece));
            }
            for (row, x) in rest.iter_mut().zip(single.chunks_exact(columns)) {
                [*row] = sums::<S, 1, V>(simd, [*row], [&x[inputs.clone()]], lines::<S, V>(piece));
            }
        }
        for (output, sums) in output.into_iter().zip(all) {
            store(simd, sums, output);
        }
    }
}
