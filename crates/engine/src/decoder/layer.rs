//! One layer: attention, then the feed-forward network.

use std::sync::Arc;

use shammah_protocol::LoadError;

use super::Segment;
use crate::config::Config;
use crate::kernel::{Attention, HeadRows, add, add_bias, rms_norm, swiglu};
use crate::matrix::{Matrix, MatrixError};
use crate::pages::{PAGE_TOKENS, Side};
use crate::rope::Rotations;
use crate::weights::{Part, Tensor, Weights};

#[derive(Debug)]
pub(super) struct Layer {
    attention_norm: Vec<f32>,
    query: Projection,
    key: Projection,
    value: Projection,
    output: Matrix,
    feed_forward_norm: Vec<f32>,
    gate: Matrix,
    up: Matrix,
    down: Matrix,
}

/// A matrix and its bias, which a model may lack.
#[derive(Debug)]
struct Projection {
    matrix: Matrix,
    bias: Option<Vec<f32>>,
}

impl Projection {
    fn load(weights: &mut dyn Weights, matrix: Tensor, bias: Tensor, rows: usize, columns: usize) -> Result<Self, LoadError> {
        let matrix = weights.matrix(matrix, rows, columns)?;
        let bias = if weights.has(bias) { Some(weights.vector(bias, rows)?) } else { None };
        Ok(Self { matrix, bias })
    }

    fn apply(&self, x: &[f32]) -> Result<Vec<f32>, MatrixError> {
        let mut y = self.matrix.apply(x)?;
        if let Some(bias) = &self.bias {
            add_bias(&mut y, bias);
        }
        Ok(y)
    }
}

impl Layer {
    pub(super) fn load(index: usize, config: &Config, weights: &mut dyn Weights) -> Result<Self, LoadError> {
        let tensor = |part| Tensor::Layer(index, part);
        let (hidden, inner) = (config.hidden, config.intermediate);
        let (width, kv_width) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        Ok(Self {
            attention_norm: weights.vector(tensor(Part::AttentionNorm), hidden)?,
            query: Projection::load(weights, tensor(Part::Query), tensor(Part::QueryBias), width, hidden)?,
            key: Projection::load(weights, tensor(Part::Key), tensor(Part::KeyBias), kv_width, hidden)?,
            value: Projection::load(weights, tensor(Part::Value), tensor(Part::ValueBias), kv_width, hidden)?,
            output: weights.matrix(tensor(Part::Output), hidden, width)?,
            feed_forward_norm: weights.vector(tensor(Part::FeedForwardNorm), hidden)?,
            gate: weights.matrix(tensor(Part::Gate), inner, hidden)?,
            up: weights.matrix(tensor(Part::Up), inner, hidden)?,
            down: weights.matrix(tensor(Part::Down), hidden, inner)?,
        })
    }

    pub(super) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        [&self.query.matrix, &self.key.matrix, &self.value.matrix, &self.output, &self.gate, &self.up, &self.down].into_iter()
    }

    /// Numbers outside of the matrices.
    pub(super) fn vectors(&self) -> usize {
        let biases = [&self.query, &self.key, &self.value].into_iter().filter_map(|projection| projection.bias.as_ref());
        self.attention_norm.len() + self.feed_forward_norm.len() + biases.map(Vec::len).sum::<usize>()
    }

    /// Adds what this layer says to `x [rows, hidden]`. Keys and values go to the pages first, and attention reads nothing but pages.
    pub(super) fn forward(
        &self,
        index: usize,
        config: &Config,
        x: &mut [f32],
        segments: &mut [Segment<'_>],
        rotations: &Rotations,
    ) -> Result<(), MatrixError> {
        let normed = rms_norm(x, &self.attention_norm, config.rms_eps);
        let mut queries = self.query.apply(&normed)?;
        let mut keys = self.key.apply(&normed)?;
        let values = self.value.apply(&normed)?;
        let (width, kv_width) = (config.heads * config.head_dim, config.kv_heads * config.head_dim);
        rotations.apply(&mut queries, width);
        rotations.apply(&mut keys, kv_width);
        write(index, segments, Side::Key, &keys, kv_width);
        write(index, segments, Side::Value, &values, kv_width);

        let mut rest = queries.as_slice();
        let rows: Vec<HeadRows<'_>> = segments
            .iter()
            .map(|segment| {
                let (queries, after) = rest.split_at(segment.tokens.len() * width);
                rest = after;
                HeadRows { queries, start: segment.start, pages: segment.pages }
            })
            .collect();
        let attention = Attention { layer: index, heads: config.heads, kv_heads: config.kv_heads, head_dim: config.head_dim };
        add(x, &self.output.apply(&attention.attend(&rows))?);

        let normed = rms_norm(x, &self.feed_forward_norm, config.rms_eps);
        let mut gate = self.gate.apply(&normed)?;
        swiglu(&mut gate, &self.up.apply(&normed)?);
        add(x, &self.down.apply(&gate)?);
        Ok(())
    }
}

/// Writes `vectors [rows, width]` of all segments to their pages.
fn write(layer: usize, segments: &mut [Segment<'_>], side: Side, vectors: &[f32], width: usize) {
    let mut vectors = vectors.chunks_exact(width);
    for segment in segments {
        for (position, vector) in (segment.start..segment.start + segment.tokens.len()).zip(&mut vectors) {
            let page = Arc::get_mut(&mut segment.pages[position / PAGE_TOKENS]).expect("a page that is written is held by one sequence");
            page.write(layer, side, position % PAGE_TOKENS, vector);
        }
    }
}
