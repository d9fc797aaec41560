//! The engine thread's loop: take commands, admit, step, hand out.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use shammah_protocol::{Engine, EngineError, Finish, Job, JobId, Output, Piece, Pulse, Reject};

use super::blame::{Blame, Suspect};
use super::pieces::PieceSink;
use crate::lane::{Counts, Lane};
use crate::tally::Ticket;

/// A job for the engine thread.
#[derive(Debug)]
pub(super) struct Start {
    pub(super) job: Job,
    pub(super) sink: PieceSink,
    /// A suspect runs by itself until it has made the token at this position.
    pub(super) alone_until: Option<usize>,
    /// It was waiting or running before a crash, so it goes before those that were not.
    pub(super) resumed: bool,
    /// Counts it as waiting.
    pub(super) _waiting: Ticket,
}

/// How many sequences may run and how long one may wait.
#[derive(Clone, Copy, Debug)]
pub(super) struct BatchLimits {
    pub(super) max_batch: usize,
    pub(super) queue_timeout: Duration,
}

/// The longest nap of an idle thread.
const NAP: Duration = Duration::from_secs(1);

/// The pause after a step that did nothing.
const BREATH: Duration = Duration::from_millis(10);

/// The sequences of one engine.
pub(super) struct Batch<'a> {
    engine: Box<dyn Engine>,
    lane: &'a Lane,
    counts: &'a Counts,
    pulse: &'a Pulse,
    blame: &'a Blame,
    limits: BatchLimits,
    waiting: VecDeque<(Start, Instant)>,
    running: Vec<Sequence>,
    /// Crashes of the actor that a job asks for, in tests.
    #[cfg(debug_assertions)]
    strike: &'a dyn Fn(shammah_protocol::fault::Cause),
}

struct Sequence {
    job: Job,
    fingerprint: u64,
    sink: PieceSink,
    /// Of the next token.
    position: usize,
    alone_until: Option<usize>,
    /// Counts it as running.
    running: Ticket,
}

impl<'a> Batch<'a> {
    pub(super) fn new(
        engine: Box<dyn Engine>,
        lane: &'a Lane,
        counts: &'a Counts,
        pulse: &'a Pulse,
        blame: &'a Blame,
        limits: BatchLimits,
        #[cfg(debug_assertions)] strike: &'a dyn Fn(shammah_protocol::fault::Cause),
    ) -> Self {
        Self {
            engine,
            lane,
            counts,
            pulse,
            blame,
            limits,
            waiting: VecDeque::new(),
            running: Vec::new(),
            #[cfg(debug_assertions)]
            strike,
        }
    }

    /// Serves until the owner is gone or halts the pulse.
    ///
    /// # Errors
    /// What the engine dies of.
    pub(super) fn serve(&mut self, commands: &Receiver<Start>) -> Result<(), EngineError> {
        while self.take(commands) {
            self.pulse.tick()?;
            self.drop_abandoned();
            self.admit();
            let ready = self.ready();
            if ready.is_empty() {
                self.blame.set_busy(false);
                self.lane.doorbell.wait(self.pulse, NAP);
                self.blame.set_busy(true);
            } else {
                self.step(&ready)?;
            }
        }
        Ok(())
    }

    /// Takes all commands; `false` when no more can come.
    fn take(&mut self, commands: &Receiver<Start>) -> bool {
        loop {
            match commands.try_recv() {
                Ok(start) if start.resumed => {
                    let place = self.waiting.iter().take_while(|(earlier, _)| earlier.resumed).count();
                    self.waiting.insert(place, (start, Instant::now()));
                }
                Ok(start) => self.waiting.push_back((start, Instant::now())),
                Err(TryRecvError::Empty) => return true,
                Err(TryRecvError::Disconnected) => return false,
            }
        }
    }

    fn drop_abandoned(&mut self) {
        self.waiting.retain(|(start, since)| {
            let expired = !start.resumed && since.elapsed() > self.limits.queue_timeout;
            if expired {
                start.sink.send(Piece::Rejected(Reject::QueueTimeout));
            }
            !expired && !start.sink.is_closed()
        });
        let gone: Vec<JobId> = self.running.iter().filter(|sequence| sequence.sink.is_closed()).map(|sequence| sequence.job.id).collect();
        for job in gone {
            self.engine.retire(job);
            self.forget(job);
        }
    }

    fn admit(&mut self) {
        // Parked sequences take no part in steps, so they take nobody's place.
        while self.running.iter().filter(|sequence| sequence.sink.has_room()).count() < self.limits.max_batch {
            let Some((start, _)) = self.waiting.pop_front() else { return };
            let fingerprint = start.job.fingerprint();
            let (prompt, position) = (start.job.prompt.clone(), start.job.emitted.len());
            self.blame.enter(vec![Suspect { fingerprint, prompt, position }]);
            let admitted = self.engine.admit(&start.job);
            self.blame.leave();
            match admitted {
                Ok(admission) => {
                    start.sink.send(Piece::Admitted { cached_tokens: admission.cached_tokens });
                    let fresh = start.job.length().saturating_sub(admission.cached_tokens);
                    self.lane.gauges.prompt_tokens.fetch_add(fresh as u64, Ordering::Relaxed);
                    self.running.push(Sequence {
                        fingerprint,
                        position: start.job.emitted.len(),
                        job: start.job,
                        sink: start.sink,
                        alone_until: start.alone_until,
                        running: self.counts.running.ticket(),
                    });
                }
                Err(reject) => start.sink.send(Piece::Rejected(reject)),
            }
        }
    }

    /// The sequences that may take part in the next step: those whose turn keeps up, or one suspect by itself.
    fn ready(&self) -> Vec<JobId> {
        let open = |sequence: &&Sequence| sequence.sink.has_room();
        if let Some(suspect) = self.running.iter().filter(open).find(|sequence| sequence.alone_until.is_some()) {
            return vec![suspect.job.id];
        }
        self.running.iter().filter(open).take(self.limits.max_batch).map(|sequence| sequence.job.id).collect()
    }

    fn step(&mut self, ready: &[JobId]) -> Result<(), EngineError> {
        #[cfg(debug_assertions)]
        self.cause_faults(ready);
        let stepping = self.running.iter().filter(|sequence| ready.contains(&sequence.job.id));
        self.blame.enter(stepping.map(Sequence::suspect).collect());
        let outputs = self.engine.step(ready, self.pulse)?;
        self.blame.leave();
        if outputs.is_empty() {
            // Nothing could be computed, for want of memory: there is no sense in asking again at once.
            self.lane.doorbell.wait(self.pulse, BREATH);
        }
        for output in outputs {
            self.hand_out(output);
        }
        Ok(())
    }

    fn hand_out(&mut self, output: Output) {
        match output {
            Output::Prefilled { .. } => {}
            Output::Token { job, position, id, finish } => {
                self.lane.gauges.generated_tokens.fetch_add(1, Ordering::Relaxed);
                if let Some(sequence) = self.running.iter_mut().find(|sequence| sequence.job.id == job) {
                    sequence.sink.send(Piece::Token { position, id });
                    sequence.advance(position, self.lane);
                }
                if let Some(finish) = finish {
                    self.end(job, Piece::Finished(finish));
                }
            }
            Output::Finished { job, finish } => {
                if matches!(finish, Finish::EndToken(_)) {
                    self.lane.gauges.generated_tokens.fetch_add(1, Ordering::Relaxed);
                }
                self.end(job, Piece::Finished(finish));
            }
            Output::Failed { job, reject } => self.end(job, Piece::Rejected(reject)),
        }
    }

    fn end(&mut self, job: JobId, last: Piece) {
        let Some(index) = self.running.iter().position(|sequence| sequence.job.id == job) else { return };
        let mut sequence = self.running.remove(index);
        sequence.advance(usize::MAX, self.lane);
        let Sequence { sink, running, .. } = sequence;
        // Who hears of the end finds it counted.
        drop(running);
        sink.send(last);
    }

    fn forget(&mut self, job: JobId) {
        self.running.retain(|sequence| sequence.job.id != job);
    }

    #[cfg(debug_assertions)]
    fn cause_faults(&mut self, ready: &[JobId]) {
        use shammah_protocol::fault::Cause;
        for sequence in self.running.iter_mut().filter(|sequence| ready.contains(&sequence.job.id)) {
            if let Some(fault) = sequence.job.fault.take_if(|fault| fault.position == sequence.position) {
                match fault.cause {
                    Cause::Between => panic!("a crash on purpose, between steps"),
                    Cause::Kill | Cause::Fail => (self.strike)(fault.cause),
                    cause => self.pulse.arm(cause),
                }
            }
        }
    }
}

impl Sequence {
    fn suspect(&self) -> Suspect {
        Suspect { fingerprint: self.fingerprint, prompt: self.job.prompt.clone(), position: self.position }
    }

    /// The token at `position` is made.
    fn advance(&mut self, position: usize, lane: &Lane) {
        self.position = position.saturating_add(1);
        if self.alone_until.is_some_and(|until| position >= until) {
            self.alone_until = None;
            lane.ledger.clear(self.fingerprint, position);
        }
    }
}
