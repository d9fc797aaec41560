//! The thread that an engine lives on.

use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use shammah_protocol::{EngineError, Incarnation, Pulse};

use super::batch::{Batch, BatchLimits, Start};
use super::blame::Blame;
use crate::lane::{Counts, Lane};

/// How an engine thread ended.
#[derive(Debug)]
pub(super) enum EngineExit {
    /// It was told to.
    Halted,
    /// The engine reported an error or panicked, in words.
    Died(String),
    /// A fresh engine does not work: another one in this process would not either.
    Sick(String),
}

/// What the thread tells its owner.
#[derive(Debug)]
pub(super) enum Report {
    /// The engine passed its self-test and serves.
    Ready,
    Exited(EngineExit),
    #[cfg(debug_assertions)]
    Strike(shammah_protocol::fault::Cause),
}

/// The owner's end of an engine thread. Dropping it stops the thread at its next tick; it is never joined, for it may hang.
#[derive(Debug)]
pub(super) struct EngineThread {
    pub(super) pulse: Arc<Pulse>,
    pub(super) blame: Arc<Blame>,
    pub(super) incarnation: Incarnation,
    pub(super) counts: Counts,
    lane: Arc<Lane>,
    // Bounded by the permits of the turns that send: the generator counts them in `Gauges::waiting`.
    commands: Sender<Start>,
}

impl EngineThread {
    /// Starts a thread with a new engine.
    ///
    /// # Errors
    /// If the system has no thread to give.
    pub(super) fn spawn(
        lane: &Arc<Lane>,
        limits: BatchLimits,
        patience: Duration,
        report: impl Fn(Report) + Send + 'static,
    ) -> io::Result<Self> {
        let (commands, intake) = channel();
        let (pulse, blame) = (Arc::new(Pulse::default()), Arc::new(Blame::default()));
        let incarnation = lane.next_incarnation();
        let counts = lane.gauges.renew();
        let own = Self {
            pulse: Arc::clone(&pulse),
            blame: Arc::clone(&blame),
            incarnation,
            counts: counts.clone(),
            lane: Arc::clone(lane),
            commands,
        };
        let lane = Arc::clone(lane);
        thread::Builder::new().name(format!("engine-{}", incarnation.0)).spawn(move || {
            let Some(_berth) = lane.berths.take(patience) else {
                return report(Report::Exited(EngineExit::Sick("two earlier engines hang".to_owned())));
            };
            blame.set_busy(true);
            let life = Life { lane: &lane, counts: &counts, pulse: &pulse, blame: &blame, incarnation, limits };
            let exit = life.live(&intake, &report);
            report(Report::Exited(exit));
        })?;
        Ok(own)
    }

    /// Hands over a job.
    pub(super) fn start(&self, start: Start) {
        // A thread that has ended drops the job with its sink, and that tells the turn.
        let _ = self.commands.send(start);
        self.lane.doorbell.ring();
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        self.lane.gone(self.incarnation);
        self.pulse.halt();
        self.lane.doorbell.ring();
    }
}

struct Life<'a> {
    lane: &'a Lane,
    counts: &'a Counts,
    pulse: &'a Pulse,
    blame: &'a Blame,
    incarnation: Incarnation,
    limits: BatchLimits,
}

impl Life<'_> {
    fn live(&self, intake: &Receiver<Start>, report: &(impl Fn(Report) + Send)) -> EngineExit {
        let born = catch_unwind(AssertUnwindSafe(|| {
            let mut engine = self.lane.model.engines.engine(self.incarnation);
            engine.self_test(self.pulse).map(|()| engine)
        }));
        let engine = match born {
            Ok(Ok(engine)) => engine,
            Ok(Err(EngineError::Halted(_))) => return EngineExit::Halted,
            Ok(Err(error)) => return EngineExit::Sick(error.to_string()),
            Err(panic) => return EngineExit::Sick(words_of(panic.as_ref())),
        };
        report(Report::Ready);
        let served = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(debug_assertions)]
            let strike = |cause| report(Report::Strike(cause));
            let mut batch = Batch::new(
                engine,
                self.lane,
                self.counts,
                self.pulse,
                self.blame,
                self.limits,
                #[cfg(debug_assertions)]
                &strike,
            );
            batch.serve(intake)
        }));
        match served {
            Ok(Ok(()) | Err(EngineError::Halted(_))) => EngineExit::Halted,
            Ok(Err(error)) => EngineExit::Died(error.to_string()),
            Err(panic) => EngineExit::Died(words_of(panic.as_ref())),
        }
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let words = panic.downcast_ref::<&str>().map(|words| (*words).to_owned());
    words.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "a panic without words".to_owned())
}
