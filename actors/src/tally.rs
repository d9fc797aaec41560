//! A count of things that exist, exact whatever they die of.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Counts the live [`Ticket`]s.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally(Arc<AtomicUsize>);

impl Tally {
    /// One more; one less when the ticket is dropped.
    pub(crate) fn ticket(&self) -> Ticket {
        self.0.fetch_add(1, Ordering::Relaxed);
        Ticket(Arc::clone(&self.0))
    }

    /// How many tickets exist.
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Counted for as long as it exists.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<AtomicUsize>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
