//! Runs an evaluation suite greedily and prints each capability's score beside the published one.
//!
//! `cargo run --release -p shammah-engine --example evaluate -- MODEL EVAL.jsonl SCORES.json`
#![allow(clippy::print_stdout, reason = "it is a command")]

use std::collections::{BTreeMap, VecDeque};
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use serde_json::Value;
use shammah_engine::{EngineSettings, Source};
use shammah_protocol::{
    Conversation, Correlation, Finish, Incarnation, Job, JobId, Message, ModelSource, Output, OwnerId, Pulse, RequestId, Role, Sampling,
    SessionId, ToolCall, ToolSpec, TurnId,
};

const BATCH: usize = 16;
const MAX_TOKENS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, model, eval, scores] = arguments.as_slice() else { return Err("usage: evaluate MODEL EVAL.jsonl SCORES.json".into()) };
    let cases = std::fs::read_to_string(eval)?.lines().map(serde_json::from_str).collect::<Result<Vec<Value>, _>>()?;
    let published: Value = serde_json::from_str(&std::fs::read_to_string(scores)?)?;
    let source = Source::new(EngineSettings::default()).with_path(Path::new(model));
    let loaded = source.load(&source.models()[0], &|_| {})?;

    let started = Instant::now();
    let mut engine = loaded.engines.engine(Incarnation(1));
    let pulse = Pulse::default();
    engine.self_test(&pulse)?;
    let mut waiting = VecDeque::new();
    let mut prompt_tokens = 0;
    for (index, case) in cases.iter().enumerate() {
        let prompt = loaded.codec.encode(&loaded.codec.render(&conversation(case)?)?)?;
        prompt_tokens += prompt.len();
        waiting.push_back((index, job(prompt)));
    }
    let mut answers = vec![Vec::new(); cases.len()];
    let mut running: BTreeMap<JobId, usize> = BTreeMap::new();
    let mut tokens = 0;
    while !waiting.is_empty() || !running.is_empty() {
        while running.len() < BATCH
            && let Some((index, job)) = waiting.pop_front()
        {
            engine.admit(&job)?;
            running.insert(job.id, index);
        }
        let ready: Vec<JobId> = running.keys().copied().collect();
        for output in engine.step(&ready, &pulse)? {
            match output {
                Output::Prefilled { .. } => {}
                Output::Token { job, id, finish, .. } => {
                    tokens += 1;
                    answers[running[&job]].extend_from_slice(loaded.codec.token_bytes(id));
                    if finish == Some(Finish::Length) {
                        running.remove(&job);
                    }
                }
                Output::Finished { job, .. } => {
                    running.remove(&job);
                }
                Output::Failed { reject, .. } => return Err(reject.into()),
            }
        }
    }
    let seconds = started.elapsed().as_secs_f64();

    let mut correct: BTreeMap<&str, (usize, usize)> = BTreeMap::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let entry = correct.entry(case["capability"].as_str().unwrap_or_default()).or_default();
        entry.0 += usize::from(is_correct(case, &String::from_utf8_lossy(answer)));
        entry.1 += 1;
    }
    let mut worst: f64 = 0.0;
    for (capability, (good, all)) in &correct {
        let theirs = published["capabilities"][capability]["correct"].as_u64().unwrap_or(0) as f64 / *all as f64;
        let ours = *good as f64 / *all as f64;
        worst = worst.max((ours - theirs).abs());
        println!("{capability:24} {good:4}/{all:<4} {ours:.4}  published {theirs:.4}  {:+.4}", ours - theirs);
    }
    let good: usize = correct.values().map(|(good, _)| good).sum();
    println!("all {good}/{} (published {}), largest difference {worst:.4}", cases.len(), published["correct"]);
    println!(
        "{prompt_tokens} prompt tokens ({} from the store) and {tokens} new ones in {seconds:.1} s",
        loaded.engines.pages().hit_tokens
    );
    Ok(())
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
        sampling: Sampling::greedy(),
        max_tokens: MAX_TOKENS,
        #[cfg(debug_assertions)]
        fault: None,
    }
}

fn conversation(case: &Value) -> Result<Conversation, Box<dyn Error>> {
    let mut messages = Vec::new();
    for message in case["messages"].as_array().ok_or("a case has no messages")? {
        let role = match message["role"].as_str() {
            Some("system") => Role::System,
            Some("user") => Role::User,
            Some("assistant") => Role::Assistant,
            _ => Role::Tool,
        };
        let mut text = Message::text(role, message["content"].as_str().unwrap_or_default());
        for call in message["tool_calls"].as_array().into_iter().flatten() {
            let function = &call["function"];
            let name = function["name"].as_str().unwrap_or_default().into();
            text.tool_calls.push(ToolCall { id: String::new(), name, arguments: function["arguments"].clone() });
        }
        messages.push(text);
    }
    let tools = case["tools"].as_array().into_iter().flatten().map(|tool| {
        let function = &tool["function"];
        let text = |key: &str| function[key].as_str().unwrap_or_default().into();
        ToolSpec { name: text("name"), description: text("description"), parameters: function["parameters"].clone() }
    });
    Ok(Conversation { messages, tools: tools.collect() })
}

/// The rule of `evaluate.py`.
fn is_correct(case: &Value, answer: &str) -> bool {
    if case["rule"] != "tool_calls" {
        return case["expected"]["content"].as_str().is_some_and(|expected| expected.trim() == answer.trim());
    }
    let calls = answer.split("<tool_call>").skip(1).filter_map(|part| part.split_once("</tool_call>"));
    let calls: Result<Vec<Value>, _> = calls.map(|(call, _)| serde_json::from_str(call)).collect();
    calls.is_ok_and(|calls| Some(&calls) == case["expected"]["tool_calls"].as_array())
}
