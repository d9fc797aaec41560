//! The actor that owns one engine thread.
//!
//! The thread's end is the actor's failure; its supervisor makes a new one. What outlives both is in the [`Lane`]: weights,
//! finished pages, the doorbell, and the ledger of who is suspected of the crash.

mod batch;
mod blame;
mod pieces;
mod thread;

use std::sync::Arc;
use std::time::Duration;

use ractor::{Actor, ActorProcessingErr, ActorRef};
use shammah_protocol::{Job, ModelId, Piece, Reject};
use tokio::sync::watch;

pub(crate) use pieces::{PieceSink, PieceSource, pieces};

use crate::address::Envelope;
use crate::background::Background;
use crate::catalogue::Catalogue;
use crate::lane::Lane;
use crate::ledger::Judgement;
use crate::supervisor::{Charge, Crash};
use crate::timer::Timer;
use batch::{BatchLimits, Start};
use thread::{EngineExit, EngineThread, Report};

/// Looks at the pulse in the time of a stall.
const BEATS: u32 = 4;

/// What a generator is told.
#[derive(Debug)]
pub(crate) enum GeneratorMessage {
    /// Go on with a sequence. `resumed`: an earlier generator had taken it.
    Start { job: Job, sink: PieceSink, resumed: bool },
    /// The loader has published the model.
    Loaded(Arc<Lane>),
    /// Time to look whether the thread makes progress.
    Beat,
    /// From the thread.
    Report(ThreadReport),
}

/// What the engine thread reports; opaque outside of this module.
#[derive(Debug)]
pub(crate) struct ThreadReport(Report);

/// The generator of one model.
#[derive(Debug)]
pub(crate) struct Generator;

/// What a generator is made of.
#[derive(Clone, Debug)]
pub(crate) struct GeneratorSpec {
    pub(crate) model: ModelId,
    pub(crate) catalogue: watch::Receiver<Catalogue>,
    pub(crate) max_batch: usize,
    pub(crate) queue: usize,
    pub(crate) queue_timeout: Duration,
    pub(crate) stall_timeout: Duration,
}

/// The state of a generator.
#[derive(Debug)]
pub(crate) struct Generating {
    spec: GeneratorSpec,
    engine: Option<Running>,
    /// Jobs that came before the model.
    early: Vec<Early>,
    _beat: Timer,
    _wait: Background,
}

/// A job, where its pieces go, and whether an earlier generator had taken it.
type Early = (Job, PieceSink, bool);

#[derive(Debug)]
struct Running {
    lane: Arc<Lane>,
    thread: EngineThread,
    seen: (u64, u32),
}

impl Actor for Generator {
    type Msg = Envelope<GeneratorMessage>;
    type State = Generating;
    type Arguments = GeneratorSpec;

    async fn pre_start(&self, myself: ActorRef<Self::Msg>, spec: GeneratorSpec) -> Result<Generating, ActorProcessingErr> {
        let beat = Timer::every(&myself, spec.stall_timeout / BEATS, || GeneratorMessage::Beat);
        let wait = Background::spawn(tell_when_loaded(myself, spec.model.clone(), spec.catalogue.clone()));
        Ok(Generating { spec, engine: None, early: Vec::new(), _beat: beat, _wait: wait })
    }

    async fn handle(&self, myself: ActorRef<Self::Msg>, message: Self::Msg, state: &mut Generating) -> Result<(), ActorProcessingErr> {
        match message.open() {
            GeneratorMessage::Start { job, sink, resumed } => {
                state.on_start(job, sink, resumed);
                Ok(())
            }
            GeneratorMessage::Loaded(lane) => state.on_loaded(&myself, lane),
            GeneratorMessage::Beat => state.on_beat(),
            GeneratorMessage::Report(ThreadReport(report)) => state.on_report(&myself, report),
        }
    }
}

impl Generating {
    fn on_start(&mut self, job: Job, sink: PieceSink, resumed: bool) {
        let Some(Running { lane, thread, .. }) = &self.engine else {
            return self.early.push((job, sink, resumed));
        };
        let alone_until = match lane.ledger.judge(job.fingerprint()) {
            Judgement::Free => None,
            Judgement::Alone { until } => Some(until),
            Judgement::Refused => {
                tracing::warn!(request = %job.correlation.request, turn = %job.correlation.turn, "prompt refused: it crashed two engines");
                return sink.send(Piece::Rejected(Reject::EngineCrash));
            }
        };
        if !resumed && thread.counts.waiting.count() >= self.spec.queue {
            return sink.send(Piece::Rejected(Reject::Busy));
        }
        let waiting = thread.counts.waiting.ticket();
        thread.start(Start { job, sink, alone_until, resumed, _waiting: waiting });
    }

    fn on_loaded(&mut self, myself: &ActorRef<Envelope<GeneratorMessage>>, lane: Arc<Lane>) -> Result<(), ActorProcessingErr> {
        let limits = BatchLimits { max_batch: self.spec.max_batch, queue_timeout: self.spec.queue_timeout };
        let owner = myself.clone();
        let report = move |report| {
            // An owner that is gone has halted the thread already.
            let _ = owner.cast(GeneratorMessage::Report(ThreadReport(report)).into());
        };
        let thread = EngineThread::spawn(&lane, limits, self.spec.stall_timeout, report)?;
        self.engine = Some(Running { lane, thread, seen: (0, 0) });
        for (job, sink, resumed) in std::mem::take(&mut self.early) {
            self.on_start(job, sink, resumed);
        }
        Ok(())
    }

    fn on_beat(&mut self) -> Result<(), ActorProcessingErr> {
        let stall_timeout = self.spec.stall_timeout;
        let Some(Running { lane, thread, seen }) = &mut self.engine else { return Ok(()) };
        let ticks = thread.pulse.ticks();
        if ticks != seen.0 || !thread.blame.is_busy() {
            *seen = (ticks, 0);
            return Ok(());
        }
        // Beats are counted rather than time: a machine that slept did not hang.
        seen.1 += 1;
        if seen.1 >= BEATS {
            thread.pulse.halt();
            lane.model.engines.fence(thread.incarnation);
            return Err(self.accuse(format!("the engine made no progress for {} s", stall_timeout.as_secs_f32())));
        }
        Ok(())
    }

    fn on_report(&self, myself: &ActorRef<Envelope<GeneratorMessage>>, report: Report) -> Result<(), ActorProcessingErr> {
        match report {
            Report::Ready => {
                if let Some(Running { lane, thread, .. }) = &self.engine {
                    tracing::info!(model = %self.spec.model, incarnation = thread.incarnation.0, actor = %myself.get_id(), "engine ready");
                    lane.serving.send_replace(Some(thread.incarnation));
                }
                Ok(())
            }
            Report::Exited(EngineExit::Halted) => Err("the engine thread stopped unasked".into()),
            Report::Exited(EngineExit::Died(reason)) => Err(self.accuse(reason)),
            Report::Exited(EngineExit::Sick(reason)) => {
                Err(Crash { charge: Charge::Fatal, reason: format!("no engine works in this process any more: {reason}") }.into())
            }
            #[cfg(debug_assertions)]
            Report::Strike(shammah_protocol::fault::Cause::Kill) => {
                myself.kill();
                Ok(())
            }
            #[cfg(debug_assertions)]
            Report::Strike(_) => Err("a failure on purpose".into()),
        }
    }

    /// Charges the crash to the sequences of the step that died. A prompt that is caught a second time pays for it alone.
    fn accuse(&self, reason: String) -> ActorProcessingErr {
        let mut charge = Charge::Counted;
        if let Some(Running { lane, thread, .. }) = &self.engine {
            let mut suspects = thread.blame.take();
            // Of twins, the one that has come furthest.
            suspects.sort_by_key(|suspect| (suspect.fingerprint, std::cmp::Reverse(suspect.position)));
            suspects.dedup_by_key(|suspect| suspect.fingerprint);
            for suspect in suspects {
                lane.model.engines.evict(&suspect.prompt);
                if lane.ledger.strike(suspect.fingerprint, suspect.position) > 1 {
                    charge = Charge::Forgiven;
                }
            }
        }
        Crash { charge, reason }.into()
    }
}

/// Waits for the model and tells the generator once.
async fn tell_when_loaded(generator: ActorRef<Envelope<GeneratorMessage>>, model: ModelId, mut catalogue: watch::Receiver<Catalogue>) {
    let found = catalogue.wait_for(|catalogue| catalogue.lane(&model).is_some()).await;
    let lane = found.ok().and_then(|catalogue| catalogue.lane(&model).cloned());
    if let Some(lane) = lane {
        // A generator that has ended meanwhile has a successor with a watch of its own.
        let _ = generator.cast(GeneratorMessage::Loaded(lane).into());
    }
}
