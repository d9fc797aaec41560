//! Continuous batching on the processor.

use std::sync::Arc;
use std::time::Instant;

use shammah_protocol::{Admission, Engine, EngineError, Finish, Incarnation, Job, JobId, Output, Pulse, Reject, TokenId};

use crate::decoder::{Computed, Segment, Wants};
use crate::factory::Shared;
use crate::pace::Pace;
use crate::pages::{PAGE_TOKENS, Page};
use crate::planner::{Budget, Plan, plan};
use crate::sequence::Sequence;

/// Tokens of the self-test.
const TEST_TOKENS: usize = 5;

/// An engine over shared weights, pages and store.
#[derive(Debug)]
pub(crate) struct BatchEngine {
    shared: Arc<Shared>,
    incarnation: Incarnation,
    /// Oldest first.
    sequences: Vec<Sequence>,
    pace: Pace,
    steps: u64,
}

/// One sequence in a step.
struct Row {
    sequence: usize,
    tokens: usize,
}

impl BatchEngine {
    pub(crate) fn new(shared: Arc<Shared>, incarnation: Incarnation) -> Self {
        let pace = Pace::new(shared.settings.step_target);
        Self { shared, incarnation, sequences: Vec::new(), pace, steps: 0 }
    }

    /// Sequences that have all they may have end without a further token.
    fn finish_full(&mut self, ready: &[JobId]) -> Vec<Output> {
        self.sequences
            .extract_if(.., |sequence| sequence.is_full() && ready.contains(&sequence.job))
            .map(|sequence| Output::Finished { job: sequence.job, finish: Finish::Length })
            .collect()
    }

    fn plan(&self, ready: &[JobId]) -> Plan {
        let Shared { pool, store, .. } = &*self.shared;
        let needs: Vec<_> = self.sequences.iter().map(|sequence| sequence.need(ready.contains(&sequence.job))).collect();
        let prefill = self.pace.chunk();
        let free = pool.capacity().saturating_sub(pool.used());
        // Going through the store takes a while, so it is asked only when pages may be short.
        let wanted: usize = needs.iter().map(|need| need.remaining.min(prefill).div_ceil(PAGE_TOKENS) + 1).sum();
        let idle = if free < wanted { store.idle() } else { 0 };
        plan(&needs, Budget { prefill, pages: free + idle, page_tokens: PAGE_TOKENS })
    }

    /// Carries the plan out up to the computation: which sequences have the pages that they need.
    fn prepare(&mut self, plan: Plan) -> Vec<Row> {
        for index in plan.preempted {
            self.sequences[index].preempt();
        }
        let Shared { pool, store, .. } = &*self.shared;
        let rows = plan.shares.into_iter().map(|share| Row { sequence: share.sequence, tokens: share.tokens });
        rows.filter(|row| self.sequences[row.sequence].reserve(row.tokens, pool, store)).collect()
    }

    /// Pages that several sequences share come free from none of them alone: where that leaves no room for anyone, all but the oldest
    /// that is ready start anew later. Whether that freed anything.
    fn relieve(&mut self, ready: &[JobId]) -> bool {
        let Some(oldest) = self.oldest(ready) else { return false };
        let holders = self.sequences.iter_mut().filter(|sequence| sequence.job != oldest && !sequence.pages.is_empty());
        holders.map(Sequence::preempt).count() > 0
    }

    /// The oldest that is ready has no room even by itself: somebody else, a fenced engine perhaps, holds the memory.
    fn give_up(&mut self, ready: &[JobId]) -> Option<Output> {
        let job = self.oldest(ready)?;
        let sequence = self.sequences.iter().position(|sequence| sequence.job == job)?;
        let tokens = self.sequences.remove(sequence).tokens.len();
        let free = self.shared.pool.capacity().saturating_sub(self.shared.pool.used());
        Some(Output::Failed { job, reject: Reject::NoMemory { tokens, capacity: free * PAGE_TOKENS } })
    }

    fn oldest(&self, ready: &[JobId]) -> Option<JobId> {
        self.sequences.iter().map(|sequence| sequence.job).find(|job| ready.contains(job))
    }

    fn compute(&mut self, rows: &[Row], pulse: &Pulse) -> Result<Vec<Computed>, EngineError> {
        let mut wanted = rows.iter().peekable();
        let mut segments = Vec::with_capacity(rows.len());
        for (index, sequence) in self.sequences.iter_mut().enumerate() {
            let Some(row) = wanted.next_if(|row| row.sequence == index) else { continue };
            let end = sequence.computed + row.tokens;
            let wants = if end == sequence.tokens.len() { Wants::Logits } else { Wants::Pages };
            let tokens = &sequence.tokens[sequence.computed..end];
            segments.push(Segment { tokens, start: sequence.computed, pages: &mut sequence.pages, wants });
        }
        self.shared.decoder.forward(&mut segments, pulse)
    }

    /// What a step did for one sequence.
    fn conclude(&mut self, row: &Row, computed: Computed) -> Output {
        let sequence = &mut self.sequences[row.sequence];
        let job = sequence.job;
        if computed != Computed::NotFinite {
            sequence.advance(row.tokens, self.incarnation, &self.shared.store);
        }
        match computed {
            Computed::Logits(logits) => {
                let (position, id) = sequence.draw(logits);
                if self.shared.ends.contains(&id) {
                    return Output::Finished { job, finish: Finish::EndToken(id) };
                }
                let finish = sequence.push(id);
                Output::Token { job, position, id, finish }
            }
            Computed::Pages => Output::Prefilled { job, tokens: row.tokens },
            Computed::NotFinite => Output::Failed { job, reject: Reject::Failed("its logits are not finite".into()) },
        }
    }

    fn test_logits(&self, tokens: &[TokenId], pulse: &Pulse) -> Result<Vec<f32>, EngineError> {
        let mut pages: Vec<Arc<Page>> = vec![Arc::new(self.shared.pool.spare())];
        let mut segments = [Segment { tokens, start: 0, pages: &mut pages, wants: Wants::Logits }];
        match self.shared.decoder.forward(&mut segments, pulse)?.pop() {
            Some(Computed::Logits(logits)) => Ok(logits),
            _ => Err(EngineError::SelfTest("logits are not finite".into())),
        }
    }
}

impl Engine for BatchEngine {
    fn self_test(&mut self, pulse: &Pulse) -> Result<(), EngineError> {
        let vocabulary = self.shared.decoder.config().vocabulary;
        let tokens: Vec<TokenId> = (0..TEST_TOKENS).map(|index| (index * 7 % vocabulary) as TokenId).collect();
        let (first, second) = (self.test_logits(&tokens, pulse)?, self.test_logits(&tokens, pulse)?);
        let same = first.iter().zip(&second).all(|(a, b)| a.to_bits() == b.to_bits());
        if same { Ok(()) } else { Err(EngineError::SelfTest("the same tokens gave other logits".into())) }
    }

    fn admit(&mut self, job: &Job) -> Result<Admission, Reject> {
        let Shared { decoder, pool, store, .. } = &*self.shared;
        let config = decoder.config();
        let capacity = pool.capacity().saturating_mul(PAGE_TOKENS);
        if job.prompt.len() >= config.window {
            return Err(Reject::TooLong { tokens: job.prompt.len(), window: config.window });
        }
        if job.prompt.len() >= capacity {
            return Err(Reject::NoMemory { tokens: job.prompt.len() + 1, capacity });
        }
        let tokens: Vec<TokenId> = job.prompt.iter().chain(&job.emitted).copied().collect();
        if tokens.is_empty() {
            return Err(Reject::Failed("the prompt is empty".into()));
        }
        if let Some(unknown) = tokens.iter().find(|token| **token as usize >= config.vocabulary) {
            return Err(Reject::Failed(format!("token {unknown} is not in the vocabulary")));
        }
        let pages = store.find(&job.correlation.owner, &tokens);
        let cached_tokens = pages.len() * PAGE_TOKENS;
        self.sequences.push(Sequence::new(job, pages, config.window.min(capacity)));
        Ok(Admission { cached_tokens })
    }

    fn step(&mut self, ready: &[JobId], pulse: &Pulse) -> Result<Vec<Output>, EngineError> {
        #[cfg(debug_assertions)]
        if pulse.take_kernel_fault() {
            candle_core::utils::barrier_pool().execute(|_| panic!("a kernel panic on purpose"));
        }
        pulse.tick()?;
        let started = Instant::now();
        let mut outputs = self.finish_full(ready);
        let mut rows = self.prepare(self.plan(ready));
        if rows.is_empty() && self.relieve(ready) {
            rows = self.prepare(self.plan(ready));
        }
        if rows.is_empty() {
            outputs.extend(self.give_up(ready));
            return Ok(outputs);
        }
        let decode = rows.iter().filter(|row| self.sequences[row.sequence].remaining() == 1).count();
        let prefill = rows.iter().map(|row| row.tokens).sum::<usize>() - decode;
        let computed = self.compute(&rows, pulse)?;
        outputs.extend(rows.iter().zip(computed).map(|(row, computed)| self.conclude(row, computed)));
        self.sequences.retain(|sequence| !outputs.iter().any(|output| ended(output) == Some(sequence.job)));

        let elapsed = started.elapsed();
        self.pace.observe(prefill, elapsed);
        self.steps += 1;
        let micros = elapsed.as_micros() as u64;
        tracing::debug!(target: "shammah::step", step = self.steps, decode, prefill, batch = rows.len(), micros);
        Ok(outputs)
    }

    fn retire(&mut self, job: JobId) {
        self.sequences.retain(|sequence| sequence.job != job);
    }
}

/// The job that ends with this output.
fn ended(output: &Output) -> Option<JobId> {
    match output {
        Output::Token { job, finish: Some(_), .. } | Output::Finished { job, .. } | Output::Failed { job, .. } => Some(*job),
        Output::Token { finish: None, .. } | Output::Prefilled { .. } => None,
    }
}
