//! The same weights in different files.

use std::path::Path;

use shammah_engine::synthetic::{self, GgufType, SyntheticFormat, SyntheticShape};
use shammah_engine::{EngineSettings, KvType};
use shammah_protocol::Sampling;

use crate::support::{alone, job, load, prompt};

fn write(path: &Path, shape: SyntheticShape, format: SyntheticFormat) {
    synthetic::write(path, shape, format, 3, &|_| {}).unwrap();
}

#[test]
fn gguf_and_safetensors_give_the_same_tokens() {
    let settings = EngineSettings { kv_type: KvType::F32, ..EngineSettings::default() };
    for shape in [SyntheticShape::Tiny, SyntheticShape::TinyUntied] {
        let folder = tempfile::tempdir().unwrap();
        let (file, dense) = (folder.path().join("model.gguf"), folder.path().join("model"));
        write(&file, shape, SyntheticFormat::Gguf(GgufType::F32));
        write(&dense, shape, SyntheticFormat::SafetensorsF32);
        let job = job(&prompt(9, 30), Sampling::greedy(), 64);
        let (gguf, safetensors) = (load(&file, settings.clone()), load(&dense, settings.clone()));
        assert_eq!(gguf.card.parameters, safetensors.card.parameters);
        assert_eq!(alone(&gguf, &job), alone(&safetensors, &job));
        assert_eq!(
            gguf.codec.encode("the quick brown fox <|im_end|>").unwrap(),
            safetensors.codec.encode("the quick brown fox <|im_end|>").unwrap()
        );
    }
}

#[test]
fn every_type_loads_and_answers() {
    let folder = tempfile::tempdir().unwrap();
    for kind in [GgufType::F16, GgufType::BF16, GgufType::Q8_0, GgufType::Q4_0] {
        let file = folder.path().join("model.gguf");
        write(&file, SyntheticShape::Tiny, SyntheticFormat::Gguf(kind));
        let model = load(&file, EngineSettings::default());
        assert_eq!(model.card.quantization, format!("{kind:?}"));
        alone(&model, &job(&prompt(9, 30), Sampling::greedy(), 4));
    }
}

#[test]
fn a_sharded_folder_is_one_model() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    write(path, SyntheticShape::Tiny, SyntheticFormat::SafetensorsBf16);
    let job = job(&prompt(9, 30), Sampling::greedy(), 16);
    let whole = alone(&load(path, EngineSettings::default()), &job);
    std::fs::rename(path.join("model.safetensors"), path.join("model-00001-of-00001.safetensors")).unwrap();
    let index = r#"{"weight_map": {"model.norm.weight": "model-00001-of-00001.safetensors"}}"#;
    std::fs::write(path.join("model.safetensors.index.json"), index).unwrap();
    assert_eq!(alone(&load(path, EngineSettings::default()), &job), whole);
}
