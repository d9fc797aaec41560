//! Rotary position embedding, half-split as in Hugging Face's Qwen2.

/// Cosines and sines of some positions.
#[derive(Debug)]
pub(crate) struct Rotations {
    /// `[positions, head_dim / 2]` of (cosine, sine).
    table: Vec<(f32, f32)>,
    half: usize,
}

/// The frequencies of a model.
#[derive(Debug)]
pub(crate) struct Rope {
    frequencies: Vec<f32>,
}

impl Rope {
    /// Frequencies `theta^(-2i / head_dim)`.
    pub(crate) fn new(theta: f64, head_dim: usize) -> Self {
        let frequencies = (0..head_dim / 2).map(|i| theta.powf(-((2 * i) as f64) / head_dim as f64) as f32).collect();
        Self { frequencies }
    }

    /// The rotations of `positions`. The angle is rounded to f32, as the reference does; far out this moves it visibly.
    pub(crate) fn rotations(&self, positions: impl Iterator<Item = usize>) -> Rotations {
        let turn = |position: usize, frequency: f32| {
            let (sine, cosine) = f64::from(position as f32 * frequency).sin_cos();
            (cosine as f32, sine as f32)
        };
        let table = positions.flat_map(|position| self.frequencies.iter().map(move |frequency| turn(position, *frequency))).collect();
        Rotations { table, half: self.frequencies.len() }
    }
}

impl Rotations {
    /// Rotates every head of every row of `x [positions, width]`.
    pub(crate) fn apply(&self, x: &mut [f32], width: usize) {
        for (row, turns) in x.chunks_exact_mut(width).zip(self.table.chunks_exact(self.half)) {
            for head in row.chunks_exact_mut(2 * self.half) {
                let (low, high) = head.split_at_mut(self.half);
                for ((low, high), (cosine, sine)) in low.iter_mut().zip(high).zip(turns) {
                    (*low, *high) = (*low * cosine - *high * sine, *high * cosine + *low * sine);
                }
            }
        }
    }
}
