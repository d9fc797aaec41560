//! Where models come from.

use std::io::{Cursor, Read, Seek};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use shammah_protocol::{LoadError, LoadProgress, LoadedModel, ModelCard, ModelId, ModelSource, Sampling, TokenId};

use crate::codec::{self, Markers, ModelCodec, Template};
use crate::config::{self, Generation};
use crate::decoder::Decoder;
use crate::factory::Factory;
use crate::folder::Folder;
use crate::gguf::{self, Value};
use crate::settings::EngineSettings;
use crate::weights::{GgufWeights, SafetensorsWeights};

/// The id of the embedded model.
pub const DEMO_ID: &str = "shammah-demo";

/// Loads the configured model, a GGUF file or a Hugging Face folder, and the embedded demo.
#[derive(Clone)]
pub struct Source {
    settings: EngineSettings,
    configured: Option<PathBuf>,
    demo: Option<&'static [u8]>,
}

impl Source {
    /// A source without models.
    pub fn new(settings: EngineSettings) -> Self {
        Self { settings, configured: None, demo: None }
    }

    /// With a model on disk; it is the default. Its id is the file's stem or the folder's name.
    #[must_use]
    pub fn with_path(self, path: impl Into<PathBuf>) -> Self {
        Self { configured: Some(path.into()), ..self }
    }

    /// With the demo, a GGUF file in memory.
    #[must_use]
    pub fn with_demo(self, bytes: &'static [u8]) -> Self {
        Self { demo: Some(bytes), ..self }
    }

    fn load_folder(&self, path: &Path, origin: Origin, report: &dyn Fn(LoadProgress)) -> Result<LoadedModel, LoadError> {
        let folder = Folder::new(path);
        let (config_json, what) = folder.text("config.json")?;
        let config = config::from_json(&config_json, &what)?;
        let generation = config::generation(&config_json, folder.optional_text("generation_config.json")?.as_deref(), &what)?;
        let (tokenizer, tokenizer_file) = folder.text("tokenizer.json")?;
        let tokenizer = codec::from_json(tokenizer.as_bytes(), &tokenizer_file)?;
        let (source, markers) = folder.chat_template()?;
        let template = Template::new(source.as_deref(), markers, folder.name())?;
        let codec = ModelCodec::new(tokenizer, config.vocabulary, template);
        let mut weights = SafetensorsWeights::open(path, folder.name(), report)?;
        let quantization = weights.main_type();
        let decoder = Decoder::load(config, &mut weights)?;
        Ok(self.assemble(origin, quantization, decoder, codec, generation))
    }

    fn load_gguf(
        &self,
        file: &mut (impl Read + Seek),
        what: &str,
        origin: Origin,
        report: &dyn Fn(LoadProgress),
    ) -> Result<LoadedModel, LoadError> {
        let header = gguf::read_header(file).map_err(|reason| LoadError::Invalid { what: what.into(), reason })?;
        if header.metadata.get("split.count").and_then(Value::as_u64).is_some_and(|count| count > 1) {
            return Err(LoadError::Unsupported { what: what.into(), reason: "it is one part of several".into() });
        }
        let config = config::from_metadata(&header, what)?;
        let tokenizer = codec::from_metadata(&header, what)?;
        let token_of = |key: &str| header.metadata.get(key).and_then(Value::as_u64).and_then(|id| TokenId::try_from(id).ok());
        let end = token_of("tokenizer.ggml.eos_token_id");
        let marker = |id: Option<TokenId>| id.and_then(|id| tokenizer.id_to_token(id)).unwrap_or_default();
        let markers = Markers { bos: marker(token_of("tokenizer.ggml.bos_token_id")), eos: marker(end) };
        let template = Template::new(header.metadata.get("tokenizer.chat_template").and_then(Value::as_str), markers, what)?;
        let codec = ModelCodec::new(tokenizer, config.vocabulary, template);
        let mut weights = GgufWeights::new(file, &header, what, report);
        let quantization = weights.main_type();
        let decoder = Decoder::load(config, &mut weights)?;
        // The format has no generation config; the demo's own says greedy.
        let sampling = if origin.demo { Sampling::greedy() } else { Sampling::default() };
        let generation = Generation { sampling, ends: end.into_iter().collect() };
        Ok(self.assemble(origin, quantization, decoder, codec, generation))
    }

    fn assemble(&self, origin: Origin, quantization: String, decoder: Decoder, codec: ModelCodec, generation: Generation) -> LoadedModel {
        let Generation { sampling, mut ends } = generation;
        ends.extend(codec.named_ends());
        let card = ModelCard {
            id: origin.id,
            architecture: "qwen2".into(),
            parameters: decoder.parameters(),
            quantization,
            context_window: decoder.config().window,
            demo: origin.demo,
            sampling,
        };
        // One budget for all models that may be loaded.
        let kv_bytes = self.settings.kv_bytes / self.models().len().max(1) as u64;
        let engines = Factory::new(decoder, ends, EngineSettings { kv_bytes, ..self.settings.clone() });
        LoadedModel { card: Arc::new(card), codec: Arc::new(codec), engines: Arc::new(engines) }
    }
}

/// What a model's files do not say.
struct Origin {
    id: ModelId,
    demo: bool,
}

impl ModelSource for Source {
    fn models(&self) -> Vec<ModelId> {
        let configured = self.configured.as_deref().map(id_of);
        let demo = self.demo.map(|_| ModelId::from(DEMO_ID)).filter(|demo| configured.as_ref() != Some(demo));
        configured.into_iter().chain(demo).collect()
    }

    fn load(&self, model: &ModelId, progress: &dyn Fn(LoadProgress)) -> Result<LoadedModel, LoadError> {
        let origin = |demo| Origin { id: model.clone(), demo };
        match (&self.configured, self.demo) {
            (Some(path), _) if id_of(path) == *model => {
                if path.is_dir() {
                    return self.load_folder(path, origin(false), progress);
                }
                let what = path.display().to_string();
                let mut file = std::fs::File::open(path).map_err(|error| match error.kind() {
                    std::io::ErrorKind::NotFound => LoadError::NotFound(what.clone()),
                    _ => LoadError::Unreadable { what: what.clone(), reason: error.to_string() },
                })?;
                self.load_gguf(&mut file, &what, origin(false), progress)
            }
            (_, Some(bytes)) if model.as_str() == DEMO_ID => {
                self.load_gguf(&mut Cursor::new(bytes), "the embedded model", origin(true), progress)
            }
            _ => Err(LoadError::NotFound(model.to_string())),
        }
    }
}

impl std::fmt::Debug for Source {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Source").field("settings", &self.settings).field("models", &self.models()).finish()
    }
}

/// The stem of a file, the name of a folder.
fn id_of(path: &Path) -> ModelId {
    let absolute = path.canonicalize();
    let path = absolute.as_deref().unwrap_or(path);
    let name = if path.is_dir() { path.file_name() } else { path.file_stem() };
    ModelId::from(name.unwrap_or(path.as_os_str()).to_string_lossy().into_owned())
}
