//! Inference, as seen by the actor that drives it.
//!
//! A [`ModelSource`] loads models. Each comes with an [`EngineFactory`], which holds what outlives a crash (weights, finished
//! KV pages); a factory makes [`Engine`]s, each driven step by step on a thread that a generator owns.

use std::fmt::Debug;
use std::sync::Arc;

use thiserror::Error;

use crate::codec::Codec;
use crate::id::{JobId, ModelId};
use crate::job::{Finish, Job, Reject, TokenId};
use crate::model::ModelCard;
use crate::pulse::{Halted, Pulse};

/// Counts the engines of one factory. Page inserts of a fenced incarnation are refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Incarnation(pub u64);

/// Why a model cannot be loaded.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum LoadError {
    #[error("there is no model at {0}")]
    NotFound(String),
    #[error("{what} cannot be read: {reason}")]
    Unreadable { what: String, reason: String },
    #[error("{what} is not supported: {reason}")]
    Unsupported { what: String, reason: String },
    #[error("{what} is invalid: {reason}")]
    Invalid { what: String, reason: String },
}

impl LoadError {
    /// A stable word for metrics and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotFound(_) => "not_found",
            Self::Unreadable { .. } => "unreadable",
            Self::Unsupported { .. } => "unsupported",
            Self::Invalid { .. } => "invalid",
        }
    }
}

/// How far a load has come, in bytes of weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoadProgress {
    pub done: u64,
    pub total: u64,
}

/// Finds and loads models by id.
pub trait ModelSource: Send + Sync + Debug {
    /// The models that this source knows, the default one first.
    fn models(&self) -> Vec<ModelId>;

    /// Loads one model. Blocks for as long as that takes.
    ///
    /// # Errors
    /// [`LoadError`]; nothing is half loaded then.
    fn load(&self, model: &ModelId, progress: &dyn Fn(LoadProgress)) -> Result<LoadedModel, LoadError>;
}

/// A model that can answer. Cheap to clone.
#[derive(Clone, Debug)]
pub struct LoadedModel {
    pub card: Arc<ModelCard>,
    pub codec: Arc<dyn Codec>,
    pub engines: Arc<dyn EngineFactory>,
}

/// Makes engines over shared weights and owns the page store, which outlives each of them.
pub trait EngineFactory: Send + Sync + Debug {
    /// A new engine. Cheap: the weights are already loaded.
    fn engine(&self, incarnation: Incarnation) -> Box<dyn Engine>;

    /// Refuses page inserts of this incarnation and all before it.
    fn fence(&self, incarnation: Incarnation);

    /// Forgets stored pages of this prompt: they may be what crashed an engine.
    fn evict(&self, prompt: &[TokenId]);

    /// How full the KV cache is.
    fn pages(&self) -> PageUsage;
}

/// Fill of the KV cache. One page holds a fixed number of positions of one sequence, all layers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PageUsage {
    /// Pages that running sequences or the store hold.
    pub used: usize,
    pub capacity: usize,
    /// Of `used`: finished pages kept for later sequences.
    pub stored: usize,
    /// Running total of prompt tokens looked up in the store.
    pub queried_tokens: u64,
    /// Of `queried_tokens`: how many the store had.
    pub hit_tokens: u64,
}

/// Why a step failed. The engine must not be used again.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum EngineError {
    #[error(transparent)]
    Halted(#[from] Halted),
    #[error("the computation failed: {0}")]
    Compute(String),
    /// Logits that are not finite, or a self-test that does not repeat.
    #[error("the engine's self-test failed: {0}")]
    SelfTest(String),
}

/// A sequence got a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// Tokens of the prompt (and of earlier attempts) whose KV pages were found in the store.
    pub cached_tokens: usize,
}

/// What a step did for one sequence.
#[derive(Clone, Debug, PartialEq)]
pub enum Output {
    /// A part of the prompt was computed; no token yet.
    Prefilled { job: JobId, tokens: usize },
    /// The next token, and whether it is the last.
    Token { job: JobId, position: usize, id: TokenId, finish: Option<Finish> },
    /// The sequence ends without a further token: it drew an end token, or there was no room for one.
    Finished { job: JobId, finish: Finish },
    /// This sequence alone failed, its logits were not finite for example. It is retired.
    Failed { job: JobId, reject: Reject },
}

/// Continuous batching over one model. Lives on one thread; shares only immutable data and finished pages.
///
/// Determinism is part of the contract: the token at a position depends on the job alone, never on other sequences, on how a
/// prompt was cut into chunks, or on which engine computed earlier positions.
pub trait Engine {
    /// Computes a little and checks the result, before any job is admitted.
    ///
    /// # Errors
    /// [`EngineError`]: the process is sick, a new engine in it would be too.
    fn self_test(&mut self, pulse: &Pulse) -> Result<(), EngineError>;

    /// Takes a sequence up.
    ///
    /// # Errors
    /// [`Reject::TooLong`] or [`Reject::NoMemory`].
    fn admit(&mut self, job: &Job) -> Result<Admission, Reject>;

    /// Computes one step: a token for sequences that are past their prompt, and a chunk of prompt for others, within the token
    /// budget. Only sequences in `ready` take part. Ticks `pulse` at least once per layer.
    ///
    /// # Errors
    /// [`EngineError`]: the engine must be replaced.
    fn step(&mut self, ready: &[JobId], pulse: &Pulse) -> Result<Vec<Output>, EngineError>;

    /// Forgets a sequence and frees its pages. Finished and failed sequences are retired already; unknown ones are ignored.
    fn retire(&mut self, job: JobId);
}
