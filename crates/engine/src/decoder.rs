//! The transformer: tokens and pages in, logits out.

mod layer;
#[cfg(test)]
mod parity;

use std::sync::Arc;

use shammah_protocol::{EngineError, LoadError, Pulse, TokenId};

use self::layer::Layer;
use crate::config::Config;
use crate::kernel::rms_norm;
use crate::matrix::{Matrix, MatrixError};
use crate::pages::Page;
use crate::rope::Rope;
use crate::weights::{Tensor, Weights};

/// A Qwen2 decoder. Immutable; every step brings its own pages.
#[derive(Debug)]
pub(crate) struct Decoder {
    config: Config,
    embedding: Matrix,
    layers: Vec<Layer>,
    final_norm: Vec<f32>,
    /// `None` where the embedding is also the head.
    head: Option<Matrix>,
    rope: Rope,
}

/// Tokens of one sequence that follow each other.
#[derive(Debug)]
pub(crate) struct Segment<'a> {
    pub(crate) tokens: &'a [TokenId],
    /// Position of the first token.
    pub(crate) start: usize,
    /// All pages of the sequence, up to the last token. Those that the tokens fall into are held by nobody else.
    pub(crate) pages: &'a mut [Arc<Page>],
    pub(crate) wants: Wants,
}

/// What a segment is computed for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    Logits,
    /// Only its keys and values.
    Pages,
}

/// What became of a segment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Computed {
    /// Of its last token, one per entry of the vocabulary, all finite.
    Logits(Vec<f32>),
    Pages,
    /// Its numbers are not finite; neither then may be its pages.
    NotFinite,
}

impl Decoder {
    /// Reads the weights.
    ///
    /// # Errors
    /// [`LoadError`], naming the tensor.
    pub(crate) fn load(config: Config, weights: &mut dyn Weights) -> Result<Self, LoadError> {
        let embedding = weights.matrix(Tensor::Embedding, config.vocabulary, config.hidden)?;
        let layers = (0..config.layers).map(|index| Layer::load(index, &config, weights)).collect::<Result<_, _>>()?;
        let final_norm = weights.vector(Tensor::FinalNorm, config.hidden)?;
        let head = if config.tied { None } else { Some(weights.matrix(Tensor::Head, config.vocabulary, config.hidden)?) };
        let rope = Rope::new(config.rope_theta, config.head_dim);
        Ok(Self { config, embedding, layers, final_norm, head, rope })
    }

    pub(crate) fn config(&self) -> &Config {
        &self.config
    }

    /// All matrices.
    pub(crate) fn matrices(&self) -> impl Iterator<Item = &Matrix> {
        self.head.iter().chain([&self.embedding]).chain(self.layers.iter().flat_map(Layer::matrices))
    }

    /// Numbers of all weights.
    pub(crate) fn parameters(&self) -> u64 {
        let matrices: usize = self.matrices().map(Matrix::count).sum();
        let vectors: usize = self.layers.iter().map(Layer::vectors).sum();
        (matrices + vectors + self.final_norm.len()) as u64
    }

    /// Computes all segments together, in one pass over the weights. What becomes of a segment does not depend on the others, bit
    /// for bit, nor on how its sequence is cut into segments.
    ///
    /// # Errors
    /// [`EngineError`], after which the pages are of no use.
    pub(crate) fn forward(&self, segments: &mut [Segment<'_>], pulse: &Pulse) -> Result<Vec<Computed>, EngineError> {
        let mut x = Vec::new();
        for token in segments.iter().flat_map(|segment| segment.tokens) {
            x.extend(self.embedding.row(*token as usize).map_err(failed)?);
        }
        let positions = segments.iter().flat_map(|segment| segment.start..segment.start + segment.tokens.len());
        let rotations = self.rope.rotations(positions);
        for (index, layer) in self.layers.iter().enumerate() {
            pulse.tick()?;
            layer.forward(index, &self.config, &mut x, segments, &rotations).map_err(failed)?;
        }
        pulse.tick()?;
        self.finish(&x, segments).map_err(failed)
    }

    /// From the last layer's rows to the logits of the last tokens.
    fn finish(&self, x: &[f32], segments: &[Segment<'_>]) -> Result<Vec<Computed>, MatrixError> {
        let hidden = self.config.hidden;
        let mut end = 0;
        let mut last_rows = Vec::new();
        let mut finite = Vec::new();
        for segment in segments {
            end += segment.tokens.len() * hidden;
            let row = &x[end - hidden..end];
            // Attention spreads what is not finite at any position to all later ones, so the last row tells for the segment.
            finite.push(row.iter().all(|value| value.is_finite()));
            if segment.wants == Wants::Logits {
                last_rows.extend_from_slice(row);
            }
        }
        let head = self.head.as_ref().unwrap_or(&self.embedding);
        let logits =
            if last_rows.is_empty() { Vec::new() } else { head.apply(&rms_norm(&last_rows, &self.final_norm, self.config.rms_eps))? };
        let mut logits = logits.chunks_exact(self.config.vocabulary);
        let computed = segments.iter().zip(finite).map(|(segment, finite)| match segment.wants {
            Wants::Logits => {
                let logits = logits.next().expect("there is a row for each segment that wants one");
                let finite = finite && logits.iter().all(|logit| logit.is_finite());
                if finite { Computed::Logits(logits.to_vec()) } else { Computed::NotFinite }
            }
            Wants::Pages => {
                if finite {
                    Computed::Pages
                } else {
                    Computed::NotFinite
                }
            }
        });
        Ok(computed.collect())
    }
}

fn failed(error: MatrixError) -> EngineError {
    EngineError::Compute(error.to_string())
}
