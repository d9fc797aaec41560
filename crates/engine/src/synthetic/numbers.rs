//! Random weights.

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// The numbers of the tensor at `index`: a pure function of the arguments. A matrix keeps the size of what it is applied to, a norm is
/// around 1, a bias is small.
pub(super) fn numbers(seed: u64, index: usize, shape: &[usize], is_norm: bool) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(index as u64);
    let count = shape.iter().product();
    let mut uniform = |spread: f32| -> Vec<f32> { (0..count).map(|_| spread * (rng.random::<f32>() * 2.0 - 1.0)).collect() };
    match shape {
        // A uniform number has a standard deviation of its spread over the root of 3.
        [_, columns] => uniform((3.0 / *columns as f32).sqrt()),
        _ if is_norm => uniform(0.2).into_iter().map(|number| 1.0 + number).collect(),
        _ => uniform(0.3),
    }
}
