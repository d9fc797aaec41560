//! Why the settings are refused. Each error is one sentence.

use std::path::PathBuf;

use config::ConfigError;
use thiserror::Error;

use super::layer::Layer;

/// How alike two keys must be, from 0 to 1, for one to be what the other was meant to be.
const ALIKE: f64 = 0.6;

/// Why the settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum SettingsError {
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable { path: PathBuf, reason: String },
    #[error("unknown setting `{key}` in {origin}{}", .nearest.as_ref().map(|name| format!("; did you mean `{name}`?")).unwrap_or_default())]
    Unknown { key: String, origin: String, nearest: Option<String> },
    /// Not of the setting's type.
    #[error("`{key}` cannot be `{value}` as in {origin}: {reason}")]
    WrongValue { key: String, value: String, origin: String, reason: String },
    /// Of the right type, but not allowed.
    #[error("`{key}` is {value}, but it must {rule}")]
    NotAllowed { key: &'static str, value: String, rule: String },
    /// A server that others can reach would answer anyone.
    #[error("`server.bind_address` is {0}, which other machines can reach: set `server.auth_enabled` and `server.api_keys` first")]
    OpenToAll(std::net::SocketAddr),
    #[error("{0}")]
    Other(String),
}

impl SettingsError {
    pub(super) fn unknown(key: &str, origin: &str, known: &[String]) -> Self {
        let alike = known.iter().map(|name| (strsim::normalized_damerau_levenshtein(name, key), name));
        let nearest = alike.filter(|(score, _)| *score >= ALIKE).max_by(|(a, _), (b, _)| a.total_cmp(b)).map(|(_, name)| name.clone());
        Self::Unknown { key: key.to_owned(), origin: origin.to_owned(), nearest }
    }

    /// What `error` says of one of the `values`.
    pub(super) fn wrong_value(error: &ConfigError, values: &Layer) -> Self {
        let (key, reason) = match error {
            ConfigError::Type { key: Some(key), expected, .. } => (key, format!("expected {expected}")),
            ConfigError::At { key: Some(key), error, .. } => (key, error.to_string()),
            other => return Self::Other(other.to_string()),
        };
        match values.values().get(key) {
            // Even a malformed list of keys is secret.
            Some(value) if key.starts_with("server.api_keys") => {
                Self::Other(format!("`{key}` in {} is wrong: {reason}", value.origin().unwrap_or_default()))
            }
            Some(value) => Self::WrongValue {
                key: key.clone(),
                value: value.to_string(),
                origin: value.origin().unwrap_or_default().to_owned(),
                reason,
            },
            None => Self::Other(error.to_string()),
        }
    }
}
