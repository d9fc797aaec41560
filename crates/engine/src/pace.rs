//! How much prefill goes into a step, so that steps take the time that they should.

use std::time::Duration;

const SMALLEST: usize = 16;
const LARGEST: usize = 512;
/// A step that was out of the ordinary moves the chunk by no more than this factor.
const LIMIT: f64 = 2.0;

/// Learns the chunk from the time of steps.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pace {
    target: Duration,
    chunk: usize,
}

impl Pace {
    pub(crate) fn new(target: Duration) -> Self {
        Self { target, chunk: 128 }
    }

    /// Tokens of prefill for the next step, from 16 to 512.
    pub(crate) fn chunk(self) -> usize {
        self.chunk
    }

    /// A step with `prefill` tokens took `elapsed`. Only steps that used the chunk up tell something.
    pub(crate) fn observe(&mut self, prefill: usize, elapsed: Duration) {
        if prefill < self.chunk {
            return;
        }
        let factor = self.target.as_secs_f64() / elapsed.as_secs_f64().max(1e-6);
        let chunk = self.chunk as f64 * factor.clamp(1.0 / LIMIT, LIMIT);
        self.chunk = (chunk as usize).clamp(SMALLEST, LARGEST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chunk_settles_where_steps_take_their_time() {
        for (micros_per_token, expected) in [(10, 512), (1_000, 250), (100_000, 16)] {
            let mut pace = Pace::new(Duration::from_millis(250));
            for _ in 0..20 {
                pace.observe(pace.chunk(), Duration::from_micros(micros_per_token * pace.chunk() as u64));
            }
            assert!(pace.chunk().abs_diff(expected) <= 1, "{} {expected}", pace.chunk());
        }
    }

    #[test]
    fn a_step_with_little_prefill_says_nothing() {
        let mut pace = Pace::new(Duration::from_millis(250));
        pace.observe(3, Duration::from_secs(9));
        assert_eq!(pace.chunk(), 128);
    }
}
