//! The settings: `config/default.toml`, then the file in the home folder, then the environment, then flags.

mod bytes;
mod engine;
mod error;
mod layer;
mod models;
mod sections;
mod server;
mod validate;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use config::{Config, Source};
use serde::{Deserialize, Serialize};

pub use bytes::ByteSize;
pub use engine::{Engine, KvMemory, KvType};
pub use error::SettingsError;
pub use models::{Models, UnknownName};
pub use sections::{Admission, Inference, Log, LogFormat, LogLevel, Monitor, Router, Shutdown, Supervision, Turn};
pub use server::{ApiKey, Server};

use layer::Layer;

/// Name of the settings file in the home folder.
pub const FILE_NAME: &str = "config.toml";

/// Everything that can be set, checked. What each key means is said in `config/default.toml`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    pub server: Server,
    pub models: Models,
    pub inference: Inference,
    pub engine: Engine,
    pub admission: Admission,
    pub turn: Turn,
    pub router: Router,
    pub supervision: Supervision,
    pub shutdown: Shutdown,
    pub monitor: Monitor,
    pub log: Log,
}

/// The folder of everything that shammah keeps: `SHAMMAH_HOME`, else `~/.shammah`; `None` if there is neither.
pub fn home() -> Option<PathBuf> {
    let chosen = std::env::var_os("SHAMMAH_HOME").filter(|path| !path.is_empty());
    chosen.map(PathBuf::from).or_else(|| std::env::home_dir().map(|home| home.join(".shammah")))
}

impl Settings {
    /// Reads all places, the later ones over the earlier ones, and checks the result. `home` is the folder of the settings file, which may
    /// be absent; `environment` the whole environment; `flags` pairs of a key (`server.bind_address`) and its value.
    ///
    /// # Errors
    /// [`SettingsError`], one sentence that names the key and where it was set.
    pub fn load(
        home: &Path,
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        flags: &[(String, String)],
    ) -> Result<Self, SettingsError> {
        let defaults = Layer::defaults();
        let file = Layer::file(&home.join(FILE_NAME))?;
        let above: Vec<_> = file.into_iter().chain(Layer::environment(environment)).chain(Layer::flags(flags)).collect();
        let known = defaults.keys();
        above.iter().try_for_each(|layer| layer.refuse_unknown(&known))?;
        let settings = Self::merge(std::iter::once(defaults).chain(above))?;
        settings.validate()?;
        Ok(settings)
    }

    /// What is in force, as a settings file with every key; API keys are masked.
    pub fn to_toml(&self) -> String {
        toml::to_string(self).expect("settings hold only what TOML can say")
    }

    fn merge(layers: impl Iterator<Item = Layer>) -> Result<Self, SettingsError> {
        let builder = layers.fold(Config::builder(), |builder, layer| builder.add_source(layer));
        let merged = builder.build().map_err(|error| SettingsError::Other(error.to_string()))?;
        merged.clone().try_deserialize().map_err(|error| {
            let values = merged.collect().map(Layer::new).unwrap_or_default();
            SettingsError::wrong_value(&error, &values)
        })
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::merge(std::iter::once(Layer::defaults())).expect("the tests read config/default.toml")
    }
}

#[cfg(test)]
mod tests;
