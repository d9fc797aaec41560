//! Anthropic's error body (docs.claude.com/en/api/errors).

use serde_json::{Value, json};
use shammah_protocol::RequestId;

use crate::problem::{Class, HttpError, Problem};

/// Anthropic's own status for a server that is full.
const OVERLOADED: u16 = 529;

/// The error of a request that has no answer.
pub fn error(problem: &Problem, request: &RequestId) -> HttpError {
    problem.respond(problem.class.status(OVERLOADED), body(problem, request))
}

/// `{"type":"error","error":{"type","message"},"request_id"}`, also the data of the event that ends a broken stream.
pub(super) fn body(problem: &Problem, request: &RequestId) -> Value {
    json!({
        "type": "error",
        "error": {"type": word(problem.class), "message": problem.message},
        "request_id": request,
    })
}

fn word(class: Class) -> &'static str {
    match class {
        Class::InvalidRequest | Class::MethodNotAllowed | Class::Conflict => "invalid_request_error",
        Class::Authentication => "authentication_error",
        Class::Permission => "permission_error",
        Class::NotFound => "not_found_error",
        Class::TooLarge => "request_too_large",
        Class::RateLimited => "rate_limit_error",
        Class::Internal => "api_error",
        Class::Timeout => "timeout_error",
        Class::Overloaded => "overloaded_error",
    }
}
