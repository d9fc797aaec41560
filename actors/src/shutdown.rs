//! The two stages of stopping.

use tokio_util::sync::CancellationToken;

/// Shared by everything that answers requests.
#[derive(Clone, Debug, Default)]
pub struct Shutdown {
    drain: CancellationToken,
    abort: CancellationToken,
}

impl Shutdown {
    /// No new work is taken; what runs goes on.
    pub fn drain(&self) {
        self.drain.cancel();
    }

    /// What runs ends now, with an error.
    pub fn abort(&self) {
        self.drain.cancel();
        self.abort.cancel();
    }

    /// Whether new work is refused.
    pub fn is_draining(&self) -> bool {
        self.drain.is_cancelled()
    }

    /// Resolves when new work is refused.
    pub async fn draining(&self) {
        self.drain.cancelled().await;
    }

    /// Resolves when running work must end.
    pub async fn aborted(&self) {
        self.abort.cancelled().await;
    }
}
