//! A tree with a scripted engine, clients that check every stream, and a look at what is left when all is over.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use shammah_actors::{Answer, Asker, Blueprint, Door, Ending, Handles, Limits, MemoryStoreFactory, Parts, System};
use shammah_protocol::fault::{Cause, Fault};
use shammah_protocol::status::{ActorReport, ActorState};
use shammah_protocol::{
    Conversation, FinishReason, Message, OwnerId, Request, RequestId, Role, SamplingOverrides, SessionChoice, StoreFactory, TurnError,
    TurnEvent,
};
use tokio::task::JoinHandle;

use crate::scripted::{Script, ScriptedSource, text};

/// Far longer than anything here should take.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);
pub(crate) const GENERATOR: &str = "inference/generator-scripted";

pub(crate) struct Stage {
    pub(crate) script: Arc<Script>,
    pub(crate) handles: Handles,
    store: MemoryStoreFactory,
    system: System,
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with(Limits::default()).await
    }

    pub(crate) async fn with(limits: Limits) -> Self {
        Self::with_door(limits, None).await
    }

    /// A ready tree.
    pub(crate) async fn with_door(limits: Limits, door: Option<Door>) -> Self {
        let script = Arc::new(Script::default());
        let store = MemoryStoreFactory::default();
        let parts = Parts { source: Arc::new(ScriptedSource(Arc::clone(&script))), store: Arc::new(store.clone()), limits };
        let blueprint = Blueprint::new(parts);
        let handles = blueprint.handles();
        let system = blueprint.start(door).await.expect("the tree starts");
        let stage = Self { script, handles, store, system };
        stage.until("the model is ready", || stage.handles.is_ready()).await;
        stage
    }

    /// How many sessions the store holds.
    pub(crate) fn stored_sessions(&self) -> usize {
        self.store.open().and_then(|mut store| store.sessions()).expect("memory can be read").len()
    }

    /// Waits for a condition.
    pub(crate) async fn until(&self, what: &str, condition: impl Fn() -> bool) {
        until(what, condition).await;
    }

    pub(crate) fn actor(&self, path: &str) -> ActorReport {
        self.handles.status().actors.into_iter().find(|actor| actor.name == path).unwrap_or_else(|| panic!("no actor at {path}"))
    }

    pub(crate) async fn until_restarted(&self, path: &str, before: &ActorReport) {
        let again = || {
            let now = self.actor(path);
            now.state == ActorState::Running && now.id.is_some() && now.id != before.id
        };
        self.until(&format!("{path} runs again"), again).await;
    }

    /// Starts a stream; returns when it is admitted.
    pub(crate) async fn stream(&self, ask: Ask) -> Result<Stream, TurnError> {
        stream(self.handles.clone(), ask).await
    }

    /// A client of its own, which starts a stream and reads it to its good end.
    pub(crate) fn client(&self, ask: Ask) -> JoinHandle<Result<(), TurnError>> {
        let handles = self.handles.clone();
        tokio::spawn(async move {
            stream(handles, ask).await?.complete().await;
            Ok(())
        })
    }

    pub(crate) async fn gave_up(&mut self) -> Ending {
        within(self.system.gave_up()).await
    }

    pub(crate) fn into_system(self) -> System {
        self.system
    }

    /// Nothing is left: permits, sequences and session turns are back where they were.
    pub(crate) async fn is_clean(&self) {
        let queues = || self.handles.status().queues;
        self.until("permits are back", || queues().turns == 0).await;
        self.until("the engine holds no sequence", || self.script.sequences.load(Ordering::SeqCst) == 0).await;
        self.until("no sequence waits", || queues().sequences_waiting + queues().sequences_running == 0).await;
    }

    /// As [`Self::is_clean`], then the tree stops, and its engine threads are gone.
    pub(crate) async fn close(self) {
        self.is_clean().await;
        within(self.system.stop()).await;
        until("engine threads are gone", || self.script.alive.load(Ordering::SeqCst) == 0).await;
    }
}

async fn stream(handles: Handles, ask: Ask) -> Result<Stream, TurnError> {
    let permit = handles.turns.admit()?;
    let asker = Asker { owner: OwnerId::local(), request: RequestId::random(), fault: ask.fault };
    let request = Request {
        model: None,
        session: ask.session,
        conversation: Conversation { messages: vec![Message::text(Role::User, ask.prompt)], tools: vec![] },
        max_tokens: Some(ask.tokens),
        sampling: SamplingOverrides { seed: Some(ask.seed), ..SamplingOverrides::default() },
        stop: ask.stop,
    };
    let (start, answer) = handles.turns.start(permit, asker, request).await?;
    assert_eq!(start.asked, "scripted");
    Ok(Stream { seed: ask.seed, tokens: ask.tokens, answer, read: String::new(), session: start.session.to_string() })
}

/// What to ask.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) seed: u64,
    pub(crate) tokens: usize,
    pub(crate) prompt: String,
    pub(crate) session: SessionChoice,
    pub(crate) stop: Vec<String>,
    pub(crate) fault: Option<Fault>,
}

impl Ask {
    /// 200 tokens to a prompt of its own.
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            seed,
            tokens: 200,
            prompt: format!("prompt {seed} {}", "x".repeat(40)),
            session: SessionChoice::Fresh,
            stop: vec![],
            fault: None,
        }
    }

    pub(crate) fn tokens(self, tokens: usize) -> Self {
        Self { tokens, ..self }
    }

    pub(crate) fn fault(self, cause: Cause, position: usize) -> Self {
        Self { fault: Some(Fault { cause, position }), ..self }
    }
}

/// A client that holds its stream to the law: the exact text, in order, and exactly one end.
#[derive(Debug)]
pub(crate) struct Stream {
    seed: u64,
    tokens: usize,
    pub(crate) answer: Answer,
    read: String,
    pub(crate) session: String,
}

impl Stream {
    /// Reads one piece of text.
    pub(crate) async fn read(&mut self) {
        match within(self.answer.next()).await {
            Some(TurnEvent::Text(text)) => self.read.push_str(&text),
            other => panic!("stream {} ended early: {other:?}", self.seed),
        }
        self.check_prefix();
    }

    /// Reads to the end, which must be a good one.
    pub(crate) async fn complete(mut self) {
        let end = self.end().await;
        let TurnEvent::Finished { reason: FinishReason::MaxTokens, usage } = &end else {
            panic!("stream {} ended badly: {end:?}", self.seed)
        };
        assert_eq!(usage.completion_tokens, self.tokens);
        assert_eq!(self.read, text(self.seed, self.tokens), "stream {}", self.seed);
    }

    /// Reads to the end, which must be an error after an exact prefix.
    pub(crate) async fn fails(mut self) -> TurnError {
        match self.end().await {
            TurnEvent::Failed(error) => error,
            other => panic!("stream {} ended well: {other:?}", self.seed),
        }
    }

    async fn end(&mut self) -> TurnEvent {
        loop {
            match within(self.answer.next()).await {
                Some(TurnEvent::Text(text)) => self.read.push_str(&text),
                Some(end) => {
                    assert_eq!(within(self.answer.next()).await, None, "exactly one end");
                    self.check_prefix();
                    return end;
                }
                None => panic!("stream {} ended without an end", self.seed),
            }
        }
    }

    fn check_prefix(&self) {
        assert!(text(self.seed, self.tokens).starts_with(&self.read), "stream {}: {:?}", self.seed, self.read);
    }
}

/// Fails a test that hangs.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("this takes too long")
}

/// Waits for a condition.
pub(crate) async fn until(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < DEADLINE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

/// All clients come to a good end.
pub(crate) async fn all(clients: impl IntoIterator<Item = JoinHandle<Result<(), TurnError>>>) {
    for client in clients {
        assert_eq!(within(client).await.expect("the client does not panic"), Ok(()));
    }
}
