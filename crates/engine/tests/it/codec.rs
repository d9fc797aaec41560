//! Template and tokenizer against transformers, by fixtures of `scripts/make_fixtures.py`.

use std::path::Path;

use serde_json::Value;
use shammah_engine::{EngineSettings, Source};
use shammah_protocol::{Conversation, LoadedModel, Message, ModelSource, Role, Sampling, TokenId, ToolCall, ToolSpec};

use crate::support::{demo, demo_folder};

fn fixture() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/demo-prompts.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

fn folder_model() -> LoadedModel {
    let source = Source::new(EngineSettings::default()).with_path(demo_folder());
    source.load(&source.models()[0], &|_| {}).unwrap()
}

fn ids(value: &Value) -> Vec<TokenId> {
    value.as_array().unwrap().iter().map(|id| id.as_u64().unwrap() as TokenId).collect()
}

fn conversation(case: &Value) -> Conversation {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let messages = case["messages"].as_array().unwrap().iter().map(|message| {
        let role = serde_json::from_value(message["role"].clone()).unwrap();
        let calls = message["tool_calls"].as_array().into_iter().flatten();
        let tool_calls = calls.map(|call| {
            let function = &call["function"];
            ToolCall { id: "1".into(), name: text(&function["name"]), arguments: function["arguments"].clone() }
        });
        let tool_call_id = (role == Role::Tool).then(|| "1".into());
        Message { role, content: text(&message["content"]), tool_calls: tool_calls.collect(), tool_call_id }
    });
    let tools = case["tools"].as_array().unwrap().iter().map(|tool| {
        let function = &tool["function"];
        ToolSpec { name: text(&function["name"]), description: text(&function["description"]), parameters: function["parameters"].clone() }
    });
    Conversation { messages: messages.collect(), tools: tools.collect() }
}

#[test]
fn prompts_are_those_of_transformers() {
    let models = [demo(), folder_model()];
    for case in fixture()["prompts"].as_array().unwrap() {
        let conversation = conversation(case);
        for model in &models {
            let text = model.codec.render(&conversation).unwrap();
            assert_eq!(text, case["text"].as_str().unwrap());
            assert_eq!(model.codec.encode(&text).unwrap(), ids(&case["ids"]), "{text}");
        }
    }
}

#[test]
fn tokens_are_those_of_transformers_from_either_format() {
    let models = [demo(), folder_model()];
    for case in fixture()["texts"].as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        for model in &models {
            assert_eq!(model.codec.encode(text).unwrap(), ids(&case["ids"]), "{text:?}");
        }
    }
}

#[test]
fn the_bytes_of_tokens_are_the_text() {
    let codec = demo().codec;
    for text in ["Hello, wörld! 日本 👩‍👩‍👧\n\t", "<tool_call>\n{\"name\": \"read\"}\n</tool_call>"] {
        let bytes: Vec<u8> = codec.encode(text).unwrap().into_iter().flat_map(|token| codec.token_bytes(token).to_vec()).collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), text);
    }
    let control = codec.encode("<|im_end|>").unwrap();
    assert_eq!(control.len(), 1);
    assert!(codec.token_bytes(control[0]).is_empty());
    assert!(codec.token_bytes(TokenId::MAX).is_empty());
}

#[test]
fn the_card_says_what_the_files_say() {
    let bytes: &'static [u8] = std::fs::read(demo_folder().join("shammah-demo-q8_0.gguf")).unwrap().leak();
    let source = Source::new(EngineSettings::default()).with_demo(bytes);
    let seen = std::cell::RefCell::new(Vec::new());
    let embedded = source.load(&source.models()[0], &|progress| seen.borrow_mut().push(progress)).unwrap().card;
    assert_eq!((embedded.id.as_str(), embedded.demo, embedded.quantization.as_str()), ("shammah-demo", true, "Q8_0"));
    assert_eq!((embedded.context_window, &embedded.sampling), (2048, &Sampling::greedy()));
    let seen = seen.into_inner();
    assert!(seen.is_sorted_by_key(|progress| progress.done));
    assert_eq!(seen.last().map(|progress| progress.done), seen.last().map(|progress| progress.total));

    let folder = folder_model().card;
    assert_eq!((folder.quantization.as_str(), folder.demo, folder.parameters), ("BF16", false, embedded.parameters));
    assert_eq!(folder.sampling, Sampling::greedy());
}
