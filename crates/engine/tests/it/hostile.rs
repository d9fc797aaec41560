//! Files that are cut, changed or contradict themselves: an error, never a panic.

use std::path::Path;
use std::sync::OnceLock;

use proptest::prelude::*;
use shammah_engine::synthetic::{self, GgufType, SyntheticFormat, SyntheticShape};
use shammah_engine::{EngineSettings, Source};
use shammah_protocol::{LoadError, LoadedModel, ModelSource};

fn try_load(path: &Path) -> Result<LoadedModel, LoadError> {
    let source = Source::new(EngineSettings::default()).with_path(path);
    source.load(&source.models()[0], &|_| {})
}

fn gguf() -> &'static [u8] {
    static FILE: OnceLock<Vec<u8>> = OnceLock::new();
    FILE.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("model.gguf");
        synthetic::write(&file, SyntheticShape::Tiny, SyntheticFormat::Gguf(GgufType::Q8_0), 3, &|_| {}).unwrap();
        std::fs::read(file).unwrap()
    })
}

fn load_bytes(bytes: &[u8]) -> Result<LoadedModel, LoadError> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("model.gguf");
    std::fs::write(&file, bytes).unwrap();
    try_load(&file)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_truncated_gguf_file_is_an_error(part in 0.0f64..1.0) {
        let length = (gguf().len() as f64 * part) as usize;
        prop_assert!(load_bytes(&gguf()[..length]).is_err());
    }

    #[test]
    fn a_changed_gguf_file_never_panics(changes in prop::collection::vec((0usize..12_000, any::<u8>()), 1..8)) {
        let mut bytes = gguf().to_vec();
        for (place, value) in changes {
            bytes[place] = value;
        }
        let _ = load_bytes(&bytes);
    }
}

#[test]
fn an_alignment_of_zero_is_an_error() {
    let mut bytes = gguf().to_vec();
    // Replaces one entry by another of the same length: the key `general.alignment` of u32.
    let key = b"qwen2.block_count";
    let place = bytes.windows(key.len()).position(|window| window == key).unwrap();
    bytes[place..place + key.len()].copy_from_slice(b"general.alignment");
    let value = place + key.len() + 4;
    bytes[value..value + 4].copy_from_slice(&[0; 4]);
    let error = load_bytes(&bytes).unwrap_err();
    assert!(error.to_string().contains("alignment"), "{error}");
}

fn folder_with(change: impl FnOnce(&Path)) -> LoadError {
    let folder = tempfile::tempdir().unwrap();
    synthetic::write(folder.path(), SyntheticShape::Tiny, SyntheticFormat::SafetensorsF32, 3, &|_| {}).unwrap();
    change(folder.path());
    try_load(folder.path()).unwrap_err()
}

fn replace(file: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(file, text.replace(from, to)).unwrap();
}

#[test]
fn a_configuration_that_contradicts_the_weights_names_the_tensor() {
    let error = folder_with(|folder| replace(&folder.join("config.json"), "\"intermediate_size\": 320", "\"intermediate_size\": 352"));
    assert!(matches!(error, LoadError::Invalid { .. }));
    assert!(error.to_string().contains("model.layers.0.mlp.gate_proj.weight"), "{error}");
}

#[test]
fn what_is_not_supported_says_so() {
    for (from, to, word) in [
        ("\"model_type\": \"qwen2\"", "\"model_type\": \"llama\"", "llama"),
        ("\"rope_theta\": 1000000.0", "\"rope_scaling\": {\"type\": \"yarn\"}", "yarn"),
        ("\"num_attention_heads\": 7", "\"num_attention_heads\": 0", "heads"),
    ] {
        let error = folder_with(|folder| replace(&folder.join("config.json"), from, to));
        assert!(error.to_string().contains(word), "{error}");
    }
}

#[test]
fn missing_and_cut_files_are_named() {
    for file in ["config.json", "tokenizer.json", "model.safetensors"] {
        let error = folder_with(|folder| std::fs::remove_file(folder.join(file)).unwrap());
        assert!(error.to_string().contains(file), "{error}");
        let error = folder_with(|folder| {
            let bytes = std::fs::read(folder.join(file)).unwrap();
            std::fs::write(folder.join(file), &bytes[..bytes.len() / 2]).unwrap();
        });
        assert!(error.to_string().contains(file), "{error}");
    }
}

#[test]
fn an_index_does_not_reach_out_of_its_folder() {
    let error = folder_with(|folder| {
        std::fs::rename(folder.join("model.safetensors"), folder.join("x")).unwrap();
        std::fs::write(folder.join("model.safetensors.index.json"), r#"{"weight_map": {"a": "../x"}}"#).unwrap();
    });
    assert!(error.to_string().contains("not a plain file name"), "{error}");
}

#[test]
fn an_unknown_pre_tokenizer_is_refused_by_name() {
    let mut bytes = gguf().to_vec();
    let key = b"tokenizer.ggml.pre";
    let place = bytes.windows(key.len()).position(|window| window == key).unwrap() + key.len() + 4 + 8;
    bytes[place..place + 5].copy_from_slice(b"qwenX");
    let error = load_bytes(&bytes).unwrap_err();
    assert!(matches!(error, LoadError::Unsupported { .. }));
    assert!(error.to_string().contains("qwenX"), "{error}");
}

#[test]
fn models_that_are_not_there_are_not_found() {
    assert!(matches!(try_load(Path::new("/nowhere/model.gguf")), Err(LoadError::NotFound(_))));
    let source = Source::new(EngineSettings::default());
    assert!(source.models().is_empty());
    assert!(matches!(source.load(&"shammah-demo".into(), &|_| {}), Err(LoadError::NotFound(_))));
}
