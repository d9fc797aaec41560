//! Measures prefill and decode of a model, alone and in a batch.
//!
//! `cargo run -p shammah-engine --example speed -- MODEL`
#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use shammah_engine::{EngineSettings, Source};
use shammah_protocol::{
    Correlation, EngineFactory, Incarnation, Job, JobId, ModelSource, Output, OwnerId, Pulse, RequestId, Sampling, SessionId, TurnId,
};

const PROMPT: usize = 512;
const COMPLETION: usize = 128;

fn main() -> Result<(), Box<dyn Error>> {
    let model = std::env::args().nth(1).ok_or("usage: speed MODEL")?;
    let source = Source::new(EngineSettings::default()).with_path(model);
    let started = Instant::now();
    let loaded = source.load(&source.models()[0], &|_| {})?;
    println!("loaded in {:.2} s: {} {}", started.elapsed().as_secs_f64(), loaded.card.id, loaded.card.quantization);
    for batch in [1, 8] {
        let (prefill, decode) = measure(&*loaded.engines, batch)?;
        println!("batch {batch:2}: prefill {prefill:8.1} tokens/s, decode {decode:8.1} tokens/s");
    }
    Ok(())
}

/// Tokens per second of prefill and of decode.
fn measure(engines: &dyn EngineFactory, batch: usize) -> Result<(f64, f64), Box<dyn Error>> {
    let mut engine = engines.engine(Incarnation(1));
    let pulse = Pulse::default();
    let mut ready = Vec::new();
    for index in 0..batch {
        // No two prompts begin alike, so that nothing comes from the store.
        let job = job((0..PROMPT).map(|position| ((position * 31 + index * 7 + batch * 1000) % 2900) as u32).collect());
        engine.admit(&job)?;
        ready.push(job.id);
    }
    let started = Instant::now();
    let mut first_tokens = 0;
    while first_tokens < batch {
        first_tokens += engine.step(&ready, &pulse)?.iter().filter(|output| matches!(output, Output::Token { .. })).count();
    }
    let prefill = started.elapsed();
    let started = Instant::now();
    let mut tokens = 0;
    for _ in 0..COMPLETION {
        tokens += engine.step(&ready, &pulse)?.iter().filter(|output| matches!(output, Output::Token { .. })).count();
    }
    let decode = started.elapsed();
    Ok(((batch * PROMPT) as f64 / prefill.as_secs_f64(), tokens as f64 / decode.as_secs_f64()))
}

fn job(prompt: Vec<u32>) -> Job {
    Job {
        id: JobId::random(),
        correlation: Correlation {
            owner: OwnerId::local(),
            request: RequestId::random(),
            session: SessionId::random(),
            turn: TurnId::random(),
        },
        prompt: Arc::from(prompt),
        emitted: Vec::new(),
        // Hot, so that hardly a sequence draws an end token.
        sampling: Sampling { temperature: 50.0, ..Sampling::default() },
        max_tokens: 4 * COMPLETION,
        #[cfg(debug_assertions)]
        fault: None,
    }
}
