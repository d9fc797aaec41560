//! What the engine thread is computing, for its owner to see.

use std::sync::{Arc, Mutex, PoisonError};

use shammah_protocol::TokenId;

/// A sequence that takes part in a step.
#[derive(Clone, Debug)]
pub(crate) struct Suspect {
    pub(crate) fingerprint: u64,
    pub(crate) prompt: Arc<[TokenId]>,
    /// The token in the making.
    pub(crate) position: usize,
}

/// The sequences of the step that runs now. The thread writes it around each step; it stays as it was when a step dies.
#[derive(Debug, Default)]
pub(crate) struct Blame(Mutex<Vec<Suspect>>);

impl Blame {
    /// A step with these sequences begins.
    pub(crate) fn enter(&self, suspects: Vec<Suspect>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = suspects;
    }

    /// The step has ended well.
    pub(crate) fn leave(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Whether a step runs.
    pub(crate) fn in_step(&self) -> bool {
        !self.0.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The sequences of the step that died, if one did.
    pub(crate) fn take(&self) -> Vec<Suspect> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
