//! A turn's way through engines: asks one, reads its pieces, and asks the next when it is lost.

use std::sync::Arc;
use std::time::Instant;

use ractor::ActorId;
use shammah_protocol::{Finish, Job, JobId, Piece, Reject, Sampling, TokenId, TurnError};
use tokio::time::timeout;

use super::transcript::{Gap, Transcript};
use super::{RETRY_AFTER, Turn};
use crate::address::Address;
use crate::generator::{GeneratorMessage, PieceSource, pieces};
use crate::lane::Lane;

/// What a turn wants to know on the way.
pub(super) enum Event {
    Admitted { cached_tokens: usize },
}

/// The attempts of one turn.
pub(super) struct Attempts<'a> {
    turn: &'a Turn,
    lane: Arc<Lane>,
    generator: Address<GeneratorMessage>,
    prompt: Arc<[TokenId]>,
    sampling: Sampling,
    max_tokens: usize,
    /// Attempts since the last new token that an engine had taken up.
    fruitless: u32,
    admitted: bool,
    /// An engine had taken the job and was lost.
    resumed: bool,
    lost_at: Option<Instant>,
    last_token: Option<Instant>,
    #[cfg(debug_assertions)]
    fault: Option<shammah_protocol::fault::Fault>,
}

/// How an attempt ended.
enum Attempt {
    Finished(Finish),
    /// A stop string followed.
    Stopped,
    /// The engine is gone.
    Lost,
}

impl<'a> Attempts<'a> {
    pub(super) fn new(
        turn: &'a Turn,
        lane: Arc<Lane>,
        prompt: Vec<TokenId>,
        sampling: Sampling,
        max_tokens: usize,
    ) -> Result<Self, TurnError> {
        let model = &lane.model.card.id;
        let generator = turn.shared.generators.iter().find(|(id, _)| id == model).map(|(_, generator)| generator.clone());
        let generator = generator.ok_or_else(|| TurnError::ModelNotFound(model.to_string()))?;
        Ok(Self {
            turn,
            lane,
            generator,
            prompt: prompt.into(),
            sampling,
            max_tokens,
            fruitless: 0,
            admitted: false,
            resumed: false,
            lost_at: None,
            last_token: None,
            #[cfg(debug_assertions)]
            fault: turn.fault,
        })
    }

    pub(super) fn prompt_tokens(&self) -> usize {
        self.prompt.len()
    }

    /// Runs until the answer is complete; says whether an end token ended it.
    pub(super) async fn run(&mut self, transcript: &mut Transcript, mut tell: impl FnMut(Event)) -> Result<bool, TurnError> {
        loop {
            let (sink, mut source) = pieces(&self.lane.doorbell);
            let message = GeneratorMessage::Start { job: self.job(transcript), sink, resumed: self.resumed };
            let Ok(seen) = self.generator.cast(message) else {
                // Given up or on its way back: the turn's own deadline bounds the wait.
                self.generator.live().await;
                continue;
            };
            match self.attempt(seen, &mut source, transcript, &mut tell).await? {
                Attempt::Finished(finish) => {
                    let rest = transcript.finish();
                    self.send(rest).await?;
                    return Ok(matches!(finish, Finish::EndToken(_)));
                }
                Attempt::Stopped => return Ok(false),
                Attempt::Lost => {
                    drop(source);
                    self.count_loss(transcript)?;
                    self.generator.replaced(seen).await;
                }
            }
        }
    }

    async fn attempt(
        &mut self,
        generator: ActorId,
        source: &mut PieceSource,
        transcript: &mut Transcript,
        tell: &mut impl FnMut(Event),
    ) -> Result<Attempt, TurnError> {
        let address = self.generator.clone();
        // A generator that was replaced while its engine hangs leaves the pieces open for ever.
        let replaced = address.replaced(generator);
        tokio::pin!(replaced);
        loop {
            let piece = tokio::select! {
                biased;
                piece = source.recv() => piece,
                () = &mut replaced => return Ok(Attempt::Lost),
            };
            match piece {
                None => return Ok(Attempt::Lost),
                Some(Piece::Admitted { cached_tokens }) => {
                    self.admitted = true;
                    tell(Event::Admitted { cached_tokens });
                }
                Some(Piece::Token { position, id }) => {
                    let text = transcript.push(position, id).map_err(|gap| self.on_gap(gap))?;
                    self.observe_token();
                    self.send(text).await?;
                    if transcript.stopped().is_some() {
                        return Ok(Attempt::Stopped);
                    }
                }
                Some(Piece::Finished(finish)) => return Ok(Attempt::Finished(finish)),
                Some(Piece::Rejected(reject)) => return Err(self.on_reject(reject)),
            }
        }
    }

    fn job(&mut self, transcript: &Transcript) -> Job {
        Job {
            id: JobId::random(),
            correlation: self.turn.correlation.clone(),
            prompt: Arc::clone(&self.prompt),
            emitted: transcript.tokens().to_vec(),
            sampling: self.sampling.clone(),
            max_tokens: self.max_tokens,
            #[cfg(debug_assertions)]
            fault: match self.fault {
                Some(fault) if fault.cause == shammah_protocol::fault::Cause::Poison => Some(fault),
                _ => self.fault.take(),
            },
        }
    }

    /// Sends text, and gives up on a client that takes none.
    async fn send(&self, text: String) -> Result<(), TurnError> {
        if text.is_empty() {
            return Ok(());
        }
        match timeout(self.turn.shared.limits.slow_client, self.turn.text.send(text)).await {
            Ok(Ok(())) => Ok(()),
            // The answer was dropped; this task is being aborted.
            Ok(Err(_)) => std::future::pending().await,
            Err(_) => Err(TurnError::SlowClient),
        }
    }

    fn observe_token(&mut self) {
        let now = Instant::now();
        let meters = &self.turn.shared.meters;
        match (self.lost_at.take(), self.last_token.replace(now)) {
            (Some(lost), _) => {
                meters.resume.observe((now - lost).as_secs_f64());
                tracing::info!(turn = %self.turn.correlation.turn, millis = u64::try_from((now - lost).as_millis()).unwrap_or(u64::MAX), "stream resumed");
            }
            (None, Some(last)) => meters.inter_token.observe((now - last).as_secs_f64()),
            (None, None) => meters.first_token.observe((now - self.turn.begun).as_secs_f64()),
        }
        self.fruitless = 0;
    }

    fn count_loss(&mut self, transcript: &Transcript) -> Result<(), TurnError> {
        let correlation = &self.turn.correlation;
        tracing::warn!(request = %correlation.request, turn = %correlation.turn, position = transcript.tokens().len(), "engine lost");
        self.lost_at.get_or_insert_with(Instant::now);
        self.fruitless += u32::from(std::mem::take(&mut self.admitted));
        self.resumed = true;
        if self.fruitless >= self.turn.shared.limits.max_attempts {
            return Err(TurnError::Interrupted { attempts: self.fruitless });
        }
        Ok(())
    }

    fn on_gap(&self, gap: Gap) -> TurnError {
        tracing::error!(turn = %self.turn.correlation.turn, expected = gap.expected, got = gap.got, "the engine left a token out");
        TurnError::Internal("the engine left a token out".to_owned())
    }

    fn on_reject(&self, reject: Reject) -> TurnError {
        match reject {
            Reject::Busy => TurnError::Overloaded { what: "the queue of the engine", retry_after: RETRY_AFTER },
            Reject::QueueTimeout => TurnError::Overloaded { what: "the engine", retry_after: RETRY_AFTER },
            Reject::TooLong { tokens, window } => TurnError::PromptTooLong { tokens, window },
            Reject::NoMemory { tokens, capacity } => TurnError::PromptTooLong { tokens, window: capacity },
            Reject::EngineCrash => TurnError::EngineCrash,
            Reject::Failed(reason) => TurnError::Internal(reason),
        }
    }
}
