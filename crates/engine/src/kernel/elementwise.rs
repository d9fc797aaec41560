//! What happens between the matrix products.

use pulp::Arch;

use super::exp::exp;

/// Partial sums of a norm.
const LANES: usize = 16;

/// RMS norm of each row of `x`, times `weight`.
pub(crate) fn rms_norm(x: &[f32], weight: &[f32], eps: f32) -> Vec<f32> {
    let mut output = Vec::with_capacity(x.len());
    for row in x.chunks_exact(weight.len()) {
        let scale = 1.0 / (sum_of_squares(row) / weight.len() as f32 + eps).sqrt();
        output.extend(row.iter().zip(weight).map(|(x, weight)| x * scale * weight));
    }
    output
}

fn sum_of_squares(row: &[f32]) -> f32 {
    let mut sums = [0f32; LANES];
    for part in row.chunks(LANES) {
        for (sum, x) in sums.iter_mut().zip(part) {
            *sum += x * x;
        }
    }
    sums.iter().sum()
}

/// `x += y`.
pub(crate) fn add(x: &mut [f32], y: &[f32]) {
    for (x, y) in x.iter_mut().zip(y) {
        *x += y;
    }
}

/// Adds `bias` to each row of `x`.
pub(crate) fn add_bias(x: &mut [f32], bias: &[f32]) {
    for row in x.chunks_exact_mut(bias.len()) {
        add(row, bias);
    }
}

/// `gate = silu(gate) * up`.
pub(crate) fn swiglu(gate: &mut [f32], up: &[f32]) {
    Arch::new().dispatch(|| {
        for (gate, up) in gate.iter_mut().zip(up) {
            *gate = *gate / (1.0 + exp(-*gate)) * up;
        }
    });
}
