//! What an idle engine thread waits for.

use std::sync::{Condvar, Mutex, PoisonError};
use std::time::Duration;

use shammah_protocol::Pulse;

/// Rung by a command, by a turn that has taken a piece, and by a dropped sink. Outlives engine threads.
#[derive(Debug, Default)]
pub(crate) struct Doorbell {
    rung: Mutex<bool>,
    bell: Condvar,
}

impl Doorbell {
    /// Wakes the thread, now or when it next waits.
    pub(crate) fn ring(&self) {
        *self.rung.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.bell.notify_all();
    }

    /// Waits until the bell is rung, the pulse is halted or the time is over.
    pub(crate) fn wait(&self, pulse: &Pulse, longest: Duration) {
        let rung = self.rung.lock().unwrap_or_else(PoisonError::into_inner);
        let quiet = |rung: &mut bool| !*rung && !pulse.is_halted();
        let (mut rung, _) = self.bell.wait_timeout_while(rung, longest, quiet).unwrap_or_else(PoisonError::into_inner);
        *rung = false;
    }
}
