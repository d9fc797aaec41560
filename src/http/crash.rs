//! Crashes on request, in builds with debug assertions only: the means of the crash tests and of `examples/crash.sh`.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use shammah_protocol::RequestId;
use shammah_protocol::fault::Fault;
use shammah_wire::{Class, Problem};

/// Kills the actor at a path of the tree.
pub(super) async fn kill(State(shared): super::State, Extension(request): Extension<RequestId>, Path(actor): Path<String>) -> StatusCode {
    tracing::warn!(%request, actor, "an actor is killed on request");
    if shared.handles.kill(&actor) { StatusCode::NO_CONTENT } else { StatusCode::NOT_FOUND }
}

/// The crash that a header asks for: `x-shammah-fault: panic@12`.
pub(super) fn fault_of(headers: &HeaderMap) -> Result<Option<Fault>, Problem> {
    let Some(value) = headers.get("x-shammah-fault") else { return Ok(None) };
    let fault = value.to_str().map_err(|error| error.to_string()).and_then(str::parse);
    fault.map(Some).map_err(|reason| Problem::new(Class::InvalidRequest, "invalid_value", reason).with_param("x-shammah-fault"))
}
