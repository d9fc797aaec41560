//! What the protocols say, byte for byte where clients depend on it.

mod dialogue;
mod errors;
mod fields;
mod hostile;
mod refused;
mod replies;
mod streams;

use serde_json::Value;
use shammah_protocol::{Request, TurnStart};
use shammah_wire::{Ask, Protocol, WireError};

fn parse(protocol: Protocol, body: &Value) -> Result<Ask, WireError> {
    protocol.parse(body.to_string().as_bytes(), None)
}

fn request(protocol: Protocol, body: &Value) -> Request {
    parse(protocol, body).expect("the body is accepted").request
}

fn start() -> TurnStart {
    TurnStart {
        message: "abc".into(),
        session: "sess_1".into(),
        model: "shammah-demo".into(),
        asked: "claude-sonnet".to_owned(),
        created_at: "2026-11-21T07:08:09Z".parse().expect("this is a time"),
        prompt_tokens: 10,
        cached_tokens: 4,
    }
}
