//! `GET /v1/models`: one body that serves the SDKs of both protocols.

use jiff::Timestamp;
use serde_json::{Value, json};
use shammah_protocol::ModelCard;

/// One model, under its own id or an alias. `since` is when it became available.
pub fn model(id: &str, card: &ModelCard, since: Timestamp) -> Value {
    let base = card.id.as_str();
    json!({
        "id": id,
        "object": "model",
        "created": since.as_second(),
        "owned_by": "shammah",
        "root": base,
        "parent": (id != base).then_some(base),
        "max_model_len": card.context_window,
        "type": "model",
        "display_name": id,
        "created_at": whole_seconds(since),
        "max_input_tokens": card.context_window,
        "max_tokens": card.context_window,
        "status": "loaded",
    })
}

/// The list of them.
pub fn list(models: &[Value]) -> Value {
    let id = |model: Option<&Value>| model.map_or(Value::Null, |model| model["id"].clone());
    json!({
        "object": "list",
        "data": models,
        "has_more": false,
        "first_id": id(models.first()),
        "last_id": id(models.last()),
    })
}

/// Anthropic's dates have no fraction.
fn whole_seconds(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use shammah_protocol::{ModelId, Sampling};

    use super::*;

    #[test]
    fn one_card_serves_both_sdks() {
        let card = ModelCard {
            id: ModelId::from("shammah-demo"),
            architecture: "qwen2".to_owned(),
            parameters: 1,
            quantization: "Q8_0".to_owned(),
            context_window: 2048,
            demo: true,
            sampling: Sampling::greedy(),
        };
        let since: Timestamp = "2026-11-21T07:08:09.5Z".parse().unwrap();
        let (own, alias) = (model("shammah-demo", &card, since), model("claude-shammah", &card, since));
        assert_eq!(
            alias,
            json!({"id": "claude-shammah", "object": "model", "created": 1_795_244_889, "owned_by": "shammah", "root": "shammah-demo",
                "parent": "shammah-demo", "max_model_len": 2048, "type": "model", "display_name": "claude-shammah",
                "created_at": "2026-11-21T07:08:09Z", "max_input_tokens": 2048, "max_tokens": 2048, "status": "loaded"})
        );
        assert_eq!(own["parent"], Value::Null);
        let both = list(&[own.clone(), alias]);
        assert_eq!((&both["first_id"], &both["last_id"], &both["data"][0]), (&json!("shammah-demo"), &json!("claude-shammah"), &own));
        assert_eq!(list(&[])["first_id"], Value::Null);
    }
}
