//! The messages of a request, and what they become.

use serde::Deserialize;
use serde_json::{Map, Value};
use shammah_protocol::{Message, Role, ToolCall};

use crate::content::{self, Content};
use crate::error::WireError;

#[derive(Debug, Deserialize)]
pub(super) struct MessageParam {
    role: Speaker,
    content: Content<Block>,
}

#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Speaker {
    User,
    Assistant,
    System,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub(super) enum Block {
    Text { text: String },
    ToolUse { id: String, name: String, input: Map<String, Value> },
    ToolResult { tool_use_id: String, content: Option<Content<Block>> },
    Thinking {},
    RedactedThinking {},
    ToolReference {},
    Image {},
    Document {},
}

impl MessageParam {
    /// Appends what this message becomes; `at` is its path. System messages stay in place. Each tool result becomes a message
    /// of its own, and a message that says nothing (a system message with directives only) becomes none.
    pub(super) fn append_to(self, messages: &mut Vec<Message>, at: &str) -> Result<(), WireError> {
        let role = match self.role {
            Speaker::User => Role::User,
            Speaker::Assistant => Role::Assistant,
            Speaker::System => Role::System,
        };
        let blocks = match self.content {
            Content::Text(text) => {
                messages.push(Message::text(role, text));
                return Ok(());
            }
            Content::Parts(blocks) => blocks,
        };
        let (mut texts, mut tool_calls) = (Vec::new(), Vec::new());
        for (index, block) in blocks.into_iter().enumerate() {
            let at = format!("{at}.content[{index}]");
            match block {
                Block::ToolUse { id, name, input } if role == Role::Assistant => {
                    tool_calls.push(ToolCall { id, name, arguments: Value::Object(input) });
                }
                Block::ToolResult { tool_use_id, content } if role == Role::User => {
                    if !texts.is_empty() {
                        messages.push(Message::text(role, content::join(&std::mem::take(&mut texts))));
                    }
                    let text = content.map_or(Ok(String::new()), |content| text(content, &format!("{at}.content")))?;
                    messages.push(Message { tool_call_id: Some(tool_use_id), ..Message::text(Role::Tool, text) });
                }
                block => texts.extend(block.text(&at)?),
            }
        }
        if !texts.is_empty() || !tool_calls.is_empty() {
            messages.push(Message { tool_calls, ..Message::text(role, content::join(&texts)) });
        }
        Ok(())
    }
}

/// The text of content that can hold only text; `at` is its path.
pub(super) fn text(content: Content<Block>, at: &str) -> Result<String, WireError> {
    match content {
        Content::Text(text) => Ok(text),
        Content::Parts(blocks) => {
            let texts = blocks.into_iter().enumerate().filter_map(|(index, block)| block.text(&format!("{at}[{index}]")).transpose());
            Ok(content::join(&texts.collect::<Result<Vec<_>, _>>()?))
        }
    }
}

impl Block {
    /// The text of a block; `None` if it adds none.
    fn text(self, at: &str) -> Result<Option<String>, WireError> {
        match self {
            Self::Text { text } => Ok(Some(text)),
            Self::Thinking {} | Self::RedactedThinking {} | Self::ToolReference {} => Ok(None),
            Self::Image {} => Err(WireError::not_supported(at, "images are not supported")),
            Self::Document {} => Err(WireError::not_supported(at, "documents are not supported")),
            Self::ToolUse { .. } => Err(WireError::invalid(at, "only an assistant's message can hold `tool_use`")),
            Self::ToolResult { .. } => Err(WireError::invalid(at, "only a user's message can hold `tool_result`")),
        }
    }

    /// Whether this is a note of the client to its maker, different in each request: it would spoil the prefix cache.
    pub(super) fn is_billing_note(&self) -> bool {
        matches!(self, Self::Text { text } if text.starts_with("x-anthropic-"))
    }
}
