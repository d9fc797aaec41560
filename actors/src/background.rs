//! A task that ends with its owner.

use std::future::Future;

use tokio::task::JoinHandle;

/// A running task; dropping it aborts it.
#[derive(Debug)]
pub(crate) struct Background(JoinHandle<()>);

impl Background {
    pub(crate) fn spawn(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(tokio::spawn(task))
    }

    /// Ends it now.
    pub(crate) fn abort(&self) {
        self.0.abort();
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.abort();
    }
}
