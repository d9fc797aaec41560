//! What the engine thread is computing, for its owner to see.

use std::sync::atomic::{AtomicBool, Ordering};
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
pub(crate) struct Blame {
    suspects: Mutex<Vec<Suspect>>,
    /// Whether the thread computes; if not, it waits for work.
    busy: AtomicBool,
}

impl Blame {
    /// A step with these sequences begins.
    pub(crate) fn enter(&self, suspects: Vec<Suspect>) {
        *self.suspects.lock().unwrap_or_else(PoisonError::into_inner) = suspects;
    }

    /// The step has ended well.
    pub(crate) fn leave(&self) {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// The thread computes from now on, or waits for work.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.busy.store(busy, Ordering::Release);
    }

    /// Whether the pulse must tick.
    pub(crate) fn is_busy(&self) -> bool {
        self.busy.load(Ordering::Acquire)
    }

    /// The sequences of the step that died, if one did.
    pub(crate) fn take(&self) -> Vec<Suspect> {
        std::mem::take(&mut *self.suspects.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
