//! Bytes of a request into its type.

use serde::de::DeserializeOwned;
use serde_json::error::Category;

use crate::error::WireError;

/// Reads a body that must be one JSON object of type `T`.
pub(crate) fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, WireError> {
    // Derived readers take an array for the fields in their order.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(WireError::invalid("body", "must be a JSON object"));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| match error.inner().classify() {
        Category::Data => {
            let path = error.path().to_string();
            // serde says "variant" of what the client knows as a value.
            let reason = error.inner().to_string().replacen("unknown variant", "unknown value", 1);
            WireError::invalid(if path == "." { "body".to_owned() } else { path }, reason)
        }
        Category::Syntax | Category::Eof | Category::Io => WireError::NotJson(error.inner().to_string()),
    })?;
    json.end().map_err(|error| WireError::NotJson(error.to_string()))?;
    Ok(value)
}
