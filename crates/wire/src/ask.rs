//! What a body asks for, and the checks that both protocols share.

use shammah_protocol::{Request, SamplingOverrides, SessionChoice, SessionId};

use crate::error::WireError;

/// The most stop strings in one request.
const MAX_STOPS: usize = 16;

/// A request, and how its answer is to be sent.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    pub request: Request,
    pub delivery: Delivery,
}

/// How an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// One JSON body.
    Whole,
    /// Server-sent events.
    Stream,
    /// Server-sent events, with OpenAI's extra chunk for the token counts.
    StreamWithUsage,
}

/// The session that a request belongs to: the body's id goes before the header's.
pub(crate) fn session(in_body: Option<&str>, label: Option<SessionId>) -> Result<SessionChoice, WireError> {
    match (in_body, label) {
        (Some(text), _) => SessionId::chosen(text)
            .map(SessionChoice::Record)
            .ok_or_else(|| WireError::invalid("session_id", format!("must have 1 to {} printable characters", SessionId::MAX_LENGTH))),
        (None, Some(label)) => Ok(SessionChoice::Label(label)),
        (None, None) => Ok(SessionChoice::Fresh),
    }
}

/// The name of a model, where an empty one says as little as none.
pub(crate) fn model(name: Option<String>) -> Option<String> {
    name.filter(|name| !name.is_empty())
}

/// Checks the stop strings of the field `param`.
pub(crate) fn stop(param: &str, strings: Vec<String>) -> Result<Vec<String>, WireError> {
    if strings.len() > MAX_STOPS {
        return Err(WireError::invalid(param, format!("has {} strings, at most {MAX_STOPS} are possible", strings.len())));
    }
    if strings.iter().any(String::is_empty) {
        return Err(WireError::invalid(param, "holds an empty string"));
    }
    Ok(strings)
}

/// Reads `top_k`, where -1 keeps all tokens as 0 does (vLLM).
pub(crate) fn top_k(value: Option<i64>) -> Result<Option<u32>, WireError> {
    match value {
        None => Ok(None),
        Some(-1) => Ok(Some(0)),
        Some(k) => u32::try_from(k).map(Some).map_err(|_| WireError::invalid("top_k", format!("must be -1 or more, not {k}"))),
    }
}

/// Checks the ranges of the sampling parameters.
pub(crate) fn sampling(overrides: SamplingOverrides) -> Result<SamplingOverrides, WireError> {
    overrides.check().map_err(|words| {
        let (param, reason) = words.split_once(' ').unwrap_or(("body", &words));
        WireError::invalid(param, reason)
    })?;
    Ok(overrides)
}
