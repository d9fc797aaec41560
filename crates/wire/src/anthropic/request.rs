//! The body of `POST /v1/messages`. Fields that are not named here are accepted and ignored.

use std::num::NonZeroUsize;

use serde::Deserialize;
use serde_json::{Map, Value};
use shammah_protocol::{Conversation, Message, Request, Role, SamplingOverrides, SessionId, ToolSpec};

use super::message::{self, Block, MessageParam};
use crate::ask::{self, Ask, Delivery};
use crate::body;
use crate::content::Content;
use crate::error::WireError;

#[derive(Debug, Deserialize)]
struct MessagesBody {
    model: Option<String>,
    messages: Vec<MessageParam>,
    system: Option<Content<Block>>,
    tools: Option<Vec<ToolParam>>,
    tool_choice: Option<ToolChoice>,
    max_tokens: Option<NonZeroUsize>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i64>,
    stop_sequences: Option<Vec<String>>,
    stream: Option<bool>,
    session_id: Option<String>,
}

#[derive(Debug, Deserialize)]
struct ToolParam {
    #[serde(rename = "type")]
    kind: Option<String>,
    name: Option<String>,
    description: Option<String>,
    input_schema: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct ToolChoice {
    #[serde(rename = "type")]
    kind: String,
}

/// Reads a body. `label` is the session that a header named.
///
/// # Errors
/// [`WireError`] if it is not a request of this protocol, or holds what is not supported (images, documents).
pub fn parse(bytes: &[u8], label: Option<SessionId>) -> Result<Ask, WireError> {
    let body: MessagesBody = body::read(bytes)?;
    let session = ask::session(body.session_id.as_deref(), label)?;
    let wants_tools = body.tool_choice.is_none_or(|choice| choice.kind != "none");
    let tools = if wants_tools { tools(body.tools.unwrap_or_default())? } else { Vec::new() };
    let request = Request {
        model: ask::model(body.model),
        session,
        conversation: Conversation { messages: messages(body.system, body.messages)?, tools },
        max_tokens: body.max_tokens.map(NonZeroUsize::get),
        sampling: ask::sampling(SamplingOverrides {
            temperature: body.temperature,
            top_p: body.top_p,
            top_k: ask::top_k(body.top_k)?,
            ..SamplingOverrides::default()
        })?,
        stop: ask::stop("stop_sequences", body.stop_sequences.unwrap_or_default())?,
    };
    let delivery = if body.stream == Some(true) { Delivery::Stream } else { Delivery::Whole };
    Ok(Ask { request, delivery })
}

fn messages(system: Option<Content<Block>>, params: Vec<MessageParam>) -> Result<Vec<Message>, WireError> {
    let mut said = Vec::new();
    for (index, param) in params.into_iter().enumerate() {
        param.append_to(&mut said, &format!("messages[{index}]"))?;
    }
    if said.is_empty() {
        return Err(WireError::invalid("messages", "must hold at least one message"));
    }
    let system = match system {
        Some(Content::Parts(mut blocks)) => {
            blocks.retain(|block| !block.is_billing_note());
            message::text(Content::Parts(blocks), "system")?
        }
        Some(Content::Text(text)) => text,
        None => String::new(),
    };
    let system = (!system.is_empty()).then(|| Message::text(Role::System, system));
    Ok(system.into_iter().chain(said).collect())
}

/// The client's own tools. Those that Anthropic's servers would run carry another type and are left out.
fn tools(params: Vec<ToolParam>) -> Result<Vec<ToolSpec>, WireError> {
    let own = |param: &ToolParam| param.kind.as_deref().is_none_or(|kind| kind == "custom");
    let read = |(index, param): (usize, ToolParam)| {
        let missing = |field| WireError::invalid(format!("tools[{index}].{field}"), "is missing");
        Ok(ToolSpec {
            name: param.name.ok_or_else(|| missing("name"))?,
            description: param.description.unwrap_or_default(),
            parameters: Value::Object(param.input_schema.ok_or_else(|| missing("input_schema"))?),
        })
    };
    params.into_iter().enumerate().filter(|(_, param)| own(param)).map(read).collect()
}
