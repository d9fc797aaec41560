//! The demo model's evaluation suite, through the door.

use std::collections::BTreeMap;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use candle_core::quantized::gguf_file::Content;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::daemon::{Daemon, demo_folder};

/// Requests at once.
const AT_ONCE: usize = 16;
/// One point of a score.
const POINT: f64 = 0.01;

fn suite() -> Vec<Value> {
    let text = fs::read_to_string(demo_folder().join("eval.jsonl")).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn published() -> BTreeMap<String, f64> {
    let scores: Value = serde_json::from_str(&fs::read_to_string(demo_folder().join("scores-q8_0.json")).unwrap()).unwrap();
    let capabilities = scores["capabilities"].as_object().unwrap();
    let exact = |row: &Value| row["correct"].as_f64().unwrap() / row["n"].as_f64().unwrap();
    capabilities.iter().map(|(name, row)| (name.clone(), exact(row))).collect()
}

/// The suite's messages as OpenAI writes them: ids for calls, arguments as text.
fn messages(case: &Value) -> Value {
    let mut messages = case["messages"].clone();
    let mut last_call = Vec::new();
    for message in messages.as_array_mut().unwrap() {
        if let Some(calls) = message.get_mut("tool_calls").and_then(Value::as_array_mut) {
            last_call = (0..calls.len()).rev().map(|index| format!("call_{index}")).collect();
            for (index, call) in calls.iter_mut().enumerate() {
                let function = call.get("function").unwrap_or(call).clone();
                let arguments = function["arguments"].to_string();
                let function = json!({"name": function["name"], "arguments": arguments});
                *call = json!({"id": format!("call_{index}"), "type": "function", "function": function});
            }
        }
        if message["role"] == "tool" {
            message["tool_call_id"] = json!(last_call.pop().unwrap_or_else(|| "call_0".to_owned()));
        }
    }
    messages
}

async fn run(daemon: &Daemon, case: &Value) -> bool {
    let mut body = json!({"messages": messages(case), "max_tokens": 200, "temperature": 0});
    if case["tools"].as_array().is_some_and(|tools| !tools.is_empty()) {
        body["tools"] = case["tools"].clone();
    }
    let reply = daemon.post("/v1/chat/completions", &body).await;
    assert_eq!(reply.status, 200, "{}: {}", case["id"], reply.body);
    let text = reply.json()["choices"][0]["message"]["content"].as_str().unwrap_or_default().to_owned();
    let expected = &case["expected"];
    match case["rule"].as_str() {
        Some("tool_calls") => calls(&text).is_some_and(|calls| json!(calls) == expected["tool_calls"]),
        _ => text.trim() == expected["content"].as_str().unwrap().trim(),
    }
}

fn calls(text: &str) -> Option<Vec<Value>> {
    let blocks = text.split("<tool_call>").skip(1);
    blocks.map(|block| serde_json::from_str(block.split_once("</tool_call>")?.0.trim()).ok()).collect()
}

async fn scores(daemon: &Daemon, cases: &[Value]) -> BTreeMap<String, f64> {
    let outcomes = futures_util::stream::iter(cases).map(async |case| (case["capability"].as_str().unwrap(), run(daemon, case).await));
    let outcomes: Vec<(&str, bool)> = outcomes.buffer_unordered(AT_ONCE).collect().await;
    let mut table = BTreeMap::<String, (f64, f64)>::new();
    for (capability, right) in outcomes {
        let row = table.entry(capability.to_owned()).or_default();
        row.0 += f64::from(u8::from(right));
        row.1 += 1.0;
    }
    table.into_iter().map(|(capability, (right, of))| (capability, right / of)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_demo_scores_as_published() {
    let daemon = Daemon::with(&[("SHAMMAH__LOG__LEVEL", "warn")], &[]).await;
    let (ours, published) = (scores(&daemon, &suite()).await, published());
    let mut off = Vec::new();
    for (capability, published) in &published {
        let score = ours[capability];
        println!("{capability:22} {score:.3} published {published:.3}");
        if (score - published).abs() > POINT {
            off.push(format!("{capability}: {score:.3} instead of {published:.3}"));
        }
    }
    assert!(off.is_empty(), "{off:?}");
    daemon.stop().await;
}

/// A test that cannot fail proves nothing: with one tensor zeroed the scores are gone.
#[tokio::test(flavor = "multi_thread")]
async fn with_one_tensor_zeroed_it_does_not() {
    let home = tempfile::tempdir().unwrap();
    let path = home.path().join("zeroed.gguf");
    zero_a_tensor(&demo_folder().join("shammah-demo-q8_0.gguf"), &path);
    let daemon = Daemon::spawn(home, &[], &["--model", path.to_str().unwrap()]).await;
    daemon.until_ready().await;
    let cases: Vec<Value> = suite().into_iter().filter(|case| case["capability"] == "facts").collect();
    let score = scores(&daemon, &cases).await["facts"];
    assert!(score < published()["facts"] - POINT, "{score}");
    daemon.stop().await;
}

/// Copies a GGUF file with one weight tensor zeroed.
fn zero_a_tensor(from: &Path, to: &Path) {
    let mut bytes = fs::read(from).unwrap();
    let content = Content::read(&mut Cursor::new(&bytes)).unwrap();
    let tensor = &content.tensor_infos["blk.2.attn_output.weight"];
    let start = usize::try_from(content.tensor_data_offset + tensor.offset).unwrap();
    let length = tensor.shape.elem_count() / tensor.ggml_dtype.block_size() * tensor.ggml_dtype.type_size();
    bytes[start..start + length].fill(0);
    fs::write(to, bytes).unwrap();
}
