//! `GET /v1/session/{id}` and `GET /v1/sessions`.

use jiff::Timestamp;
use serde::Serialize;
use shammah_protocol::{Message, ModelId, SessionHead, SessionId};

/// A session as a client sees it; times are RFC 3339. Its owner stays inside.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct SessionView {
    pub id: SessionId,
    pub created_at: Timestamp,
    pub last_activity: Timestamp,
    pub message_count: usize,
    /// Who answered last.
    pub model: Option<ModelId>,
    /// Only when asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Vec<Message>>,
}

impl SessionView {
    /// The view without the messages themselves.
    pub fn new(head: SessionHead, message_count: usize) -> Self {
        let SessionHead { id, created_at, last_activity, model, .. } = head;
        Self { id, created_at, last_activity, message_count, model, messages: None }
    }

    /// The view with everything that was said.
    pub fn with_messages(head: SessionHead, messages: Vec<Message>) -> Self {
        let count = messages.len();
        Self { messages: Some(messages), ..Self::new(head, count) }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use shammah_protocol::{OwnerId, Role};

    use super::*;

    #[test]
    fn messages_are_shown_only_when_asked_for() {
        let time: Timestamp = "2026-11-21T07:08:09Z".parse().unwrap();
        let head = SessionHead {
            id: SessionId::from("s"),
            owner: OwnerId::local(),
            created_at: time,
            last_activity: time,
            model: None,
            implicit: false,
        };
        let short = json!({"id": "s", "created_at": "2026-11-21T07:08:09Z", "last_activity": "2026-11-21T07:08:09Z",
            "message_count": 1, "model": null});
        assert_eq!(serde_json::to_value(SessionView::new(head.clone(), 1)).unwrap(), short);
        let long = serde_json::to_value(SessionView::with_messages(head, vec![Message::text(Role::User, "Hi")])).unwrap();
        assert_eq!(long["messages"], json!([{"role": "user", "content": "Hi"}]));
        assert_eq!(long["message_count"], 1);
    }
}
