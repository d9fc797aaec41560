//! Causal attention of some rows of one sequence with one key head, straight over the pages.

use std::sync::Arc;

use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use super::exp::exp;
use super::panel::{lines, store, sums, zeros};
use crate::pages::{PAGE_TOKENS, Page, Side};

/// Values that are summed up together.
const BLOCK: usize = 64;
/// Rows that share one pass over the pages.
const ROWS: usize = 16;
/// Multiplications from which several threads are worth waking.
const PARALLEL_FROM: usize = 1 << 20;

/// Rows of one sequence that follow each other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HeadRows<'a> {
    /// `[rows, heads * head_dim]`.
    pub(crate) queries: &'a [f32],
    /// Position of the first row; the pages hold everything up to the last row.
    pub(crate) start: usize,
    pub(crate) pages: &'a [Arc<Page>],
}

/// Attention of one layer.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Attention {
    pub(crate) layer: usize,
    pub(crate) heads: usize,
    pub(crate) kv_heads: usize,
    pub(crate) head_dim: usize,
}

impl Attention {
    /// The weighted values of every head, `[rows, heads * head_dim]`, the sequences one after the other.
    pub(crate) fn attend(self, sequences: &[HeadRows<'_>]) -> Vec<f32> {
        let width = self.heads * self.head_dim;
        let group = self.heads / self.kv_heads;
        let total: usize = sequences.iter().map(|rows| rows.queries.len()).sum();
        let mut output = vec![0.0; total];
        let mut rest = output.as_mut_slice();
        let mut tasks = Vec::new();
        let mut work = 0;
        for sequence in sequences {
            for (block, queries) in sequence.queries.chunks(ROWS * width).enumerate() {
                let (here, after) = rest.split_at_mut(queries.len());
                rest = after;
                let start = sequence.start + block * ROWS;
                let first = tasks.len();
                tasks.extend((0..self.kv_heads).map(|head| Task {
                    shape: self,
                    head,
                    queries,
                    start,
                    pages: sequence.pages,
                    output: Vec::with_capacity(ROWS),
                }));
                for row in here.chunks_mut(width) {
                    for (task, part) in tasks[first..].iter_mut().zip(row.chunks_mut(group * self.head_dim)) {
                        task.output.push(part);
                    }
                }
                work += 2 * (start + 1) * queries.len();
            }
        }
        if work >= PARALLEL_FROM {
            tasks.into_par_iter().for_each(|task| Arch::new().dispatch(task));
        } else {
            tasks.into_iter().for_each(|task| Arch::new().dispatch(task));
        }
        output
    }
}

/// A block of rows and one key head with its group of query heads.
struct Task<'a, 'o> {
    shape: Attention,
    head: usize,
    queries: &'a [f32],
    start: usize,
    pages: &'a [Arc<Page>],
    /// For each row, the place of the group's heads.
    output: Vec<&'o mut [f32]>,
}

/// The running softmax of one head of one row.
#[derive(Clone, Copy)]
struct Softmax {
    max: f32,
    sum: f32,
}

impl WithSimd for Task<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match S::F32_LANES {
            16 => self.run::<S, 1, 4>(simd),
            8 => self.run::<S, 2, 8>(simd),
            4 => self.run::<S, 4, 16>(simd),
            _ => self.run::<S, PAGE_TOKENS, BLOCK>(simd),
        }
    }
}

impl Task<'_, '_> {
    /// `V` vectors hold the scores of a page, `B` a block of values.
    #[inline(always)]
    fn run<S: Simd, const V: usize, const B: usize>(mut self, simd: S) {
        let Attention { layer, heads, kv_heads, head_dim } = self.shape;
        let group = heads / kv_heads;
        let scale = 1.0 / (head_dim as f32).sqrt();
        let mut states = vec![Softmax { max: f32::NEG_INFINITY, sum: 0.0 }; self.output.len() * group];
        let mut scores = vec![[0f32; PAGE_TOKENS]; group];
        let (mut key_buffer, mut value_buffer) = (Vec::new(), Vec::new());
        let end = self.start + self.output.len();
        for (index, page) in self.pages[..end.div_ceil(PAGE_TOKENS)].iter().enumerate() {
            let keys = page.read(layer, Side::Key, self.head, &mut key_buffer);
            let values = page.read(layer, Side::Value, self.head, &mut value_buffer);
            let first = index * PAGE_TOKENS;
            for (row, output) in self.output.iter_mut().enumerate() {
                let seen = (self.start + row + 1).saturating_sub(first).min(PAGE_TOKENS);
                if seen == 0 {
                    continue;
                }
                let query = row * heads * head_dim + self.head * group * head_dim;
                score::<S, V>(simd, &self.queries[query..query + group * head_dim], keys, &mut scores);
                let heads = scores.iter_mut().zip(output.chunks_exact_mut(head_dim)).zip(&mut states[row * group..]);
                for ((scores, output), state) in heads {
                    let weights = state.advance(scores, seen, scale, output);
                    weigh::<S, B>(simd, weights, values, output);
                }
            }
        }
        for (row, output) in self.output.iter_mut().enumerate() {
            for (output, state) in output.chunks_exact_mut(head_dim).zip(&states[row * group..]) {
                for value in output {
                    *value /= state.sum;
                }
            }
        }
    }
}

/// The products of the queries of a group with all keys of a page. Two at a time, to hide the latency of an addition.
#[inline(always)]
fn score<S: Simd, const V: usize>(simd: S, queries: &[f32], keys: &[f32], scores: &mut [[f32; PAGE_TOKENS]]) {
    let head_dim = queries.len() / scores.len();
    let (pairs, single) = scores.as_chunks_mut::<2>();
    let (paired, last) = queries.split_at(pairs.len() * 2 * head_dim);
    for (pair, queries) in pairs.iter_mut().zip(paired.chunks_exact(2 * head_dim)) {
        let (first, second) = queries.split_at(head_dim);
        for (scores, products) in pair.iter_mut().zip(sums::<S, 2, V>(simd, zeros(simd), [first, second], lines::<S, V>(keys))) {
            store(simd, products, scores);
        }
    }
    if let [scores] = single {
        let [products] = sums::<S, 1, V>(simd, zeros(simd), [last], lines::<S, V>(keys));
        store(simd, products, scores);
    }
}

/// Adds the weighted values of the first tokens of a page to `output`, a block at a time; `B` vectors hold one.
#[inline(always)]
fn weigh<S: Simd, const B: usize>(simd: S, weights: &[f32], values: &[f32], output: &mut [f32]) {
    let head_dim = output.len();
    let tokens = || values.chunks_exact(head_dim).take(weights.len());
    let (blocks, rest) = output.as_chunks_mut::<BLOCK>();
    for (index, block) in blocks.iter_mut().enumerate() {
        let lines = tokens().filter_map(|values| lines::<S, B>(&values[index * BLOCK..(index + 1) * BLOCK]).next());
        let [sums] = sums::<S, 1, B>(simd, zeros(simd), [weights], lines);
        for (place, sum) in S::as_mut_simd_f32s(block).0.iter_mut().zip(sums) {
            *place = simd.add_f32s(*place, sum);
        }
    }
    let done = head_dim - rest.len();
    for (weight, values) in weights.iter().zip(tokens()) {
        for (place, value) in rest.iter_mut().zip(&values[done..]) {
            *place += weight * value;
        }
    }
}

impl Softmax {
    /// Takes the first `seen` scores of a page in: turns them to weights, and brings `output`, the weighted values so far, to the same
    /// maximum.
    #[inline(always)]
    fn advance<'s>(&mut self, scores: &'s mut [f32; PAGE_TOKENS], seen: usize, scale: f32, output: &mut [f32]) -> &'s [f32] {
        let max = scores[..seen].iter().fold(self.max, |max, score| max.max(score * scale));
        let correction = exp(self.max - max);
        self.max = max;
        for value in output.iter_mut() {
            *value *= correction;
        }
        for score in scores.iter_mut() {
            *score = exp(*score * scale - max);
        }
        let weights = &scores[..seen];
        self.sum = weights.iter().fold(self.sum * correction, |sum, weight| sum + weight);
        weights
    }
}
