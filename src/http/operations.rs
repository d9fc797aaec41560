//! The routes for those who run the server. They take no permit and ask no actor, so they answer whatever is stuck.

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Json, Response};
use shammah_protocol::status::{Health, HealthReport, StatusReport};

/// What `GET /` says, and how another shammah recognises this one.
pub(crate) const GREETING: &str = "shammah is running\n";

pub(super) async fn greeting() -> &'static str {
    GREETING
}

pub(super) async fn status(State(shared): super::State) -> Json<StatusReport> {
    Json(shared.handles.status())
}

pub(super) async fn health(State(shared): super::State) -> (StatusCode, Json<HealthReport>) {
    let report = shared.handles.health();
    let status = if report.status == Health::Failed { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(report))
}

pub(super) async fn livez() -> &'static str {
    "ok\n"
}

pub(super) async fn readyz(State(shared): super::State) -> Response {
    if shared.handles.is_ready() { "ready\n".into_response() } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n").into_response() }
}

pub(super) async fn metrics(State(shared): super::State) -> Response {
    ([(CONTENT_TYPE, "application/openmetrics-text; version=1.0.0; charset=utf-8")], shared.handles.metrics()).into_response()
}
