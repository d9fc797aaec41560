//! Models and jobs for the tests.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use shammah_engine::synthetic::{self, GgufType, SyntheticFormat, SyntheticShape};
use shammah_engine::{EngineSettings, KvType, Source};
use shammah_protocol::{
    Correlation, Engine, Finish, Incarnation, Job, JobId, LoadedModel, ModelSource, Output, OwnerId, Pulse, Reject, RequestId, Sampling,
    SessionId, TokenId, TurnId,
};

/// Memory of a page of the tiny shape in f32: 3 layers, keys and values, 1 head, 16 positions, 32 numbers.
pub(crate) const TINY_PAGE: u64 = 3 * 2 * 16 * 32 * 4;

pub(crate) fn demo_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/demo")
}

pub(crate) fn load(path: &Path, settings: EngineSettings) -> LoadedModel {
    let source = Source::new(settings).with_path(path);
    source.load(&source.models()[0], &|_| {}).unwrap()
}

/// The demo, in f16 pages.
pub(crate) fn demo() -> LoadedModel {
    load(&demo_folder().join("shammah-demo-q8_0.gguf"), EngineSettings::default())
}

/// A tiny model with a budget of so many pages.
pub(crate) fn tiny(pages: u64) -> LoadedModel {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tiny.gguf");
    synthetic::write(&file, SyntheticShape::Tiny, SyntheticFormat::Gguf(GgufType::F32), 1, &|_| {}).unwrap();
    let step_target = Duration::from_millis(5);
    load(&file, EngineSettings { kv_bytes: pages * TINY_PAGE, kv_type: KvType::F32, step_target })
}

pub(crate) fn correlation(owner: &str) -> Correlation {
    Correlation { owner: OwnerId::from(owner), request: RequestId::random(), session: SessionId::random(), turn: TurnId::random() }
}

pub(crate) fn job(prompt: &[TokenId], sampling: Sampling, max_tokens: usize) -> Job {
    Job {
        id: JobId::random(),
        correlation: correlation("local"),
        prompt: prompt.into(),
        emitted: Vec::new(),
        sampling,
        max_tokens,
        #[cfg(debug_assertions)]
        fault: None,
    }
}

/// Tokens that look different for every seed.
pub(crate) fn prompt(seed: u32, length: usize) -> Vec<TokenId> {
    (0..length as u32).map(|position| (position.wrapping_mul(2_654_435_761) ^ seed.wrapping_mul(40_503)) >> 7 & 0xff).collect()
}

/// A mix of greedy and seeded parameters.
pub(crate) fn sampling(seed: u64) -> Sampling {
    match seed % 3 {
        0 => Sampling::greedy(),
        1 => Sampling { seed, temperature: 0.9, top_p: 0.9, top_k: 40, ..Sampling::default() },
        _ => Sampling { seed, repetition_penalty: 1.1, frequency_penalty: 0.2, min_p: 0.01, ..Sampling::default() },
    }
}

/// How a sequence ended, and its tokens.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Answer {
    pub(crate) tokens: Vec<TokenId>,
    pub(crate) finish: Option<Finish>,
    pub(crate) failed: Option<Reject>,
}

/// Takes the outputs of a step into the answers; the jobs that ended.
pub(crate) fn collect(outputs: Vec<Output>, answers: &mut HashMap<JobId, Answer>) -> Vec<JobId> {
    let mut ended = Vec::new();
    for output in outputs {
        match output {
            Output::Prefilled { .. } => {}
            Output::Token { job, position, id, finish } => {
                let answer = answers.entry(job).or_default();
                assert_eq!(position, answer.tokens.len(), "no gap, no repeat");
                answer.tokens.push(id);
                answer.finish = finish;
                ended.extend(finish.map(|_| job));
            }
            Output::Finished { job, finish } => {
                answers.entry(job).or_default().finish = Some(finish);
                ended.push(job);
            }
            Output::Failed { job, reject } => {
                answers.entry(job).or_default().failed = Some(reject);
                ended.push(job);
            }
        }
    }
    ended
}

/// Runs jobs to their ends, `batch` at a time.
pub(crate) fn run(engine: &mut dyn Engine, jobs: &[Job], batch: usize) -> Vec<Answer> {
    let pulse = Pulse::default();
    let mut answers: HashMap<JobId, Answer> =
        jobs.iter().map(|job| (job.id, Answer { tokens: job.emitted.clone(), ..Answer::default() })).collect();
    let mut waiting = jobs.iter();
    let mut ready: Vec<JobId> = Vec::new();
    for _ in 0..100_000 {
        while ready.len() < batch
            && let Some(job) = waiting.next()
        {
            engine.admit(job).unwrap();
            ready.push(job.id);
        }
        if ready.is_empty() {
            return jobs.iter().map(|job| answers[&job.id].clone()).collect();
        }
        let ended = collect(engine.step(&ready, &pulse).unwrap(), &mut answers);
        ready.retain(|job| !ended.contains(job));
    }
    panic!("the engine makes no progress");
}

/// Runs one job on an engine of its own.
pub(crate) fn alone(model: &LoadedModel, job: &Job) -> Answer {
    run(&mut *model.engines.engine(Incarnation(1)), std::slice::from_ref(job), 1).remove(0)
}

/// The same job as another attempt, after `emitted` tokens.
pub(crate) fn resumed(job: &Job, emitted: &[TokenId]) -> Job {
    Job { id: JobId::random(), emitted: emitted.to_vec(), prompt: Arc::clone(&job.prompt), ..job.clone() }
}
