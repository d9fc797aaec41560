//! Errors as responses.

use axum::Extension;
use axum::body::Body;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use shammah_protocol::RequestId;
use shammah_wire::{Class, HttpError, Problem, Protocol};

/// A problem, told in the words of a protocol.
pub(super) fn respond(protocol: Protocol, problem: &Problem, request: &RequestId) -> Response {
    tracing::info!(%request, code = problem.code, message = problem.message, "request refused");
    let HttpError { status, headers, body } = protocol.error(problem, request);
    let mut response = Response::builder().status(status).header(CONTENT_TYPE, "application/json");
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(Body::from(body.to_string())).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

pub(super) async fn no_route(Extension(request): Extension<RequestId>, uri: Uri) -> Response {
    let problem = Problem::new(Class::NotFound, "not_found", format!("there is nothing at {}", uri.path()));
    respond(Protocol::of_path(uri.path()), &problem, &request)
}

pub(super) async fn no_method(Extension(request): Extension<RequestId>, method: Method, uri: Uri) -> Response {
    let message = format!("{} does not take {method}", uri.path());
    respond(Protocol::of_path(uri.path()), &Problem::new(Class::MethodNotAllowed, "method_not_allowed", message), &request)
}
