//! `GET /v1/models`.

use axum::Extension;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Json, Response};
use serde_json::Value;
use shammah_protocol::{RequestId, TurnError};
use shammah_wire::{Problem, Protocol, models};

use super::{Shared, failure};

pub(super) async fn list(State(shared): super::State) -> Json<Value> {
    let cards: Vec<Value> = names(&shared).into_iter().map(|(_, card)| card).collect();
    Json(models::list(&cards))
}

pub(super) async fn one(State(shared): super::State, Extension(request): Extension<RequestId>, Path(id): Path<String>) -> Response {
    match names(&shared).into_iter().find(|(name, _)| *name == id) {
        Some((_, card)) => Json(card).into_response(),
        None => failure::respond(Protocol::OpenAiChat, &Problem::from(&TurnError::ModelNotFound(id)), &request),
    }
}

/// The models that are loaded and their other names, each with its card.
fn names(shared: &Shared) -> Vec<(String, Value)> {
    let (cards, router) = (shared.handles.cards(), shared.handles.router());
    let own = cards.iter().map(|card| (card.id.to_string(), card));
    let aliases = router.aliases().filter_map(|(name, model)| {
        let card = cards.iter().find(|card| card.id == *model)?;
        Some((name.to_owned(), card))
    });
    own.chain(aliases).map(|(name, card)| (name.clone(), models::model(&name, card, shared.since))).collect()
}
