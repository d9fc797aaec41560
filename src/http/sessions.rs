//! `/v1/session/{id}`.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Json, Response};
use serde::Deserialize;
use shammah_actors::CallError;
use shammah_protocol::{OwnerId, RequestId, SessionId, TurnError};
use shammah_wire::{Class, Problem, Protocol, SessionView};

use super::failure;

#[derive(Debug, Default, Deserialize)]
pub(super) struct Show {
    /// With the transcript.
    #[serde(default)]
    messages: bool,
}

pub(super) async fn view(
    State(shared): super::State,
    Extension(request): Extension<RequestId>,
    Extension(owner): Extension<OwnerId>,
    Path(id): Path<String>,
    show: Result<Query<Show>, QueryRejection>,
) -> Response {
    let messages = match show {
        Ok(Query(show)) => show.messages,
        Err(rejection) => return failure::respond(Protocol::OpenAiChat, &unreadable(&rejection), &request),
    };
    let id = SessionId::from(id);
    match shared.handles.session(owner, id.clone()).await {
        Ok(Some(session)) => {
            let view = match messages {
                true => SessionView::with_messages(session.head, session.messages),
                false => SessionView::new(session.head, session.messages.len()),
            };
            Json(view).into_response()
        }
        Ok(None) => not_found(id, &request),
        Err(error) => lost(error, &request),
    }
}

pub(super) async fn delete(
    State(shared): super::State,
    Extension(request): Extension<RequestId>,
    Extension(owner): Extension<OwnerId>,
    Path(id): Path<String>,
) -> Response {
    let id = SessionId::from(id);
    match shared.handles.delete_session(owner, id.clone()).await {
        Ok(true) => StatusCode::NO_CONTENT.into_response(),
        Ok(false) => not_found(id, &request),
        Err(error) => lost(error, &request),
    }
}

fn unreadable(rejection: &QueryRejection) -> Problem {
    Problem::new(Class::InvalidRequest, "invalid_value", rejection.body_text()).with_param("messages")
}

fn not_found(id: SessionId, request: &RequestId) -> Response {
    failure::respond(Protocol::OpenAiChat, &Problem::from(&TurnError::SessionNotFound(id)), request)
}

fn lost(error: CallError, request: &RequestId) -> Response {
    failure::respond(Protocol::OpenAiChat, &Problem::from(&TurnError::Internal(error.to_string())), request)
}
