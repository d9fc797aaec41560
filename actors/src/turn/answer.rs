//! The client's end of a turn.

use shammah_protocol::{FinishReason, TurnError, TurnEvent, Usage};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// What a turn comes to.
#[derive(Debug)]
pub(crate) struct Complete {
    pub(crate) reason: FinishReason,
    pub(crate) usage: Usage,
}

/// An answer in the making. It owns the turn's task: dropping it abandons the turn.
///
/// The end of the stream is the end of the task, so there is exactly one, whatever the task dies of.
#[derive(Debug)]
pub struct Answer {
    text: mpsc::Receiver<String>,
    task: Task,
}

#[derive(Debug)]
pub(crate) struct Task(pub(crate) Option<JoinHandle<Result<Complete, TurnError>>>);

impl Answer {
    pub(crate) fn new(text: mpsc::Receiver<String>, task: Task) -> Self {
        Self { text, task }
    }

    /// The next event; `None` after the last one.
    pub async fn next(&mut self) -> Option<TurnEvent> {
        if let Some(text) = self.text.recv().await {
            return Some(TurnEvent::Text(text));
        }
        Some(match self.task.end().await? {
            Ok(Complete { reason, usage }) => TurnEvent::Finished { reason, usage },
            Err(error) => TurnEvent::Failed(error),
        })
    }

    /// Kills the turn, in tests.
    #[cfg(debug_assertions)]
    pub fn kill(&self) {
        if let Some(task) = &self.task.0 {
            task.abort();
        }
    }
}

impl Task {
    /// What the task came to; `None` the second time.
    pub(crate) async fn end(&mut self) -> Option<Result<Complete, TurnError>> {
        let outcome = self.0.as_mut()?.await;
        self.0 = None;
        Some(outcome.unwrap_or_else(|error| {
            let reason = if error.is_panic() { "the turn panicked" } else { "the turn was killed" };
            Err(TurnError::Internal(reason.to_owned()))
        }))
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}
