//! The messages of a request, and what they become.

use serde::Deserialize;
use serde_json::{Map, Value};
use shammah_protocol::{Message, Role, ToolCall};

use crate::content::{self, Content};
use crate::error::WireError;

#[derive(Debug, Deserialize)]
pub(super) struct MessageParam {
    role: Speaker,
    content: Option<Content<Part>>,
    tool_calls: Option<Vec<CallParam>>,
    tool_call_id: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    System,
    Developer,
    User,
    Assistant,
    Tool,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Part {
    Text { text: String },
    Refusal { refusal: String },
    ImageUrl {},
    InputAudio {},
    File {},
}

#[derive(Debug, Deserialize)]
struct CallParam {
    id: String,
    function: CalledFunction,
}

#[derive(Debug, Deserialize)]
struct CalledFunction {
    name: String,
    arguments: String,
}

impl MessageParam {
    /// What this message becomes; `at` is its path.
    pub(super) fn into_message(self, at: &str) -> Result<Message, WireError> {
        let role = match self.role {
            Speaker::System | Speaker::Developer => Role::System,
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::Tool => Role::Tool,
        };
        let content = match self.content {
            Some(content) => text(content, at)?,
            None if role == Role::Assistant => String::new(),
            None => return Err(WireError::invalid(format!("{at}.content"), "is missing")),
        };
        let calls = self.tool_calls.unwrap_or_default();
        if !calls.is_empty() && role != Role::Assistant {
            return Err(WireError::invalid(format!("{at}.tool_calls"), "only an assistant's message can hold tool calls"));
        }
        let calls = calls.into_iter().enumerate().map(|(index, call)| call.into_call(&format!("{at}.tool_calls[{index}]")));
        let tool_calls = calls.collect::<Result<_, _>>()?;
        if role == Role::Tool && self.tool_call_id.is_none() {
            return Err(WireError::invalid(format!("{at}.tool_call_id"), "is missing"));
        }
        Ok(Message { role, content, tool_calls, tool_call_id: self.tool_call_id.filter(|_| role == Role::Tool) })
    }
}

impl CallParam {
    fn into_call(self, at: &str) -> Result<ToolCall, WireError> {
        let CalledFunction { name, arguments } = self.function;
        // A call without arguments is sent as an empty string by some clients.
        let object = if arguments.is_empty() { Ok(Map::new()) } else { serde_json::from_str::<Map<String, Value>>(&arguments) };
        let object = object.map_err(|error| {
            WireError::invalid(format!("{at}.function.arguments"), format!("is not a JSON object in a string: {error}"))
        })?;
        Ok(ToolCall { id: self.id, name, arguments: Value::Object(object) })
    }
}

fn text(content: Content<Part>, at: &str) -> Result<String, WireError> {
    let parts = match content {
        Content::Text(text) => return Ok(text),
        Content::Parts(parts) => parts,
    };
    let texts = parts.into_iter().enumerate().map(|(index, part)| {
        let refuse = |what| Err(WireError::not_supported(format!("{at}.content[{index}]"), format!("{what} is not supported")));
        match part {
            Part::Text { text } => Ok(text),
            Part::Refusal { refusal } => Ok(refusal),
            Part::ImageUrl {} => refuse("image input"),
            Part::InputAudio {} => refuse("audio input"),
            Part::File {} => refuse("file input"),
        }
    });
    Ok(content::join(&texts.collect::<Result<Vec<_>, _>>()?))
}
