//! Anthropic's error body (docs.claude.com/en/api/errors).

use serde_json::{Value, json};
use shammah_protocol::RequestId;

use crate::problem::{Class, HttpError, Problem};

/// The error of a request that has no answer.
pub fn error(problem: &Problem, request: &RequestId) -> HttpError {
    problem.respond(status(problem.class), body(problem, request))
}

/// `{"type":"error","error":{"type","message"},"request_id"}`, also the data of the event that ends a broken stream.
pub(super) fn body(problem: &Problem, request: &RequestId) -> Value {
    json!({
        "type": "error",
        "error": {"type": word(problem.class), "message": problem.message},
        "request_id": request,
    })
}

fn status(class: Class) -> u16 {
    match class {
        Class::InvalidRequest => 400,
        Class::Authentication => 401,
        Class::Permission => 403,
        Class::NotFound => 404,
        Class::MethodNotAllowed => 405,
        Class::Conflict => 409,
        Class::TooLarge => 413,
        Class::RateLimited => 429,
        Class::Internal => 500,
        Class::Timeout => 504,
        Class::Overloaded => 529,
    }
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
