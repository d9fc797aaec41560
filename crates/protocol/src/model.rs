//! What is known of a model.

use serde::{Deserialize, Serialize};

use crate::id::ModelId;
use crate::sampling::Sampling;

/// The properties of a loaded model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelCard {
    pub id: ModelId,
    /// As the model's own configuration names it: `qwen2`.
    pub architecture: String,
    /// Number of weights, a tied head counted once.
    pub parameters: u64,
    /// The type of most weights: `Q8_0`, `F32`.
    pub quantization: String,
    /// The window in tokens, prompt and completion together.
    pub context_window: usize,
    /// Whether this is the small embedded model, which shows what shammah does but is no assistant.
    pub demo: bool,
    /// What the model's own generation config says, else temperature 1.
    pub sampling: Sampling,
}
