//! How far a load has come.

use shammah_protocol::LoadProgress;

/// Counts bytes of weights as they are read.
pub(crate) struct Progress<'a> {
    done: u64,
    total: u64,
    report: &'a dyn Fn(LoadProgress),
}

impl<'a> Progress<'a> {
    /// Nothing of `total` bytes is read yet.
    pub(crate) fn new(total: u64, report: &'a dyn Fn(LoadProgress)) -> Self {
        report(LoadProgress { done: 0, total });
        Self { done: 0, total, report }
    }

    /// `bytes` more have been read.
    pub(crate) fn add(&mut self, bytes: usize) {
        self.done += bytes as u64;
        (self.report)(LoadProgress { done: self.done, total: self.total });
    }
}
