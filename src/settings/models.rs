//! `[models]`.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Which models there are, and by which names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// A GGUF file or a folder; `None` for the embedded demo model.
    #[serde(serialize_with = "write_path", deserialize_with = "read_path")]
    pub path: Option<PathBuf>,
    pub unknown: UnknownName,
    /// From a further name to a model's id, or to [`Models::DEFAULT`].
    pub aliases: BTreeMap<String, String>,
}

/// What is done with a model's name that nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UnknownName {
    /// As `Default` on a loopback address, as `Refuse` elsewhere.
    Auto,
    Default,
    Refuse,
}

impl Models {
    /// Where an alias leads that means the default model.
    pub const DEFAULT: &str = "default";
}

/// An empty text is no path; `~/` is the user's folder, as in a shell.
fn read_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<PathBuf>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let at_home = text.strip_prefix("~/").and_then(|rest| Some(std::env::home_dir()?.join(rest)));
    Ok((!text.is_empty()).then(|| at_home.unwrap_or_else(|| PathBuf::from(&text))))
}

fn write_path<S: Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&path.as_deref().unwrap_or("".as_ref()).to_string_lossy())
}
