//! An answer as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use async_stream::stream;
use axum::body::{Body, Bytes};
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use shammah_actors::Answer;
use shammah_protocol::{TurnError, TurnEvent};
use shammah_wire::{Frame, StreamWriter};
use tokio::time::timeout;

use super::query::Query;

/// The whole stream: its beginning at once, each event as it comes, a ping where nothing comes, and exactly one end.
pub(super) fn response(mut writer: Box<dyn StreamWriter>, mut answer: Answer, ping: Duration, mut query: Query) -> Response {
    let stream = stream! {
        yield Ok::<_, Infallible>(bytes(&writer.start()));
        loop {
            let Ok(event) = timeout(ping, answer.next()).await else {
                yield Ok(Bytes::from_static(writer.ping().as_bytes()));
                continue;
            };
            let event = event.unwrap_or_else(|| TurnEvent::Failed(TurnError::Internal("the turn has no end".to_owned())));
            let status = match &event {
                TurnEvent::Text(_) => None,
                TurnEvent::Finished { .. } => Some("ok"),
                TurnEvent::Failed(error) => Some(error.kind()),
            };
            // Counted first: after the last event nobody may poll again.
            if let Some(status) = status {
                query.end(status);
            }
            yield Ok(bytes(&writer.event(&event)));
            if status.is_some() {
                return;
            }
        }
    };
    let headers = [(CONTENT_TYPE.as_str(), "text/event-stream"), (CACHE_CONTROL.as_str(), "no-cache"), ("x-accel-buffering", "no")];
    (headers, Body::from_stream(stream)).into_response()
}

fn bytes(frames: &[Frame]) -> Bytes {
    frames.iter().map(ToString::to_string).collect::<String>().into()
}
