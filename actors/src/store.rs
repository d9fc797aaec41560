//! The actor in front of the store: one thread, one connection, changes committed in groups.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread;

use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shammah_protocol::{Change, SessionRecord, Store as Storage, StoreError, StoreFactory};

use crate::address::Envelope;

/// Changes on their way to the thread.
const INTAKE: usize = 256;
/// The most changes of one commit.
const GROUP: usize = 64;

/// What the store is told.
#[derive(Debug)]
pub(crate) enum StoreMessage {
    /// Commit a change; answered when it lasts.
    Commit {
        change: Change,
        reply: Option<RpcReplyPort<Result<(), StoreError>>>,
    },
    Load {
        reply: RpcReplyPort<Result<Vec<SessionRecord>, StoreError>>,
    },
    /// The thread has ended.
    Ended(String),
}

/// Owns the thread that owns the store.
#[derive(Debug)]
pub(crate) struct Store;

/// The state of the store actor. Dropping it ends the thread when it has done what it took.
#[derive(Debug)]
pub(crate) struct Storing {
    intake: SyncSender<Work>,
}

#[derive(Debug)]
enum Work {
    Commit { change: Change, reply: Option<RpcReplyPort<Result<(), StoreError>>> },
    Load { reply: RpcReplyPort<Result<Vec<SessionRecord>, StoreError>> },
}

impl Actor for Store {
    type Msg = Envelope<StoreMessage>;
    type State = Storing;
    type Arguments = Arc<dyn StoreFactory>;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, factory: Self::Arguments) -> Result<Storing, ActorProcessingErr> {
        let (intake, work) = sync_channel(INTAKE);
        thread::Builder::new().name("store".to_owned()).spawn(move || {
            let ended = Ended(myself);
            match factory.open() {
                Ok(mut storage) => serve(storage.as_mut(), &work),
                Err(error) => tracing::error!(%error, "the store cannot be opened"),
            }
            drop(ended);
        })?;
        Ok(Storing { intake })
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, message: Self::Msg, state: &mut Storing) -> Result<(), ActorProcessingErr> {
        match message.open() {
            StoreMessage::Commit { change, reply } => state.pass(Work::Commit { change, reply }),
            StoreMessage::Load { reply } => state.pass(Work::Load { reply }),
            StoreMessage::Ended(reason) => return Err(reason.into()),
        }
        Ok(())
    }
}

impl Storing {
    fn pass(&self, work: Work) {
        match self.intake.try_send(work) {
            Ok(()) => {}
            Err(TrySendError::Full(Work::Commit { reply: Some(reply), .. })) => answer(reply, Err(StoreError::Full)),
            Err(TrySendError::Full(Work::Load { reply })) => answer(reply, Err(StoreError::Full)),
            // Nobody waits for it: the next change of that session writes it again.
            Err(TrySendError::Full(Work::Commit { reply: None, .. })) => tracing::warn!("the store is behind; a change was put off"),
            // The thread is dead: its message comes next, and who waits sees the reply port close.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }
}

fn serve(storage: &mut dyn Storage, work: &Receiver<Work>) {
    while let Ok(first) = work.recv() {
        let (mut changes, mut replies) = (Vec::new(), Vec::new());
        let mut next = Some(first);
        let load = loop {
            match next {
                Some(Work::Commit { change, reply }) => {
                    changes.push(change);
                    replies.extend(reply);
                    next = if changes.len() < GROUP { work.try_recv().ok() } else { None };
                }
                Some(Work::Load { reply }) => break Some(reply),
                None => break None,
            }
        };
        if !changes.is_empty() {
            let outcome = storage.commit(&changes);
            for reply in replies {
                answer(reply, outcome.clone());
            }
        }
        if let Some(reply) = load {
            answer(reply, storage.sessions());
        }
    }
}

fn answer<T>(reply: RpcReplyPort<T>, outcome: T) {
    // Whoever asked may have given up.
    let _ = reply.send(outcome);
}

/// Tells the actor that its thread is gone, even when it goes by a panic.
struct Ended(ActorRef<Envelope<StoreMessage>>);

impl Drop for Ended {
    fn drop(&mut self) {
        let reason = if thread::panicking() { "the store's thread panicked" } else { "the store's thread ended" };
        let _ = self.0.cast(StoreMessage::Ended(reason.to_owned()).into());
    }
}
