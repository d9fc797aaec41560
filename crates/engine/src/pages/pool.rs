//! The budget of pages.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{Page, PageShape};

/// Gives out pages up to a number; memory is allocated when a page is taken, and freed when it is dropped.
#[derive(Debug)]
pub(crate) struct PagePool {
    shape: PageShape,
    capacity: usize,
    used: Arc<AtomicUsize>,
}

/// The part of the budget that one page takes.
#[derive(Debug)]
pub(crate) struct Place(Arc<AtomicUsize>);

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl PagePool {
    /// A pool of as many pages as fit into `bytes`, but at least one.
    pub(crate) fn new(shape: PageShape, bytes: u64) -> Self {
        let pages = bytes / (shape.bytes() as u64).max(1);
        Self { shape, capacity: usize::try_from(pages).unwrap_or(usize::MAX).max(1), used: Arc::default() }
    }

    /// A page of zeros; `None` if the budget is spent.
    pub(crate) fn take(&self) -> Option<Page> {
        self.used
            .try_update(Ordering::AcqRel, Ordering::Acquire, |used| (used < self.capacity).then_some(used + 1))
            .ok()
            .map(|_| Page::new(self.shape, Some(Place(self.used.clone()))))
    }

    /// A page outside of the budget.
    pub(crate) fn spare(&self) -> Page {
        Page::new(self.shape, None)
    }

    pub(crate) fn used(&self) -> usize {
        self.used.load(Ordering::Acquire)
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }
}
