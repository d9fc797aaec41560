//! The routes that answer with a model.

use std::sync::Arc;

use axum::Extension;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{MatchedPath, Request, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Json, Response};
use http_body_util::LengthLimitError;
use shammah_actors::{Answer, Asker};
use shammah_protocol::{OwnerId, RequestId, SessionId, TurnError, TurnEvent, TurnStart};
use shammah_wire::{Ask, Class, Delivery, Problem, Protocol};
use tokio::time::timeout;

use super::query::Query;
use super::{Shared, failure, sse};

/// Bytes from which a body is read on a thread that may take its time.
const LARGE: usize = 256 * 1024;

pub(super) async fn messages(State(shared): super::State, call: Call, request: Request) -> Response {
    answer(shared, Protocol::Anthropic, None, call, request).await
}

pub(super) async fn messages_stream(State(shared): super::State, call: Call, request: Request) -> Response {
    answer(shared, Protocol::Anthropic, Some(Delivery::Stream), call, request).await
}

pub(super) async fn chat_completions(State(shared): super::State, call: Call, request: Request) -> Response {
    answer(shared, Protocol::OpenAiChat, None, call, request).await
}

/// Who calls which route.
pub(super) type Call = (Extension<RequestId>, Extension<OwnerId>, MatchedPath);

async fn answer(shared: Arc<Shared>, protocol: Protocol, delivery: Option<Delivery>, call: Call, request: Request) -> Response {
    let (Extension(id), Extension(owner), route) = call;
    let mut query = Query::new(Arc::clone(&shared), route.as_str());
    match begin(&shared, protocol, &id, owner, request).await {
        Ok((ask, start, answer)) => {
            query.answered_by(start.model.as_str());
            deliver(&shared, protocol, delivery.unwrap_or(ask.delivery), &id, start, answer, query).await
        }
        Err(problem) => {
            query.end(problem.code);
            failure::respond(protocol, &problem, &id)
        }
    }
}

async fn begin(
    shared: &Shared,
    protocol: Protocol,
    id: &RequestId,
    owner: OwnerId,
    request: Request,
) -> Result<(Ask, TurnStart, Answer), Problem> {
    let permit = shared.handles.turns.admit().map_err(|error| Problem::from(&error))?;
    let (parts, body) = request.into_parts();
    let read = timeout(shared.body_timeout, read(body, shared.body_limit));
    let body = tokio::select! {
        body = read => body.map_err(|_| Problem::new(Class::Timeout, "incomplete_body", "the body did not come in time"))??,
        () = shared.handles.shutdown.aborted() => return Err(Problem::from(&TurnError::ShuttingDown)),
    };
    let ask = parse(protocol, body, label(&parts.headers)?).await?;
    let asker = Asker {
        owner,
        request: id.clone(),
        #[cfg(debug_assertions)]
        fault: super::crash::fault_of(&parts.headers)?,
    };
    let started = shared.handles.turns.start(permit, asker, ask.request.clone()).await;
    let (start, answer) = started.map_err(|error| Problem::from(&error))?;
    Ok((ask, start, answer))
}

async fn deliver(
    shared: &Shared,
    protocol: Protocol,
    delivery: Delivery,
    id: &RequestId,
    start: TurnStart,
    answer: Answer,
    mut query: Query,
) -> Response {
    let headers = [("x-shammah-model", start.model.to_string()), ("x-session-id", header_safe(&start.session))];
    match delivery {
        Delivery::Whole => match whole(answer).await {
            Ok(answer) => {
                query.end("ok");
                (headers, Json(protocol.reply(&start, &answer))).into_response()
            }
            Err(error) => {
                query.end(error.kind());
                failure::respond(protocol, &Problem::from(&error), id)
            }
        },
        Delivery::Stream | Delivery::StreamWithUsage => {
            let writer = protocol.writer(start, delivery, id.clone());
            (headers, sse::response(writer, answer, shared.ping_interval, query)).into_response()
        }
    }
}

async fn whole(mut answer: Answer) -> Result<shammah_wire::Answer, TurnError> {
    let mut text = String::new();
    loop {
        match answer.next().await {
            Some(TurnEvent::Text(more)) => text.push_str(&more),
            Some(TurnEvent::Finished { reason, usage }) => return Ok(shammah_wire::Answer { text, reason, usage }),
            Some(TurnEvent::Failed(error)) => return Err(error),
            None => return Err(TurnError::Internal("the turn has no end".to_owned())),
        }
    }
}

/// Understands a body. A large one takes a while, and not from others.
async fn parse(protocol: Protocol, body: Bytes, label: Option<SessionId>) -> Result<Ask, Problem> {
    let parsed = match body.len() {
        0..LARGE => protocol.parse(&body, label),
        _ => {
            let parsing = tokio::task::spawn_blocking(move || protocol.parse(&body, label)).await;
            parsing.map_err(|_| Problem::from(&TurnError::Internal("reading the body panicked".to_owned())))?
        }
    };
    parsed.map_err(|error| Problem::from(&error))
}

async fn read(body: Body, limit: usize) -> Result<Bytes, Problem> {
    to_bytes(body, limit).await.map_err(|error| {
        let too_long = std::error::Error::source(&error).is_some_and(|source| source.is::<LengthLimitError>());
        match too_long {
            true => Problem::new(Class::TooLarge, "request_too_large", format!("the body is larger than {limit} bytes")),
            false => Problem::new(Class::InvalidRequest, "incomplete_body", "the body could not be read to its end"),
        }
    })
}

/// The session that a header names.
fn label(headers: &HeaderMap) -> Result<Option<SessionId>, Problem> {
    let Some(value) = headers.get("x-session-id").or_else(|| headers.get("x-claude-code-session-id")) else { return Ok(None) };
    let chosen = value.to_str().ok().and_then(SessionId::chosen);
    let problem = || {
        let message = format!("the session in the header must have 1 to {} printable characters", SessionId::MAX_LENGTH);
        Problem::new(Class::InvalidRequest, "invalid_value", message).with_param("x-session-id")
    };
    chosen.map(Some).ok_or_else(problem)
}

/// Session ids may hold any character; a header may not.
fn header_safe(session: &SessionId) -> String {
    session.as_str().chars().map(|character| if character.is_ascii_graphic() || character == ' ' { character } else { '?' }).collect()
}
