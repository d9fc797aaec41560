//! The actor that keeps the records of who said what.

mod session;

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort};
use shammah_protocol::{Change, Correlation, Message, ModelId, OwnerId, SessionChoice, SessionHead, SessionId, StoreError, TurnError};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::address::{Address, Envelope};
use crate::background::Background;
use crate::store::StoreMessage;
use crate::supervisor::{Charge, Crash};
use crate::timer::Timer;
use session::Session;

/// What sessions are told.
#[derive(Debug)]
pub enum SessionsMessage {
    /// A turn begins; answered with the whole conversation. May be sent again.
    Begin {
        begin: Begin,
        reply: RpcReplyPort<Result<Vec<Message>, TurnError>>,
    },
    /// A turn has ended with an answer; answered when that is committed. May be sent again.
    End {
        end: End,
        reply: RpcReplyPort<Result<(), StoreError>>,
    },
    /// A turn goes on that an earlier keeper knew.
    Resume {
        correlation: Correlation,
        conversation: Vec<Message>,
        cancel: CancellationToken,
    },
    /// A turn has ended without an answer. If no engine had taken it up, it leaves no trace.
    Abandon {
        correlation: Correlation,
        admitted: bool,
    },
    View {
        owner: OwnerId,
        id: SessionId,
        reply: RpcReplyPort<Option<SessionView>>,
    },
    /// Ends its turns and forgets it; answered with whether it existed.
    Delete {
        owner: OwnerId,
        id: SessionId,
        reply: RpcReplyPort<bool>,
    },
    /// Time to forget idle sessions.
    Sweep,
    /// Another store is there: it may lack what was under way to the one that was lost.
    StoreReplaced,
}

/// The beginning of a turn.
#[derive(Clone, Debug)]
pub struct Begin {
    pub(crate) correlation: Correlation,
    pub(crate) choice: SessionChoice,
    pub(crate) messages: Vec<Message>,
    pub(crate) cancel: CancellationToken,
}

/// The end of a turn.
#[derive(Clone, Debug)]
pub struct End {
    pub(crate) correlation: Correlation,
    /// What the turn answered: the whole record, should the keeper have forgotten the turn in a restart.
    pub(crate) conversation: Vec<Message>,
    pub(crate) answer: Message,
    pub(crate) model: ModelId,
}

/// A session as its owner sees it.
#[derive(Clone, Debug)]
pub struct SessionView {
    pub head: SessionHead,
    pub messages: Vec<Message>,
}

/// The keeper of all sessions.
#[derive(Debug)]
pub(crate) struct Sessions;

/// What the keeper is made of.
#[derive(Clone, Debug)]
pub(crate) struct SessionsSpec {
    pub(crate) store: Address<StoreMessage>,
    pub(crate) max_sessions: usize,
    pub(crate) timeout: Duration,
    pub(crate) cleanup: Duration,
    /// How many there are, for the monitor.
    pub(crate) count: std::sync::Arc<watch::Sender<usize>>,
}

/// The state of the keeper.
#[derive(Debug)]
pub(crate) struct Keeping {
    spec: SessionsSpec,
    /// Absent until the store has been read.
    records: Option<Records>,
    _sweep: Timer,
    _watch: Background,
}

type Records = HashMap<(OwnerId, SessionId), Session>;

/// How long the keeper waits for the store before it fails.
const PATIENCE: Duration = Duration::from_secs(30);

impl Actor for Sessions {
    type Msg = Envelope<SessionsMessage>;
    type State = Keeping;
    type Arguments = SessionsSpec;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, spec: SessionsSpec) -> Result<Keeping, ActorProcessingErr> {
        let sweep = Timer::every(&myself, spec.cleanup, || SessionsMessage::Sweep);
        let watch = Background::spawn(tell_of_stores(myself, spec.store.clone()));
        Ok(Keeping { spec, records: None, _sweep: sweep, _watch: watch })
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, message: Self::Msg, state: &mut Keeping) -> Result<(), ActorProcessingErr> {
        let Keeping { spec, records, .. } = state;
        let records = match records {
            Some(records) => records,
            None => records.insert(load(&spec.store).await?),
        };
        let mut desk = Desk { spec, records };
        match message.open() {
            SessionsMessage::Begin { begin, reply } => answer(reply, desk.begin(begin)),
            SessionsMessage::End { end, reply } => desk.end(end, reply),
            SessionsMessage::Resume { correlation, conversation, cancel } => desk.resume(&correlation, conversation, cancel),
            SessionsMessage::Abandon { correlation, admitted } => desk.abandon(&correlation, admitted),
            SessionsMessage::View { owner, id, reply } => answer(reply, desk.view(owner, id)),
            SessionsMessage::Delete { owner, id, reply } => answer(reply, desk.delete(owner, id)),
            SessionsMessage::Sweep => desk.sweep(),
            SessionsMessage::StoreReplaced => desk.restore(&load(&spec.store).await?),
        }
        state.spec.count.send_replace(state.records.as_ref().map_or(0, HashMap::len));
        Ok(())
    }
}

/// Tells the keeper of each store that comes after the first.
async fn tell_of_stores(keeper: ActorRef<Envelope<SessionsMessage>>, store: Address<StoreMessage>) {
    store.live().await;
    while let Some(seen) = store.current_id() {
        store.replaced(seen).await;
        if keeper.cast(SessionsMessage::StoreReplaced.into()).is_err() {
            return;
        }
    }
}

async fn load(store: &Address<StoreMessage>) -> Result<Records, ActorProcessingErr> {
    let records = store.call_again(|reply| StoreMessage::Load { reply }, PATIENCE).await.map_err(failure)?.map_err(failure)?;
    Ok(records.into_iter().map(|record| ((record.head.owner.clone(), record.head.id.clone()), record.into())).collect())
}

fn failure(error: impl std::fmt::Display) -> ActorProcessingErr {
    Crash { charge: Charge::Counted, reason: format!("the sessions cannot be read: {error}") }.into()
}

/// The records while one message is handled.
struct Desk<'a> {
    spec: &'a SessionsSpec,
    records: &'a mut Records,
}

impl Desk<'_> {
    fn begin(&mut self, begin: Begin) -> Result<Vec<Message>, TurnError> {
        let Begin { correlation, choice, messages, cancel } = begin;
        let key = (correlation.owner.clone(), correlation.session.clone());
        if let Some(session) = self.records.get(&key) {
            if session.runs(&correlation.turn) {
                // The answer to the first call was lost, its effect was not.
                return Ok(session.messages.clone());
            }
            if matches!(choice, SessionChoice::Record(_)) && session.is_running() {
                return Err(TurnError::SessionBusy(correlation.session));
            }
        } else {
            self.make_room()?;
        }
        let session = self.records.entry(key).or_insert_with(|| fresh(&correlation, choice == SessionChoice::Fresh));
        let continues = matches!(choice, SessionChoice::Record(_));
        let (conversation, change) = session.begin(correlation.turn, messages, continues, cancel);
        self.commit(change, None);
        Ok(conversation)
    }

    fn end(&mut self, end: End, reply: RpcReplyPort<Result<(), StoreError>>) {
        let session = self.records.get_mut(&(end.correlation.owner.clone(), end.correlation.session.clone()));
        match session.map(|session| session.end(&end.correlation.turn, end.conversation, end.answer, end.model)) {
            Some(change) => self.commit(change, Some(reply)),
            // It was deleted meanwhile: there is nothing to commit.
            None => answer(reply, Ok(())),
        }
    }

    fn resume(&mut self, correlation: &Correlation, conversation: Vec<Message>, cancel: CancellationToken) {
        match self.records.get_mut(&(correlation.owner.clone(), correlation.session.clone())) {
            Some(session) => session.resume(correlation.turn.clone(), conversation, cancel),
            // It was deleted while no keeper was there to tell the turn.
            None => cancel.cancel(),
        }
    }

    fn abandon(&mut self, correlation: &Correlation, admitted: bool) {
        let key = (correlation.owner.clone(), correlation.session.clone());
        let Some(session) = self.records.get_mut(&key) else { return };
        let undone = session.abandon(&correlation.turn, admitted);
        if session.is_empty() {
            self.delete(key.0, key.1);
        } else if let Some(change) = undone {
            self.commit(change, None);
        }
    }

    fn view(&self, owner: OwnerId, id: SessionId) -> Option<SessionView> {
        let session = self.records.get(&(owner, id))?;
        Some(SessionView { head: session.head.clone(), messages: session.messages.clone() })
    }

    fn delete(&mut self, owner: OwnerId, id: SessionId) -> bool {
        let Some(session) = self.records.remove(&(owner.clone(), id.clone())) else { return false };
        session.cancel();
        self.commit(Change::Delete { owner, id }, None);
        true
    }

    fn sweep(&mut self) {
        let now = Timestamp::now();
        // A clock that was set back makes nobody idle.
        let idle = |session: &Session| {
            Duration::try_from(now.duration_since(session.head.last_activity)).is_ok_and(|idle| idle > self.spec.timeout)
        };
        let expired = self.records.iter().filter(|(_, session)| !session.is_running() && idle(session));
        for (owner, id) in expired.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
            tracing::debug!(session = %id, %owner, "session expired");
            self.delete(owner, id);
        }
    }

    /// Brings a store that holds `stored` up to date: what is in memory is the truth.
    fn restore(&self, stored: &Records) {
        for (owner, id) in stored.keys().filter(|key| !self.records.contains_key(key)) {
            self.commit(Change::Delete { owner: owner.clone(), id: id.clone() }, None);
        }
        for session in self.records.values() {
            self.commit(Change::Write { head: session.head.clone(), keep: 0, append: session.messages.clone() }, None);
        }
    }

    /// Lets the longest idle session go if all places are taken, those made implicitly first.
    fn make_room(&mut self) -> Result<(), TurnError> {
        if self.records.len() < self.spec.max_sessions {
            return Ok(());
        }
        let idle = self.records.iter().filter(|(_, session)| !session.is_running());
        let oldest = idle.min_by_key(|(_, session)| (!session.head.implicit, session.head.last_activity));
        let Some(((owner, id), _)) = oldest else {
            return Err(TurnError::Overloaded { what: "the table of sessions", retry_after: Duration::from_secs(5) });
        };
        let (owner, id) = (owner.clone(), id.clone());
        self.delete(owner, id);
        Ok(())
    }

    fn commit(&self, change: Change, reply: Option<RpcReplyPort<Result<(), StoreError>>>) {
        // While the store restarts, the reply port closes and the turn asks again.
        if let Err(error) = self.spec.store.cast(StoreMessage::Commit { change, reply }) {
            tracing::debug!(%error, "a change waits for the store");
        }
    }
}

fn fresh(correlation: &Correlation, implicit: bool) -> Session {
    let now = Timestamp::now();
    let head = SessionHead {
        id: correlation.session.clone(),
        owner: correlation.owner.clone(),
        created_at: now,
        last_activity: now,
        model: None,
        implicit,
    };
    shammah_protocol::SessionRecord { head, messages: Vec::new() }.into()
}

fn answer<T>(reply: RpcReplyPort<T>, outcome: T) {
    // Whoever asked may have given up.
    let _ = reply.send(outcome);
}
