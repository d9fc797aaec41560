//! The files of a Hugging Face folder beside the weights.

use std::path::{Path, PathBuf};

use serde_json::Value;
use shammah_protocol::LoadError;

use crate::codec::Markers;

/// A folder with a model.
pub(crate) struct Folder {
    path: PathBuf,
    name: String,
}

impl Folder {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.into(), name: path.display().to_string() }
    }

    /// For errors.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The content of a file, and its name for errors.
    ///
    /// # Errors
    /// [`LoadError::NotFound`] or [`LoadError::Unreadable`].
    pub(crate) fn text(&self, file: &str) -> Result<(String, String), LoadError> {
        let path = self.path.join(file);
        let what = path.display().to_string();
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok((text, what)),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(LoadError::NotFound(what)),
            Err(error) => Err(LoadError::Unreadable { what, reason: error.to_string() }),
        }
    }

    /// The content of a file that may be missing.
    ///
    /// # Errors
    /// [`LoadError::Unreadable`].
    pub(crate) fn optional_text(&self, file: &str) -> Result<Option<String>, LoadError> {
        match self.text(file) {
            Ok((text, _)) => Ok(Some(text)),
            Err(LoadError::NotFound(_)) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The chat template, from its own file or `tokenizer_config.json`, and the texts of the control tokens.
    ///
    /// # Errors
    /// [`LoadError`] if one of the files is not what it should be.
    pub(crate) fn chat_template(&self) -> Result<(Option<String>, Markers), LoadError> {
        const CONFIG: &str = "tokenizer_config.json";
        let json = self.optional_text(CONFIG)?;
        let config: Value = json
            .as_deref()
            .map_or(Ok(Value::Null), serde_json::from_str)
            .map_err(|error| LoadError::Invalid { what: self.path.join(CONFIG).display().to_string(), reason: error.to_string() })?;
        let template = match self.optional_text("chat_template.jinja")? {
            Some(template) => Some(template),
            None => named_template(&config["chat_template"]).map(str::to_owned),
        };
        let marker = |key: &str| {
            let value = &config[key];
            value.as_str().or_else(|| value["content"].as_str()).unwrap_or_default().to_owned()
        };
        Ok((template, Markers { bos: marker("bos_token"), eos: marker("eos_token") }))
    }
}

/// A template, or the one named `default` of a list of `{name, template}`; the first if none is.
fn named_template(value: &Value) -> Option<&str> {
    if let Value::Array(list) = value {
        let entry = list.iter().find(|entry| entry["name"] == "default").or(list.first())?;
        return entry["template"].as_str();
    }
    value.as_str()
}
