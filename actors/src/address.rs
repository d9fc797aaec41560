//! Addresses outlive actors.
//!
//! A supervisor fills a [`Slot`] with each incarnation of a child. Everyone else holds an [`Address`], which reads the slot: a
//! caller waits *through* a restart instead of failing in it, and nobody but a supervisor stores an `ActorRef`.

use std::fmt;
use std::time::Duration;

use ractor::{ActorId, ActorRef, ActorStatus, Message, RpcReplyPort};
use thiserror::Error;
use tokio::sync::{oneshot, watch};
use tokio::time::{Instant, timeout, timeout_at};

use crate::tally::{Tally, Ticket};

/// The longest pause before a lost message is sent again.
const RETRY_PAUSE: Duration = Duration::from_millis(50);

/// Why a call has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    #[error("{0} is not running")]
    Unreachable(&'static str),
    /// It died with the message, or dropped it: the message may or may not have taken effect.
    #[error("{0} was lost during the call")]
    Lost(&'static str),
    #[error("{0} did not answer in time")]
    Timeout(&'static str),
}

/// A message on its way. While it waits in a mailbox it is counted; the count is given back even when the mailbox is dropped.
#[derive(Debug)]
pub struct Envelope<M> {
    message: M,
    _ticket: Option<Ticket>,
}

impl<M> Envelope<M> {
    /// Takes the message out.
    pub fn open(self) -> M {
        self.message
    }
}

/// An actor's message to itself is not counted.
impl<M> From<M> for Envelope<M> {
    fn from(message: M) -> Self {
        Self { message, _ticket: None }
    }
}

/// The supervisor's side: where the current incarnation is put.
pub struct Slot<M: Message> {
    current: watch::Sender<Option<ActorRef<Envelope<M>>>>,
    waiting: Tally,
    name: &'static str,
}

impl<M: Message> Slot<M> {
    /// An empty slot. The name is for errors.
    pub fn new(name: &'static str) -> Self {
        Self { current: watch::Sender::new(None), waiting: Tally::default(), name }
    }

    /// The address that follows this slot.
    pub fn address(&self) -> Address<M> {
        Address { current: self.current.subscribe(), waiting: self.waiting.clone(), name: self.name }
    }

    pub(crate) fn fill(&self, actor: ActorRef<Envelope<M>>) {
        self.current.send_replace(Some(actor));
    }

    pub(crate) fn clear(&self) {
        self.current.send_replace(None);
    }

    /// Counts the messages that wait.
    pub(crate) fn waiting(&self) -> Tally {
        self.waiting.clone()
    }
}

impl<M: Message> fmt::Debug for Slot<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Slot").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Where an actor can be reached, whichever incarnation of it lives.
pub struct Address<M: Message> {
    current: watch::Receiver<Option<ActorRef<Envelope<M>>>>,
    waiting: Tally,
    name: &'static str,
}

impl<M: Message> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self { current: self.current.clone(), waiting: self.waiting.clone(), name: self.name }
    }
}

impl<M: Message> fmt::Debug for Address<M> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Address").field("name", &self.name).finish_non_exhaustive()
    }
}

impl<M: Message> Address<M> {
    /// Delivers now or not at all, and says which incarnation got it.
    ///
    /// # Errors
    /// [`CallError::Unreachable`] if no incarnation lives.
    pub fn cast(&self, message: M) -> Result<ActorId, CallError> {
        let actor = self.alive().ok_or(CallError::Unreachable(self.name))?;
        let envelope = Envelope { message, _ticket: Some(self.waiting.ticket()) };
        actor.cast(envelope).map_err(|_| CallError::Unreachable(self.name))?;
        Ok(actor.get_id())
    }

    /// Asks and waits for the answer, through a restart if need be, at most `within`. A message that was lost is not sent again.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call<T: Send + 'static>(&self, build: impl FnOnce(RpcReplyPort<T>) -> M, within: Duration) -> Result<T, CallError> {
        self.call_until(build, Instant::now() + within).await
    }

    /// As [`Self::call`], but a lost message is sent again: only for messages that may take effect twice.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn call_again<T: Send + 'static>(&self, build: impl Fn(RpcReplyPort<T>) -> M, within: Duration) -> Result<T, CallError> {
        let deadline = Instant::now() + within;
        loop {
            let seen = self.current_id();
            match self.call_until(&build, deadline).await {
                Err(CallError::Lost(_)) if Instant::now() < deadline => {
                    // Lost with its actor, or by whom the actor had passed it on to: then the same actor is asked again.
                    if let Some(seen) = seen {
                        let _ = timeout(RETRY_PAUSE, self.replaced(seen)).await;
                    }
                }
                outcome => return outcome,
            }
        }
    }

    /// Resolves when `seen` is no longer the incarnation that lives and another one does.
    pub async fn replaced(&self, seen: ActorId) {
        let mut current = self.current.clone();
        let another = |slot: &Option<ActorRef<_>>| slot.as_ref().is_some_and(|actor| actor.get_id() != seen && lives(actor));
        // The slot lives as long as the tree: if it is gone, so is whoever waits.
        let _ = current.wait_for(another).await;
    }

    /// The id of the incarnation in the slot, alive or not.
    pub fn current_id(&self) -> Option<ActorId> {
        self.current.borrow().as_ref().map(|actor| actor.get_id())
    }

    /// Resolves when an incarnation lives.
    pub async fn live(&self) {
        let mut current = self.current.clone();
        let _ = current.wait_for(|slot| slot.as_ref().is_some_and(lives)).await;
    }

    async fn call_until<T: Send + 'static>(&self, build: impl FnOnce(RpcReplyPort<T>) -> M, deadline: Instant) -> Result<T, CallError> {
        timeout_at(deadline, self.live()).await.map_err(|_| CallError::Unreachable(self.name))?;
        let (reply, answer) = oneshot::channel();
        self.cast(build(reply.into())).map_err(|_| CallError::Lost(self.name))?;
        match timeout_at(deadline, answer).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(CallError::Lost(self.name)),
            Err(_) => Err(CallError::Timeout(self.name)),
        }
    }

    fn alive(&self) -> Option<ActorRef<Envelope<M>>> {
        self.current.borrow().as_ref().filter(|actor| lives(actor)).cloned()
    }
}

fn lives<M: Message>(actor: &ActorRef<Envelope<M>>) -> bool {
    actor.get_status() < ActorStatus::Draining
}
