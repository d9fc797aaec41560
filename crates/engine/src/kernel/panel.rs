//! The innermost loop: some rows times some lines of weights.

use pulp::Simd;

/// The lines of a panel `[inputs, V * lanes]`.
#[inline(always)]
pub(super) fn lines<S: Simd, const V: usize>(panel: &[f32]) -> impl Iterator<Item = &[S::f32s; V]> {
    S::as_simd_f32s(panel).0.as_chunks::<V>().0.iter()
}

/// Zeros to begin sums with.
#[inline(always)]
pub(super) fn zeros<S: Simd, const R: usize, const V: usize>(simd: S) -> [[S::f32s; V]; R] {
    [[simd.splat_f32s(0.0); V]; R]
}

/// `sums`, and then over `k` the products `xs[r][k] * lines[k]`, for each of `R` rows.
#[inline(always)]
pub(super) fn sums<'a, S: Simd, const R: usize, const V: usize>(
    simd: S,
    mut sums: [[S::f32s; V]; R],
    xs: [&[f32]; R],
    lines: impl Iterator<Item = &'a [S::f32s; V]>,
) -> [[S::f32s; V]; R] {
    for (k, line) in lines.enumerate() {
        for r in 0..R {
            let x = simd.splat_f32s(xs[r][k]);
            for v in 0..V {
                sums[r][v] = simd.mul_add_e_f32s(x, line[v], sums[r][v]);
            }
        }
    }
    sums
}

/// Writes as many lanes as `output` has places.
#[inline(always)]
pub(super) fn store<S: Simd, const V: usize>(simd: S, sums: [S::f32s; V], output: &mut [f32]) {
    for (part, sum) in output.chunks_mut(S::F32_LANES).zip(sums) {
        simd.partial_store_f32s(part, sum);
    }
}
