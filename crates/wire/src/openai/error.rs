//! OpenAI's error body.

use serde_json::{Value, json};

use crate::problem::{Class, HttpError, Problem};

/// The status of a server that is full.
const OVERLOADED: u16 = 503;

/// The error of a request that has no answer.
pub fn error(problem: &Problem) -> HttpError {
    problem.respond(problem.class.status(OVERLOADED), body(problem))
}

/// `{"error":{"message","type","param","code"}}`, also the data that ends a broken stream. `code` is a string always.
pub(super) fn body(problem: &Problem) -> Value {
    json!({
        "error": {
            "message": problem.message,
            "type": word(problem.class),
            "param": problem.param,
            "code": problem.code,
        },
    })
}

fn word(class: Class) -> &'static str {
    match class {
        Class::InvalidRequest | Class::NotFound | Class::MethodNotAllowed | Class::Conflict | Class::TooLarge => "invalid_request_error",
        Class::Authentication => "authentication_error",
        Class::Permission => "permission_error",
        Class::RateLimited => "rate_limit_error",
        Class::Internal | Class::Overloaded | Class::Timeout => "server_error",
    }
}
