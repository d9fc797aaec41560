//! Writes a synthetic model in both formats and compares 64 greedy tokens.
//!
//! `cargo run -p shammah-engine --example synthetic_parity -- qwen2.5-0.5b`
#![allow(clippy::print_stdout, reason = "it is a command")]

use std::error::Error;
use std::path::Path;

use shammah_engine::synthetic::{self, GgufType, SyntheticFormat, SyntheticShape};
use shammah_engine::{EngineSettings, KvType, Source};
use shammah_protocol::{
    Correlation, Incarnation, Job, JobId, ModelSource, Output, OwnerId, Pulse, RequestId, Sampling, SessionId, TokenId, TurnId,
};

const TOKENS: usize = 64;

fn main() -> Result<(), Box<dyn Error>> {
    let shape: SyntheticShape = std::env::args().nth(1).ok_or("usage: synthetic_parity SHAPE")?.parse()?;
    let folder = tempfile::tempdir()?;
    let mut answers = Vec::new();
    for (name, format) in [("model.gguf", SyntheticFormat::Gguf(GgufType::F32)), ("model", SyntheticFormat::SafetensorsF32)] {
        let path = folder.path().join(name);
        synthetic::write(&path, shape, format, 0, &|_| {})?;
        answers.push(greedy(&path)?);
        println!("{name}: {:?}", answers.last());
    }
    if answers[0] != answers[1] {
        return Err("the formats differ".into());
    }
    println!("{TOKENS} tokens are equal");
    Ok(())
}

fn greedy(path: &Path) -> Result<Vec<TokenId>, Box<dyn Error>> {
    let source = Source::new(EngineSettings { kv_type: KvType::F32, ..EngineSettings::default() }).with_path(path);
    let loaded = source.load(&source.models()[0], &|_| {})?;
    let mut engine = loaded.engines.engine(Incarnation(1));
    let job = Job {
        id: JobId::random(),
        correlation: Correlation {
            owner: OwnerId::local(),
            request: RequestId::random(),
            session: SessionId::random(),
            turn: TurnId::random(),
        },
        prompt: (0..32).collect(),
        emitted: Vec::new(),
        sampling: Sampling::greedy(),
        max_tokens: TOKENS,
        #[cfg(debug_assertions)]
        fault: None,
    };
    engine.admit(&job)?;
    let mut tokens = Vec::new();
    loop {
        for output in engine.step(&[job.id], &Pulse::default())? {
            match output {
                Output::Prefilled { .. } => {}
                Output::Token { id, finish, .. } => {
                    tokens.push(id);
                    if finish.is_some() {
                        return Ok(tokens);
                    }
                }
                Output::Finished { .. } => return Ok(tokens),
                Output::Failed { reject, .. } => return Err(reject.into()),
            }
        }
    }
}
