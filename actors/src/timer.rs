//! Timers that end with their owner. ractor's own outlive the actor that set them.

use std::time::Duration;

use ractor::{ActorRef, Message};

use crate::address::Envelope;
use crate::background::Background;

/// A pending message to an actor; dropping it takes the message back.
#[derive(Debug)]
pub(crate) struct Timer(#[expect(dead_code, reason = "held, not read")] Background);

impl Timer {
    /// Sends one message after a pause.
    pub(crate) fn once<M: Message>(to: &ActorRef<Envelope<M>>, after: Duration, message: impl FnOnce() -> M + Send + 'static) -> Self {
        let to = to.clone();
        Self(Background::spawn(async move {
            tokio::time::sleep(after).await;
            // The actor may have ended meanwhile: then nobody waits for this.
            let _ = to.cast(message().into());
        }))
    }

    /// Sends a message every `period`, the first after one period.
    pub(crate) fn every<M: Message>(to: &ActorRef<Envelope<M>>, period: Duration, message: impl Fn() -> M + Send + 'static) -> Self {
        let to = to.clone();
        Self(Background::spawn(async move {
            loop {
                tokio::time::sleep(period).await;
                if to.cast(message().into()).is_err() {
                    return;
                }
            }
        }))
    }
}
