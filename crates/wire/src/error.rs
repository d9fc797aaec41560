//! Why a body is refused.

use thiserror::Error;

/// A body that cannot become a request. Always the client's fault: 400.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    #[error("the body is not valid JSON: {0}")]
    NotJson(String),
    /// A value of the wrong type or out of its range; `param` is its path, `messages[0].role`.
    #[error("{param}: {reason}")]
    Invalid { param: String, reason: String },
    /// Well formed, but it asks for what shammah cannot do. Refused rather than ignored.
    #[error("{param}: {reason}")]
    NotSupported { param: String, reason: String },
}

impl WireError {
    pub(crate) fn invalid(param: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Invalid { param: param.into(), reason: reason.into() }
    }

    pub(crate) fn not_supported(param: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::NotSupported { param: param.into(), reason: reason.into() }
    }

    /// A stable word for metrics, logs and JSON.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NotJson(_) => "invalid_json",
            Self::Invalid { .. } => "invalid_value",
            Self::NotSupported { .. } => "unsupported_value",
        }
    }

    /// The path of the field at fault.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::NotJson(_) => None,
            Self::Invalid { param, .. } | Self::NotSupported { param, .. } => Some(param),
        }
    }
}
