//! The front door's HTTP: routes, and what every response has in common.

mod answers;
mod auth;
mod connection;
#[cfg(debug_assertions)]
mod crash;
mod failure;
mod models;
mod operations;
mod query;
mod sessions;
mod sse;
mod stall;

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use jiff::Timestamp;
use shammah_actors::Handles;
use shammah_protocol::RequestId;

pub use connection::Http;
pub(crate) use operations::GREETING;

use crate::settings::Settings;
use auth::Keys;

/// What handlers share.
#[derive(Debug)]
struct Shared {
    handles: Handles,
    keys: Keys,
    body_limit: usize,
    body_timeout: Duration,
    ping_interval: Duration,
    since: Timestamp,
}

type State = axum::extract::State<Arc<Shared>>;

const REQUEST_ID: HeaderName = HeaderName::from_static("request-id");
const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// All routes.
fn routes(settings: &Settings, handles: Handles) -> Router {
    let shared = Arc::new(Shared {
        handles,
        keys: Keys::new(&settings.server),
        body_limit: usize::try_from(settings.server.body_limit.0).unwrap_or(usize::MAX),
        body_timeout: settings.server.body_timeout,
        ping_interval: settings.server.ping_interval,
        since: Timestamp::now(),
    });
    let keyed = Router::new()
        .route("/v1/messages", post(answers::messages))
        .route("/v1/messages/stream", post(answers::messages_stream))
        .route("/v1/chat/completions", post(answers::chat_completions))
        .route("/v1/models", get(models::list))
        .route("/v1/models/{*id}", get(models::one))
        .route("/v1/session/{id}", get(sessions::view).delete(sessions::delete))
        .route("/v1/status", get(operations::status))
        .route("/metrics", get(operations::metrics));
    #[cfg(debug_assertions)]
    let keyed = keyed.route("/debug/kill/{*actor}", post(crash::kill));
    keyed
        .route_layer(middleware::from_fn_with_state(Arc::clone(&shared), auth::check))
        .route("/", get(operations::greeting))
        .route("/health", get(operations::health))
        .route("/livez", get(operations::livez))
        .route("/readyz", get(operations::readyz))
        .fallback(failure::no_route)
        .method_not_allowed_fallback(failure::no_method)
        .layer(middleware::from_fn(identify))
        .with_state(shared)
}

/// Gives each request an id, which the response names under both protocols' headers.
async fn identify(mut request: Request, next: Next) -> Response {
    let id = RequestId::random();
    let value = HeaderValue::from_str(id.as_str()).expect("generated ids are letters and digits");
    request.extensions_mut().insert(id);
    let mut response = next.run(request).await;
    response.headers_mut().insert(REQUEST_ID, value.clone());
    response.headers_mut().insert(X_REQUEST_ID, value);
    response
}
