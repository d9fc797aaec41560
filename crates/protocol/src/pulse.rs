//! The engine's heartbeat, and the flag that stops it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use thiserror::Error;

/// The engine was told to stop in the middle of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
#[error("the engine was told to stop")]
pub struct Halted;

/// Shared by an engine thread and its owner. The thread ticks it once per layer; the owner sees by it that a step makes
/// progress, and sets its flag to fence a thread that hung.
#[derive(Debug, Default)]
pub struct Pulse {
    ticks: AtomicU64,
    halted: AtomicBool,
    #[cfg(debug_assertions)]
    fault: crate::fault::FaultSlot,
}

impl Pulse {
    /// Records progress. Call it at least once per layer, and stop the step on `Err`.
    ///
    /// # Errors
    /// [`Halted`] once [`Self::halt`] was called.
    pub fn tick(&self) -> Result<(), Halted> {
        #[cfg(debug_assertions)]
        self.fault.strike(self);
        self.ticks.fetch_add(1, Ordering::Relaxed);
        if self.is_halted() { Err(Halted) } else { Ok(()) }
    }

    /// How often the pulse has ticked.
    pub fn ticks(&self) -> u64 {
        self.ticks.load(Ordering::Relaxed)
    }

    /// Tells the thread to stop at its next tick. There is no way back.
    pub fn halt(&self) {
        self.halted.store(true, Ordering::Release);
    }

    /// Whether the thread has been told to stop.
    pub fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    /// Makes the next ticks cause this crash, in tests.
    #[cfg(debug_assertions)]
    pub fn arm(&self, cause: crate::fault::Cause) {
        self.fault.arm(cause);
    }

    /// Whether the engine should panic inside its compute pool, in tests. Asking disarms it.
    #[cfg(debug_assertions)]
    pub fn take_kernel_fault(&self) -> bool {
        self.fault.take_kernel()
    }
}
