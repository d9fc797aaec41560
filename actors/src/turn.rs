//! One answer in the making.
//!
//! A turn is a task, made for one request and owned by the answer that its client reads. It holds what must survive: prompt
//! tokens, tokens so far, sampling parameters with the seed, and the client's end of the stream. An engine, a generator, a
//! router or a session keeper that is lost costs it a pause.

mod answer;
mod attempts;
mod text;
mod transcript;

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::Rng;
use shammah_protocol::{
    Conversation, Correlation, FinishReason, Message, MessageId, ModelId, OwnerId, Request, RequestId, Role, SessionChoice, SessionId,
    TurnError, TurnId, TurnStart, Usage,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

pub use answer::Answer;

use crate::address::{Address, CallError};
use crate::background::Background;
use crate::catalogue::Catalogue;
use crate::generator::GeneratorMessage;
use crate::lane::Lane;
use crate::limits::Limits;
use crate::meters::Meters;
use crate::router::{Readiness, RouterSnapshot};
use crate::sessions::{Begin, End, SessionsMessage};
use crate::shutdown::Shutdown;
use crate::tally::{Tally, Ticket};
use answer::{Complete, Task};
use attempts::Attempts;
use transcript::Transcript;

/// Texts that wait for a client. Full, the turn waits, and its sequence parks.
const DEPTH: usize = 32;
/// How long a client is told to wait when something is full.
const RETRY_AFTER: Duration = Duration::from_secs(2);

/// The right to run one turn.
#[derive(Debug)]
#[expect(dead_code, reason = "held, not read")]
pub struct Permit(OwnedSemaphorePermit, Ticket);

/// Starts turns. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Turns(Arc<Shared>);

#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) limits: Limits,
    pub(crate) permits: Arc<Semaphore>,
    pub(crate) running: Tally,
    pub(crate) catalogue: watch::Receiver<Catalogue>,
    pub(crate) router: watch::Receiver<RouterSnapshot>,
    pub(crate) generators: Vec<(ModelId, Address<GeneratorMessage>)>,
    pub(crate) sessions: Address<SessionsMessage>,
    pub(crate) shutdown: Shutdown,
    pub(crate) meters: Arc<Meters>,
}

/// Who asks.
#[derive(Clone, Debug)]
pub struct Asker {
    pub owner: OwnerId,
    pub request: RequestId,
    /// A crash to cause on purpose.
    #[cfg(debug_assertions)]
    pub fault: Option<shammah_protocol::fault::Fault>,
}

impl Turns {
    pub(crate) fn new(shared: Shared) -> Self {
        Self(Arc::new(shared))
    }

    /// Takes one of the places for turns.
    ///
    /// # Errors
    /// [`TurnError::Overloaded`] if all are taken, [`TurnError::ShuttingDown`].
    pub fn admit(&self) -> Result<Permit, TurnError> {
        if self.0.shutdown.is_draining() {
            return Err(TurnError::ShuttingDown);
        }
        let permit = Arc::clone(&self.0.permits).try_acquire_owned();
        permit
            .map(|permit| Permit(permit, self.0.running.ticket()))
            .map_err(|_| TurnError::Overloaded { what: "the server", retry_after: RETRY_AFTER })
    }

    /// Resolves when no turn runs.
    pub(crate) async fn idle(&self) {
        let all = u32::try_from(self.0.limits.max_turns).unwrap_or(u32::MAX);
        // The semaphore is never closed.
        let _ = self.0.permits.acquire_many(all).await;
    }

    /// Starts a turn and waits until an engine has taken it up. Dropping the future, or the answer, abandons the turn.
    ///
    /// # Errors
    /// [`TurnError`]: there will be no answer.
    pub async fn start(&self, permit: Permit, asker: Asker, request: Request) -> Result<(TurnStart, Answer), TurnError> {
        let session = match &request.session {
            SessionChoice::Record(id) | SessionChoice::Label(id) => id.clone(),
            SessionChoice::Fresh => SessionId::random(),
        };
        let correlation = Correlation { owner: asker.owner, request: asker.request, session, turn: TurnId::random() };
        let (started, admitted) = oneshot::channel();
        let (text, reader) = mpsc::channel(DEPTH);
        let turn = Turn {
            shared: Arc::clone(&self.0),
            correlation,
            text,
            cancel: CancellationToken::new(),
            begun: Instant::now(),
            #[cfg(debug_assertions)]
            fault: asker.fault,
            permit: Arc::new(permit),
        };
        let mut task = Task(Some(tokio::spawn(turn.run(request, started))));
        match admitted.await {
            Ok(start) => Ok((start, Answer::new(reader, task))),
            Err(_) => match task.end().await {
                Some(Err(error)) => Err(error),
                _ => Err(TurnError::Internal("the turn ended before it began".to_owned())),
            },
        }
    }
}

struct Turn {
    shared: Arc<Shared>,
    correlation: Correlation,
    text: mpsc::Sender<String>,
    /// Cancelled when the session is deleted.
    cancel: CancellationToken,
    begun: Instant,
    #[cfg(debug_assertions)]
    fault: Option<shammah_protocol::fault::Fault>,
    permit: Arc<Permit>,
}

impl Turn {
    async fn run(self, request: Request, started: oneshot::Sender<TurnStart>) -> Result<Complete, TurnError> {
        let (shutdown, cancel, deadline) = (self.shared.shutdown.clone(), self.cancel.clone(), self.shared.limits.turn_deadline);
        let ids = self.correlation.clone();
        let (meters, begun) = (Arc::clone(&self.shared.meters), self.begun);
        let outcome = tokio::select! {
            outcome = self.answer(request, started) => outcome,
            () = cancel.cancelled() => Err(TurnError::SessionDeleted),
            () = shutdown.aborted() => Err(TurnError::ShuttingDown),
            () = tokio::time::sleep(deadline) => Err(TurnError::Deadline(deadline)),
        };
        meters.end_to_end.observe(begun.elapsed().as_secs_f64());
        let kind = outcome.as_ref().map_or_else(TurnError::kind, |_| "ok");
        tracing::info!(request = %ids.request, session = %ids.session, turn = %ids.turn, kind, "turn ended");
        outcome
    }

    async fn answer(self, request: Request, started: oneshot::Sender<TurnStart>) -> Result<Complete, TurnError> {
        let (model, lane) = self.route(request.model.as_deref()).await?;
        let card = Arc::clone(&lane.model.card);
        let mut record = Record::begin(&self, &request).await?;
        let prompt = self.encode(&lane, &record.conversation, &request).await?;
        if prompt.len() >= card.context_window {
            return Err(TurnError::PromptTooLong { tokens: prompt.len(), window: card.context_window });
        }
        let room = card.context_window - prompt.len();
        let sampling = request.sampling.resolve(&card.sampling, || rand::rng().random());
        let max_tokens = request.max_tokens.unwrap_or(self.shared.limits.max_tokens).min(room);
        tracing::debug!(request = %self.correlation.request, turn = %self.correlation.turn, %model, seed = sampling.seed, prompt_tokens = prompt.len(), "turn routed");

        let mut transcript = Transcript::new(Arc::clone(&lane.model.codec), &request.stop);
        let mut attempts = Attempts::new(&self, lane, prompt, sampling, max_tokens)?;
        let start = TurnStart {
            message: MessageId::random(),
            session: self.correlation.session.clone(),
            model: model.clone(),
            asked: request.model.clone().unwrap_or_else(|| model.to_string()),
            created_at: jiff::Timestamp::now(),
            prompt_tokens: attempts.prompt_tokens(),
            cached_tokens: 0,
        };
        let mut begin = Some((start, started));
        let mut cached_tokens = 0;
        let ended_by_token = attempts
            .run(&mut transcript, |event| {
                if let attempts::Event::Admitted { cached_tokens: cached } = event
                    && let Some((start, started)) = begin.take()
                {
                    cached_tokens = cached;
                    record.admitted = true;
                    // A client that is gone drops the answer, and that aborts this task.
                    let _ = started.send(TurnStart { cached_tokens: cached, ..start });
                }
            })
            .await?;
        let usage = Usage {
            prompt_tokens: attempts.prompt_tokens(),
            cached_tokens,
            completion_tokens: transcript.tokens().len() + usize::from(ended_by_token),
        };
        let reason = match transcript.stopped() {
            Some(stop) => FinishReason::StopSequence(stop.to_owned()),
            None if ended_by_token => FinishReason::EndTurn,
            None => FinishReason::MaxTokens,
        };
        drop(attempts);
        record.end(transcript.text(), model).await?;
        Ok(Complete { reason, usage })
    }

    /// Who answers, once that model is ready.
    async fn route(&self, name: Option<&str>) -> Result<(ModelId, Arc<Lane>), TurnError> {
        let mut router = self.shared.router.clone();
        let wait = self.shared.limits.wait_ready;
        let decided = |snapshot: &RouterSnapshot| {
            let model = snapshot.resolve(name);
            snapshot.default_model().is_some()
                && model.is_none_or(|model| !matches!(snapshot.readiness(model), Some(Readiness::Pending(_)) | None))
        };
        let waited = tokio::time::timeout(wait, router.wait_for(decided)).await;
        drop(waited);
        let snapshot = self.shared.router.borrow().clone();
        let unknown = || TurnError::ModelNotFound(name.unwrap_or("default").to_owned());
        let model = snapshot.resolve(name).ok_or_else(unknown)?.clone();
        let lane = self.shared.catalogue.borrow().lane(&model).cloned();
        match (snapshot.readiness(&model), lane) {
            (Some(Readiness::Ready), Some(lane)) => Ok((model, lane)),
            (Some(Readiness::Pending(state) | Readiness::Failed(state)), _) => {
                Err(TurnError::ModelNotReady { model, state: state.clone(), retry_after: RETRY_AFTER })
            }
            _ => Err(unknown()),
        }
    }

    /// Renders and tokenises, on a thread that may take its time. The place of the turn stays taken until that is done.
    async fn encode(&self, lane: &Lane, messages: &[Message], request: &Request) -> Result<Vec<u32>, TurnError> {
        let codec = Arc::clone(&lane.model.codec);
        let conversation = Conversation { messages: messages.to_vec(), tools: request.conversation.tools.clone() };
        let permit = Arc::clone(&self.permit);
        let encoding = tokio::task::spawn_blocking(move || {
            let encoded = codec.render(&conversation).and_then(|prompt| codec.encode(&prompt));
            drop(permit);
            encoded
        });
        encoding
            .await
            .map_err(|_| TurnError::Internal("rendering the prompt panicked".to_owned()))?
            .map_err(|error| TurnError::InvalidRequest(error.to_string()))
    }
}

/// The turn's entry in the record of its session. Dropped before its end, the turn counts as abandoned.
struct Record {
    sessions: Address<SessionsMessage>,
    correlation: Correlation,
    conversation: Vec<Message>,
    open: bool,
    admitted: bool,
    /// Makes the turn known to the next keeper, should this one be lost.
    announcing: Option<Background>,
}

/// How long a turn waits for the keeper of sessions, restarts included.
const RECORD_PATIENCE: Duration = Duration::from_secs(60);

impl Record {
    async fn begin(turn: &Turn, request: &Request) -> Result<Self, TurnError> {
        let begin = Begin {
            correlation: turn.correlation.clone(),
            choice: request.session.clone(),
            messages: request.conversation.messages.clone(),
            cancel: turn.cancel.clone(),
        };
        let (sessions, correlation) = (turn.shared.sessions.clone(), turn.correlation.clone());
        // Open from before the call: a turn that is dropped meanwhile takes its beginning back.
        let mut record = Self { sessions, correlation, conversation: Vec::new(), open: true, admitted: false, announcing: None };
        let call = record.sessions.call_again(|reply| SessionsMessage::Begin { begin: begin.clone(), reply }, RECORD_PATIENCE);
        let begun = call.await.map_err(internal)?;
        // A refusal has left nothing to take back.
        record.open = begun.is_ok();
        record.conversation = begun?;
        let (sessions, correlation) = (record.sessions.clone(), record.correlation.clone());
        let announcing = announce(sessions, correlation, record.conversation.clone(), turn.cancel.clone());
        record.announcing = Some(Background::spawn(announcing));
        Ok(record)
    }

    /// Commits the answer.
    async fn end(mut self, answer: &str, model: ModelId) -> Result<(), TurnError> {
        let end = End {
            correlation: self.correlation.clone(),
            conversation: std::mem::take(&mut self.conversation),
            answer: Message::text(Role::Assistant, answer),
            model,
        };
        let call = self.sessions.call_again(|reply| SessionsMessage::End { end: end.clone(), reply }, RECORD_PATIENCE);
        call.await.map_err(internal)?.map_err(|error| TurnError::Internal(error.to_string()))?;
        self.open = false;
        Ok(())
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.open {
            // A keeper that is being restarted has forgotten the turn anyway.
            let abandon = SessionsMessage::Abandon { correlation: self.correlation.clone(), admitted: self.admitted };
            let _ = self.sessions.cast(abandon);
        }
    }
}

/// Tells each further keeper of a turn that runs.
async fn announce(sessions: Address<SessionsMessage>, correlation: Correlation, conversation: Vec<Message>, cancel: CancellationToken) {
    let mut seen = sessions.current_id();
    loop {
        match seen {
            Some(seen) => sessions.replaced(seen).await,
            None => sessions.live().await,
        }
        let (correlation, conversation, cancel) = (correlation.clone(), conversation.clone(), cancel.clone());
        seen = sessions.cast(SessionsMessage::Resume { correlation, conversation, cancel }).ok().or(sessions.current_id());
    }
}

fn internal(error: CallError) -> TurnError {
    TurnError::Internal(error.to_string())
}
