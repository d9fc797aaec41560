//! An engine that computes nothing: token n of a job is a function of its seed and n.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use shammah_protocol::{
    Admission, Codec, CodecError, Conversation, Engine, EngineError, EngineFactory, Finish, Incarnation, Job, JobId, LoadError,
    LoadProgress, LoadedModel, ModelCard, ModelId, ModelSource, Output, PageUsage, Pulse, Reject, Sampling, TokenId,
};

/// Prompt tokens of one sequence per step.
const CHUNK: usize = 16;
/// Ticks of a step.
const LAYERS: usize = 2;
pub(crate) const WINDOW: usize = 4096;

/// The token at `position` under `seed`.
pub(crate) fn token(seed: u64, position: usize) -> TokenId {
    let mixed = (seed ^ (position as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    (mixed >> 33) as TokenId % 1000
}

/// The text of the first `count` tokens.
pub(crate) fn text(seed: u64, count: usize) -> String {
    (0..count).map(|position| format!("{:03} ", token(seed, position))).collect()
}

/// What all engines of a test share with it.
#[derive(Debug, Default)]
pub(crate) struct Script {
    pub(crate) sequences: AtomicUsize,
    pub(crate) engines: AtomicUsize,
    /// Engines that exist: as many as engine threads that have not ended.
    pub(crate) alive: AtomicUsize,
    pub(crate) loads: AtomicUsize,
    pub(crate) largest_step: AtomicUsize,
    /// New engines fail their self-test.
    pub(crate) sick: AtomicBool,
    /// So many sequences hang the engine that admits them until `release`.
    pub(crate) hangs_in_admit: AtomicUsize,
    pub(crate) release: AtomicBool,
    /// Pause of a step, in microseconds.
    pub(crate) step_micros: AtomicUsize,
}

#[derive(Clone, Debug)]
pub(crate) struct ScriptedSource(pub Arc<Script>);

impl ModelSource for ScriptedSource {
    fn models(&self) -> Vec<ModelId> {
        vec!["scripted".into()]
    }

    fn load(&self, model: &ModelId, progress: &dyn Fn(LoadProgress)) -> Result<LoadedModel, LoadError> {
        self.0.loads.fetch_add(1, Ordering::SeqCst);
        progress(LoadProgress { done: 1, total: 2 });
        let card = ModelCard {
            id: model.clone(),
            architecture: "scripted".into(),
            parameters: 0,
            quantization: "none".into(),
            context_window: WINDOW,
            demo: false,
            sampling: Sampling::greedy(),
        };
        let factory = ScriptedFactory { script: Arc::clone(&self.0) };
        Ok(LoadedModel { card: Arc::new(card), codec: Arc::new(ScriptedCodec::new()), engines: Arc::new(factory) })
    }
}

#[derive(Debug)]
struct ScriptedCodec {
    tokens: Vec<String>,
}

impl ScriptedCodec {
    fn new() -> Self {
        Self { tokens: (0..1000).map(|id| format!("{id:03} ")).collect() }
    }
}

impl Codec for ScriptedCodec {
    fn render(&self, conversation: &Conversation) -> Result<String, CodecError> {
        Ok(conversation.messages.iter().map(|message| format!("{}: {}\n", message.role.as_str(), message.content)).collect())
    }

    fn encode(&self, text: &str) -> Result<Vec<TokenId>, CodecError> {
        Ok(text.bytes().map(TokenId::from).collect())
    }

    fn token_bytes(&self, token: TokenId) -> &[u8] {
        self.tokens[token as usize].as_bytes()
    }
}

#[derive(Debug)]
struct ScriptedFactory {
    script: Arc<Script>,
}

impl EngineFactory for ScriptedFactory {
    fn engine(&self, _: Incarnation) -> Box<dyn Engine> {
        self.script.engines.fetch_add(1, Ordering::SeqCst);
        self.script.alive.fetch_add(1, Ordering::SeqCst);
        Box::new(ScriptedEngine { script: Arc::clone(&self.script), sequences: HashMap::new() })
    }

    fn fence(&self, _: Incarnation) {}

    fn evict(&self, _: &[TokenId]) {}

    fn pages(&self) -> PageUsage {
        PageUsage::default()
    }
}

struct ScriptedEngine {
    script: Arc<Script>,
    sequences: HashMap<JobId, Sequence>,
}

struct Sequence {
    seed: u64,
    to_prefill: usize,
    position: usize,
    max_tokens: usize,
}

impl Engine for ScriptedEngine {
    fn self_test(&mut self, pulse: &Pulse) -> Result<(), EngineError> {
        pulse.tick()?;
        if self.script.sick.load(Ordering::SeqCst) { Err(EngineError::SelfTest("the script says so".into())) } else { Ok(()) }
    }

    fn admit(&mut self, job: &Job) -> Result<Admission, Reject> {
        let hangs = &self.script.hangs_in_admit;
        if hangs.try_update(Ordering::SeqCst, Ordering::SeqCst, |hangs| hangs.checked_sub(1)).is_ok() {
            while !self.script.release.load(Ordering::SeqCst) {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
        let sequence =
            Sequence { seed: job.sampling.seed, to_prefill: job.length(), position: job.emitted.len(), max_tokens: job.max_tokens };
        for (position, id) in job.emitted.iter().enumerate() {
            assert_eq!(*id, token(sequence.seed, position), "the turn remembers what it was given");
        }
        self.sequences.insert(job.id, sequence);
        self.script.sequences.fetch_add(1, Ordering::SeqCst);
        Ok(Admission { cached_tokens: 0 })
    }

    fn step(&mut self, ready: &[JobId], pulse: &Pulse) -> Result<Vec<Output>, EngineError> {
        self.script.largest_step.fetch_max(ready.len(), Ordering::SeqCst);
        let pause = self.script.step_micros.load(Ordering::SeqCst);
        if pause > 0 {
            std::thread::park_timeout(Duration::from_micros(pause as u64));
        }
        for _ in 0..LAYERS {
            pulse.tick()?;
        }
        Ok(ready.iter().map(|job| self.advance(*job)).collect())
    }

    fn retire(&mut self, job: JobId) {
        if self.sequences.remove(&job).is_some() {
            self.script.sequences.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

impl ScriptedEngine {
    fn advance(&mut self, job: JobId) -> Output {
        let sequence = self.sequences.get_mut(&job).expect("only admitted sequences are stepped");
        if sequence.to_prefill > CHUNK {
            sequence.to_prefill -= CHUNK;
            return Output::Prefilled { job, tokens: CHUNK };
        }
        sequence.to_prefill = 0;
        let position = sequence.position;
        sequence.position += 1;
        let finish = (sequence.position >= sequence.max_tokens).then_some(Finish::Length);
        let id = token(sequence.seed, position);
        if finish.is_some() {
            self.retire(job);
        }
        Output::Token { job, position, id, finish }
    }
}

impl Drop for ScriptedEngine {
    fn drop(&mut self) {
        self.script.sequences.fetch_sub(self.sequences.len(), Ordering::SeqCst);
        self.script.alive.fetch_sub(1, Ordering::SeqCst);
    }
}
