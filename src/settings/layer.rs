//! One place that settings come from.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;

use config::{ConfigError, Map, Source, Value, ValueKind};

use super::error::SettingsError;

const DEFAULTS: &str = include_str!("../../config/default.toml");
const VARIABLE_PREFIX: &str = "SHAMMAH__";
/// The one table whose keys are the user's own.
const OPEN_TABLE: &str = "models.aliases";

/// Nested tables of values, each of which knows where it was set.
#[derive(Clone, Debug, Default)]
pub(super) struct Layer(Map<String, Value>);

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, ConfigError> {
        Ok(self.0.clone())
    }
}

impl Layer {
    pub(super) fn new(tables: Map<String, Value>) -> Self {
        Self(tables)
    }

    /// The embedded file.
    pub(super) fn defaults() -> Self {
        Self::toml(DEFAULTS).expect("the tests read config/default.toml")
    }

    /// A settings file; `None` if there is none.
    pub(super) fn file(path: &Path) -> Result<Option<Self>, SettingsError> {
        let unreadable = |reason: String| SettingsError::Unreadable { path: path.to_owned(), reason };
        if !path.try_exists().map_err(|error| unreadable(error.to_string()))? {
            return Ok(None);
        }
        let text = std::fs::read_to_string(path).map_err(|error| unreadable(error.to_string()))?;
        let layer = Self::toml(&text).map_err(unreadable)?;
        Ok(Some(Self(originate(layer.0, &path.display().to_string()))))
    }

    /// The text of a settings file. The error names the line but does not quote it: there may be a key in it.
    pub(super) fn toml(text: &str) -> Result<Self, String> {
        toml::from_str(text).map(Self).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start.min(text.len()));
            let line = 1 + text.as_bytes()[..start].iter().filter(|byte| **byte == b'\n').count();
            format!("line {line}: {}", error.message())
        })
    }

    /// One layer for each variable that is a setting.
    pub(super) fn environment(variables: impl IntoIterator<Item = (OsString, OsString)>) -> impl Iterator<Item = Self> {
        variables.into_iter().filter_map(|(name, value)| {
            let name = name.into_string().ok()?;
            let key = name.strip_prefix(VARIABLE_PREFIX)?.to_lowercase().replace("__", ".");
            Some(Self::single(&key, value.to_string_lossy().into_owned(), &format!("the environment variable {name}")))
        })
    }

    /// One layer for each flag.
    pub(super) fn flags(flags: &[(String, String)]) -> impl Iterator<Item = Self> {
        flags.iter().map(|(key, value)| Self::single(key, value.clone(), "a command-line flag"))
    }

    fn single(key: &str, value: String, origin: &str) -> Self {
        // The third part may itself hold dots: it is an alias.
        let mut parts = key.splitn(3, '.').collect::<Vec<_>>().into_iter().rev();
        let origin = origin.to_owned();
        let leaf = |name: &str, value: Value| Map::from_iter([(name.to_owned(), value)]);
        let innermost = leaf(parts.next().unwrap_or_default(), Value::new(Some(&origin), ValueKind::String(value)));
        Self(parts.fold(innermost, |table, name| leaf(name, Value::new(Some(&origin), ValueKind::Table(table)))))
    }

    /// Every value by its whole key, in the order of the keys. A table without values stands for itself.
    pub(super) fn values(&self) -> BTreeMap<String, Value> {
        let mut values = BTreeMap::new();
        flatten("", &self.0, &mut values);
        values
    }

    /// Every key, aliases left out.
    pub(super) fn keys(&self) -> Vec<String> {
        self.values().into_keys().filter(|key| !in_open_table(key)).collect()
    }

    /// Refuses a key that is neither in `known` nor an alias.
    pub(super) fn refuse_unknown(&self, known: &[String]) -> Result<(), SettingsError> {
        let is_section = |key: &str| known.iter().any(|name| name.strip_prefix(key).is_some_and(|rest| rest.starts_with('.')));
        let is_known = |key: &String, value: &Value| match &value.kind {
            _ if known.contains(key) || in_open_table(key) => true,
            ValueKind::Table(_) => is_section(key) || key == OPEN_TABLE,
            _ => false,
        };
        match self.values().into_iter().find(|(key, value)| !is_known(key, value)) {
            Some((key, value)) => Err(SettingsError::unknown(&key, value.origin().unwrap_or_default(), known)),
            None => Ok(()),
        }
    }
}

fn in_open_table(key: &str) -> bool {
    key.strip_prefix(OPEN_TABLE).is_some_and(|rest| rest.starts_with('.'))
}

fn flatten(prefix: &str, table: &Map<String, Value>, values: &mut BTreeMap<String, Value>) {
    for (name, value) in table {
        let key = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match &value.kind {
            ValueKind::Table(inner) if !inner.is_empty() => flatten(&key, inner, values),
            _ => {
                values.insert(key, value.clone());
            }
        }
    }
}

/// The same tables, with their origin in every value.
fn originate(table: Map<String, Value>, origin: &str) -> Map<String, Value> {
    let name = origin.to_owned();
    let with_origin = |value: Value| match value.kind {
        ValueKind::Table(inner) => Value::new(Some(&name), ValueKind::Table(originate(inner, origin))),
        kind => Value::new(Some(&name), kind),
    };
    table.into_iter().map(|(key, value)| (key, with_origin(value))).collect()
}
