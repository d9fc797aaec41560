//! Draws the next token. A pure function of logits, parameters and tokens so far: the draw at a position depends on the seed and
//! the position alone.

use std::collections::{HashMap, HashSet};

use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use shammah_protocol::{Sampling, TokenId};

/// A token and its logit.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    id: TokenId,
    logit: f32,
}

/// Draws the token that follows `prompt` and `completion`. `logits` are finite, one per entry of the vocabulary.
///
/// The order is penalties, temperature, top-k, top-p, min-p, draw. Among equal logits the lower id is the likelier.
pub(crate) fn sample(mut logits: Vec<f32>, sampling: &Sampling, prompt: &[TokenId], completion: &[TokenId]) -> TokenId {
    penalize(&mut logits, sampling, prompt, completion);
    if sampling.temperature <= 0.0 {
        return likeliest(&logits);
    }
    let mut candidates: Vec<Candidate> =
        (0..).zip(&logits).map(|(id, logit)| Candidate { id, logit: logit / sampling.temperature }).collect();
    // A tiny temperature overflows; it means greedy.
    if candidates.iter().any(|candidate| !candidate.logit.is_finite()) {
        return likeliest(&logits);
    }
    let top_k = sampling.top_k as usize;
    if (1..candidates.len()).contains(&top_k) {
        sort_first(&mut candidates, top_k);
        candidates.truncate(top_k);
    }
    if sampling.top_p < 1.0 {
        keep_top_p(&mut candidates, f64::from(sampling.top_p));
    }
    if sampling.min_p > 0.0 {
        let least = highest(&candidates) + sampling.min_p.ln();
        candidates.retain(|candidate| candidate.logit >= least);
    }
    draw(&candidates, uniform(sampling.seed, completion.len()))
}

fn penalize(logits: &mut [f32], sampling: &Sampling, prompt: &[TokenId], completion: &[TokenId]) {
    if sampling.repetition_penalty != 1.0 {
        let seen: HashSet<TokenId> = prompt.iter().chain(completion).copied().collect();
        for id in seen {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit = if *logit > 0.0 { *logit / sampling.repetition_penalty } else { *logit * sampling.repetition_penalty };
            }
        }
    }
    if sampling.presence_penalty != 0.0 || sampling.frequency_penalty != 0.0 {
        let mut counts: HashMap<TokenId, u32> = HashMap::new();
        for id in completion {
            *counts.entry(*id).or_default() += 1;
        }
        for (id, count) in counts {
            if let Some(logit) = logits.get_mut(id as usize) {
                *logit -= sampling.presence_penalty + sampling.frequency_penalty * count as f32;
            }
        }
    }
}

/// The id of the highest logit, the lowest of equals.
fn likeliest(logits: &[f32]) -> TokenId {
    let mut best = (0, f32::NEG_INFINITY);
    for (id, logit) in (0..).zip(logits) {
        if *logit > best.1 {
            best = (id, *logit);
        }
    }
    best.0
}

fn highest(candidates: &[Candidate]) -> f32 {
    candidates.iter().map(|candidate| candidate.logit).fold(f32::NEG_INFINITY, f32::max)
}

/// Brings the `count` likeliest to the front, in order.
fn sort_first(candidates: &mut [Candidate], count: usize) {
    let order = |a: &Candidate, b: &Candidate| b.logit.total_cmp(&a.logit).then(a.id.cmp(&b.id));
    if count < candidates.len() {
        candidates.select_nth_unstable_by(count, order);
    }
    let count = count.min(candidates.len());
    candidates[..count].sort_unstable_by(order);
}

/// Keeps the smallest set of the likeliest whose probabilities sum to at least `top_p`; at least one. Sorts no more than it must.
fn keep_top_p(candidates: &mut Vec<Candidate>, top_p: f64) {
    let max = highest(candidates);
    let total: f64 = candidates.iter().map(|candidate| weight(candidate, max)).sum();
    let mut sorted = 64;
    loop {
        sort_first(candidates, sorted);
        let mut sum = 0.0;
        let enough = candidates.iter().take(sorted).position(|candidate| {
            sum += weight(candidate, max);
            sum >= top_p * total
        });
        if let Some(last) = enough {
            candidates.truncate(last + 1);
            return;
        }
        if sorted >= candidates.len() {
            return;
        }
        sorted *= 4;
    }
}

fn weight(candidate: &Candidate, max: f32) -> f64 {
    f64::from(candidate.logit - max).exp()
}

/// The candidate at the fraction `point` of the summed probabilities.
fn draw(candidates: &[Candidate], point: f64) -> TokenId {
    let max = highest(candidates);
    let total: f64 = candidates.iter().map(|candidate| weight(candidate, max)).sum();
    let mut left = point * total;
    for candidate in candidates {
        left -= weight(candidate, max);
        if left < 0.0 {
            return candidate.id;
        }
    }
    candidates.last().map_or(0, |candidate| candidate.id)
}

/// A number from 0 up to 1 that is fixed for every seed and position.
fn uniform(seed: u64, position: usize) -> f64 {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(position as u64);
    rng.random()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn logits() -> Vec<f32> {
        (0..500).map(|id| ((id * 37 % 101) as f32) / 12.0).collect()
    }

    #[test]
    fn greedy_takes_the_lowest_of_equals() {
        assert_eq!(sample(vec![1.0, 3.0, 3.0, 2.0], &Sampling::greedy(), &[], &[]), 1);
    }

    #[test]
    fn the_draw_is_a_function_of_seed_and_position() {
        let sampling = Sampling { seed: 7, top_p: 0.9, ..Sampling::default() };
        let at = |position: usize| sample(logits(), &sampling, &[], &vec![0; position]);
        let run: Vec<_> = (0..50).map(at).collect();
        assert_eq!(run, (0..50).rev().map(at).collect::<Vec<_>>().into_iter().rev().collect::<Vec<_>>());
        assert!(run.windows(2).any(|pair| pair[0] != pair[1]));
        let other = Sampling { seed: 8, ..sampling.clone() };
        assert_ne!(run, (0..50).map(|position| sample(logits(), &other, &[], &vec![0; position])).collect::<Vec<_>>());
    }

    #[test]
    fn frequencies_follow_probabilities() {
        let logits = vec![0.0f32, 1.0, 2.0];
        let total: f64 = logits.iter().map(|logit| f64::from(*logit).exp()).sum();
        let mut counts = [0u32; 3];
        for seed in 0..4000 {
            counts[sample(logits.clone(), &Sampling { seed, ..Sampling::default() }, &[], &[]) as usize] += 1;
        }
        for (count, logit) in counts.iter().zip(&logits) {
            assert!((f64::from(*count) / 4000.0 - f64::from(*logit).exp() / total).abs() < 0.03, "{counts:?}");
        }
    }

    #[test]
    fn top_k_top_p_and_min_p_agree_with_a_full_sort() {
        let logits = logits();
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        let weight = |id: &usize| f64::from(logits[*id]).exp();
        let total: f64 = order.iter().map(weight).sum();
        let mut sum = 0.0;
        let outside = |id: &&usize| {
            let before = sum;
            sum += weight(id);
            before < 0.8 * total
        };
        let nucleus = order.iter().take_while(outside).count();
        assert!(nucleus > 64, "{nucleus}: more than the first selection");
        let likely = order.iter().filter(|id| weight(id) >= 0.5 * weight(&order[0])).count();
        for (kept, sampling) in [
            (5, Sampling { top_k: 5, ..Sampling::default() }),
            (nucleus, Sampling { top_p: 0.8, ..Sampling::default() }),
            (likely, Sampling { min_p: 0.5, ..Sampling::default() }),
            (1, Sampling { top_p: 0.0, ..Sampling::default() }),
        ] {
            let drawn: HashSet<usize> =
                (0..6000).map(|seed| sample(logits.clone(), &Sampling { seed, ..sampling.clone() }, &[], &[]) as usize).collect();
            let allowed: HashSet<usize> = order[..kept].iter().copied().collect();
            assert!(drawn.is_subset(&allowed), "{sampling:?}");
            assert!(drawn.len() * 10 >= kept * 8, "{sampling:?}: {} of {kept}", drawn.len());
        }
    }

    #[test]
    fn penalties_count_what_they_should() {
        let greedy = Sampling::greedy();
        let repetition = Sampling { repetition_penalty: 2.0, ..greedy.clone() };
        assert_eq!(sample(vec![3.0, 2.0], &repetition, &[0], &[]), 1);
        let presence = Sampling { presence_penalty: 1.5, ..greedy.clone() };
        assert_eq!(sample(vec![3.0, 2.0], &presence, &[0], &[]), 0);
        assert_eq!(sample(vec![3.0, 2.0], &presence, &[], &[0]), 1);
        let frequency = Sampling { frequency_penalty: 0.6, ..greedy };
        assert_eq!(sample(vec![3.0, 2.0], &frequency, &[], &[0]), 0);
        assert_eq!(sample(vec![3.0, 2.0], &frequency, &[], &[0, 0]), 1);
    }

    #[test]
    fn a_tiny_temperature_is_greedy() {
        assert_eq!(sample(vec![1.0, 3.0e5], &Sampling { temperature: 1e-38, ..Sampling::default() }, &[], &[]), 1);
    }
}
