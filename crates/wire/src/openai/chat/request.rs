//! The body of `POST /v1/chat/completions`. Fields that are not named here are accepted and ignored.

use std::num::NonZeroUsize;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use shammah_protocol::{Conversation, Message, Request, SamplingOverrides, SessionId, ToolSpec};

use super::message::MessageParam;
use crate::ask::{self, Ask, Delivery};
use crate::body;
use crate::content::Content;
use crate::error::WireError;

#[derive(Debug, Deserialize)]
struct ChatBody {
    model: Option<String>,
    messages: Vec<MessageParam>,
    tools: Option<Vec<ToolParam>>,
    tool_choice: Option<Value>,
    max_tokens: Option<NonZeroUsize>,
    max_completion_tokens: Option<NonZeroUsize>,
    temperature: Option<f32>,
    top_p: Option<f32>,
    top_k: Option<i64>,
    min_p: Option<f32>,
    repetition_penalty: Option<f32>,
    presence_penalty: Option<f32>,
    frequency_penalty: Option<f32>,
    /// Wide enough for a signed and an unsigned number of 64 bits.
    seed: Option<i128>,
    stop: Option<Content<String>>,
    stream: Option<bool>,
    stream_options: Option<StreamOptions>,
    n: Option<NonZeroUsize>,
    response_format: Option<ResponseFormat>,
    logprobs: Option<bool>,
    logit_bias: Option<Map<String, Value>>,
    session_id: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum ToolParam {
    Function {
        function: FunctionParam,
    },
    #[serde(other)]
    Other,
}

#[derive(Debug, Deserialize)]
struct FunctionParam {
    name: String,
    description: Option<String>,
    parameters: Option<Map<String, Value>>,
}

#[derive(Debug, Deserialize)]
struct StreamOptions {
    include_usage: Option<bool>,
}

#[derive(Debug, Deserialize)]
struct ResponseFormat {
    #[serde(rename = "type")]
    kind: String,
}

/// Reads a body. `label` is the session that a header named.
///
/// # Errors
/// [`WireError`] if it is not a request of this protocol, or asks for what is not supported.
pub fn parse(bytes: &[u8], label: Option<SessionId>) -> Result<Ask, WireError> {
    let body: ChatBody = body::read(bytes)?;
    body.refuse_unsupported()?;
    let delivery = body.delivery();
    let session = ask::session(body.session_id.as_deref(), label)?;
    let sampling = ask::sampling(SamplingOverrides {
        temperature: body.temperature,
        top_p: body.top_p,
        top_k: ask::top_k(body.top_k)?,
        min_p: body.min_p,
        repetition_penalty: body.repetition_penalty,
        presence_penalty: body.presence_penalty,
        frequency_penalty: body.frequency_penalty,
        seed: body.seed.map(seed).transpose()?,
    })?;
    let stop = match body.stop {
        None => Vec::new(),
        Some(Content::Text(text)) => vec![text],
        Some(Content::Parts(texts)) => texts,
    };
    let wants_tools = body.tool_choice != Some(json!("none"));
    let tools = if wants_tools { tools(body.tools.unwrap_or_default()) } else { Vec::new() };
    let request = Request {
        model: ask::model(body.model),
        session,
        conversation: Conversation { messages: messages(body.messages)?, tools },
        max_tokens: body.max_completion_tokens.or(body.max_tokens).map(NonZeroUsize::get),
        sampling,
        stop: ask::stop("stop", stop)?,
    };
    Ok(Ask { request, delivery })
}

impl ChatBody {
    /// What would be answered wrongly if it were ignored.
    fn refuse_unsupported(&self) -> Result<(), WireError> {
        let refuse = |param, reason| Err(WireError::not_supported(param, reason));
        if self.n.is_some_and(|n| n.get() > 1) {
            return refuse("n", "more than one choice is not supported yet");
        }
        if self.response_format.as_ref().is_some_and(|format| format.kind != "text") {
            return refuse("response_format", "only the type `text` is supported yet");
        }
        if self.logprobs == Some(true) {
            return refuse("logprobs", "log probabilities are not supported yet");
        }
        if self.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty()) {
            return refuse("logit_bias", "biases are not supported yet");
        }
        Ok(())
    }

    fn delivery(&self) -> Delivery {
        let with_usage = self.stream_options.as_ref().and_then(|options| options.include_usage) == Some(true);
        match self.stream {
            Some(true) if with_usage => Delivery::StreamWithUsage,
            Some(true) => Delivery::Stream,
            Some(false) | None => Delivery::Whole,
        }
    }
}

fn seed(value: i128) -> Result<u64, WireError> {
    u64::try_from(value)
        .or_else(|_| i64::try_from(value).map(i64::cast_unsigned))
        .map_err(|_| WireError::invalid("seed", "must be an integer of 64 bits"))
}

fn messages(params: Vec<MessageParam>) -> Result<Vec<Message>, WireError> {
    if params.is_empty() {
        return Err(WireError::invalid("messages", "must hold at least one message"));
    }
    params.into_iter().enumerate().map(|(index, param)| param.into_message(&format!("messages[{index}]"))).collect()
}

/// The functions; other kinds of tools are left out.
fn tools(params: Vec<ToolParam>) -> Vec<ToolSpec> {
    let read = |param| match param {
        ToolParam::Function { function } => Some(ToolSpec {
            name: function.name,
            description: function.description.unwrap_or_default(),
            parameters: function.parameters.map_or_else(|| json!({"type": "object", "properties": {}}), Value::Object),
        }),
        ToolParam::Other => None,
    };
    params.into_iter().filter_map(read).collect()
}
