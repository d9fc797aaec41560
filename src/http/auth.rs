//! Who asks: API keys, where they are required.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::middleware::Next;
use axum::response::Response;
use sha2::{Digest, Sha256};
use shammah_protocol::{OwnerId, RequestId};
use shammah_wire::{Class, Problem, Protocol};
use subtle::{Choice, ConstantTimeEq};

use super::{Shared, failure};
use crate::settings::Server;

type Hash = [u8; 32];

/// The keys that are accepted, as hashes. Without any, everybody is the one local owner.
#[derive(Debug)]
pub(super) struct Keys(Option<Vec<Hash>>);

impl Keys {
    pub(super) fn new(server: &Server) -> Self {
        Self(server.auth_enabled.then(|| server.api_keys.iter().map(|key| hash(key.expose())).collect()))
    }

    /// Whose key it is; `None` if nobody's.
    fn owner(&self, key: Option<&str>) -> Option<OwnerId> {
        let Some(hashes) = &self.0 else { return Some(OwnerId::local()) };
        let given = hash(key?);
        // Every hash is compared, so that the time tells nothing.
        let known = hashes.iter().fold(Choice::from(0), |known, hash| known | hash.ct_eq(&given));
        bool::from(known).then(|| OwnerId::from(format!("key_{}", hex(&given[..8]))))
    }
}

/// Lets a request through with its owner, or answers 401.
pub(super) async fn check(
    State(shared): State<Arc<Shared>>,
    Extension(id): Extension<RequestId>,
    mut request: Request,
    next: Next,
) -> Response {
    match shared.keys.owner(key_of(request.headers())) {
        Some(owner) => {
            request.extensions_mut().insert(owner);
            next.run(request).await
        }
        None => {
            let message = "a valid API key is required, as `Authorization: Bearer KEY` or `x-api-key: KEY`";
            let problem = Problem::new(Class::Authentication, "invalid_api_key", message);
            failure::respond(Protocol::of_path(request.uri().path()), &problem, &id)
        }
    }
}

fn key_of(headers: &HeaderMap) -> Option<&str> {
    let bearer = headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(|value| value.strip_prefix("Bearer "));
    bearer.or_else(|| headers.get("x-api-key").and_then(|value| value.to_str().ok())).map(str::trim)
}

fn hash(key: &str) -> Hash {
    Sha256::digest(key).into()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
