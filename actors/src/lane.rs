//! A loaded model, with everything of its generator that outlives a crash.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use shammah_protocol::{Incarnation, LoadedModel};
use tokio::sync::watch;

use crate::doorbell::Doorbell;
use crate::ledger::Ledger;
use crate::tally::Tally;

/// Engine threads of one model at once: one that serves, and one that hangs and has been fenced.
const ENGINES: usize = 2;

/// Lent to each generator of the model in turn. Only one uses it at a time.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) model: LoadedModel,
    pub(crate) doorbell: Arc<Doorbell>,
    pub(crate) gauges: Gauges,
    pub(crate) ledger: Ledger,
    pub(crate) berths: Berths,
    /// The engine that has passed its self-test and serves.
    pub(crate) serving: watch::Sender<Option<Incarnation>>,
    incarnations: AtomicU64,
}

impl Lane {
    pub(crate) fn new(model: LoadedModel) -> Self {
        Self {
            model,
            doorbell: Arc::default(),
            gauges: Gauges::default(),
            ledger: Ledger::default(),
            berths: Berths::default(),
            serving: watch::Sender::new(None),
            incarnations: AtomicU64::new(0),
        }
    }

    /// Whether an engine serves.
    pub(crate) fn is_ready(&self) -> bool {
        self.serving.borrow().is_some()
    }

    /// An engine is gone. Another one may serve already.
    pub(crate) fn gone(&self, incarnation: Incarnation) {
        self.serving.send_if_modified(|serving| serving.take_if(|serving| *serving == incarnation).is_some());
    }

    pub(crate) fn next_incarnation(&self) -> Incarnation {
        Incarnation(self.incarnations.fetch_add(1, Ordering::Relaxed))
    }
}

/// Figures of one lane, written by its engine thread and read by the monitor.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    counts: Mutex<Counts>,
    pub(crate) prompt_tokens: AtomicU64,
    pub(crate) generated_tokens: AtomicU64,
}

/// The sequences of one engine thread.
#[derive(Clone, Debug, Default)]
pub(crate) struct Counts {
    pub(crate) running: Tally,
    pub(crate) waiting: Tally,
}

impl Gauges {
    /// The counts of the engine thread that serves.
    pub(crate) fn counts(&self) -> Counts {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Counts for a new engine thread. What hangs with an old one is not counted any more.
    pub(crate) fn renew(&self) -> Counts {
        let fresh = Counts::default();
        self.counts.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&fresh);
        fresh
    }
}

/// Bounds the engine threads that live at once.
#[derive(Debug, Default)]
pub(crate) struct Berths {
    taken: Mutex<usize>,
    freed: Condvar,
}

/// A place for one engine thread; given back when dropped.
#[derive(Debug)]
pub(crate) struct Berth<'a>(&'a Berths);

impl Berths {
    /// Waits for a place; `None` if none comes free.
    pub(crate) fn take(&self, longest: Duration) -> Option<Berth<'_>> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut usize| *taken >= ENGINES;
        let (mut taken, _) = self.freed.wait_timeout_while(taken, longest, full).unwrap_or_else(PoisonError::into_inner);
        if *taken >= ENGINES {
            return None;
        }
        *taken += 1;
        Some(Berth(self))
    }
}

impl Drop for Berth<'_> {
    fn drop(&mut self) {
        *self.0.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        self.0.freed.notify_one();
    }
}
