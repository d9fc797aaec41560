//! Chat templates, as transformers renders them.

use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde};
use minijinja::{Environment, Error, ErrorKind, Value, context};
use serde_json::json;
use shammah_protocol::{CodecError, Conversation, LoadError, Message};

use super::json::dumps;

/// For models that bring no template.
const CHATML: &str = "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}{% endfor %}\
                      {% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";
const NAME: &str = "chat";

/// Texts of a model's control tokens, empty where it has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Markers {
    pub(crate) bos: String,
    pub(crate) eos: String,
}

/// A compiled chat template.
pub(crate) struct Template {
    environment: Environment<'static>,
    markers: Markers,
}

impl Template {
    /// Compiles a template; ChatML if there is none.
    ///
    /// # Errors
    /// [`LoadError::Invalid`] with the place of the mistake.
    pub(crate) fn new(source: Option<&str>, markers: Markers, what: &str) -> Result<Self, LoadError> {
        let mut environment = Environment::new();
        let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build().expect("the delimiters are the usual ones");
        environment.set_syntax(syntax);
        environment.set_unknown_method_callback(minijinja_contrib::pycompat::unknown_method_callback);
        environment.add_filter("tojson", to_json);
        environment.add_function("raise_exception", raise_exception);
        let source = without_generation_blocks(source.unwrap_or(CHATML));
        environment
            .add_template_owned(NAME, source)
            .map_err(|error| LoadError::Invalid { what: format!("the chat template of {what}"), reason: error.to_string() })?;
        Ok(Self { environment, markers })
    }

    /// Renders a conversation up to where the assistant begins to speak.
    ///
    /// # Errors
    /// [`CodecError::Refused`] with the words of the template, or with what is wrong with it.
    pub(crate) fn render(&self, conversation: &Conversation) -> Result<String, CodecError> {
        let messages: Vec<Value> =
            conversation.messages.iter().map(|message| Value::from(Serde(message_json(message, &conversation.messages)))).collect();
        let tools: Vec<_> = conversation
            .tools
            .iter()
            .map(|tool| json!({"type": "function", "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters}}))
            .collect();
        let template = self.environment.get_template(NAME).expect("it was added at the start");
        let context = context! {
            messages,
            tools => (!tools.is_empty()).then(|| Value::from(Serde(tools))),
            add_generation_prompt => true,
            bos_token => self.markers.bos.as_str(),
            eos_token => self.markers.eos.as_str(),
        };
        template.render(context).map_err(|error| CodecError::Refused(error.detail().map_or_else(|| error.to_string(), str::to_owned)))
    }
}

/// A message as templates expect it. Absent fields are not there at all, since templates ask `is defined`.
fn message_json(message: &Message, all: &[Message]) -> serde_json::Value {
    let mut fields = json!({"role": message.role.as_str(), "content": message.content});
    if !message.tool_calls.is_empty() {
        let calls = message.tool_calls.iter();
        let calls =
            calls.map(|call| json!({"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}));
        fields["tool_calls"] = calls.collect();
    }
    if let Some(id) = &message.tool_call_id {
        fields["tool_call_id"] = id.as_str().into();
        let mut calls = all.iter().flat_map(|message| &message.tool_calls);
        if let Some(call) = calls.find(|call| call.id == *id) {
            fields["name"] = call.name.as_str().into();
        }
    }
    fields
}

/// `{% generation %}` marks what to train on; here it is a block that is always rendered.
fn without_generation_blocks(source: &str) -> String {
    let mut output = String::new();
    let mut rest = source;
    while let Some(start) = rest.find("{%") {
        let Some(length) = rest[start..].find("%}") else { break };
        let (block, after) = rest[start..].split_at(length);
        output.push_str(&rest[..start]);
        match block[2..].trim_matches(['-', '+', ' ', '\t', '\n', '\r']) {
            "generation" => output.push_str(&block.replace("generation", "if true")),
            "endgeneration" => output.push_str(&block.replace("endgeneration", "endif")),
            _ => output.push_str(block),
        }
        rest = after;
    }
    output + rest
}

/// The `tojson` filter of transformers. Its other arguments have only one value in templates: its default.
fn to_json(value: &Value, arguments: Kwargs) -> Result<String, Error> {
    let indent = arguments.get::<Option<usize>>("indent")?;
    dumps(value, indent).map_err(|error| Error::new(ErrorKind::BadSerialization, error.to_string()))
}

fn raise_exception(message: String) -> Result<Value, Error> {
    Err(Error::new(ErrorKind::InvalidOperation, message))
}

#[cfg(test)]
mod tests {
    use shammah_protocol::{Role, ToolCall, ToolSpec};

    use super::*;

    fn render(source: &str, conversation: &Conversation) -> Result<String, CodecError> {
        let markers = Markers { bos: "<s>".into(), eos: "</s>".into() };
        Template::new(Some(source), markers, "a test").unwrap().render(conversation)
    }

    fn conversation() -> Conversation {
        let call = ToolCall { id: "1".into(), name: "read".into(), arguments: json!({"z": 1, "a": "<é>"}) };
        let mut messages = vec![Message::text(Role::User, "hi"), Message::text(Role::Assistant, ""), Message::text(Role::Tool, "text")];
        messages[1].tool_calls.push(call);
        messages[2].tool_call_id = Some("1".into());
        let tool = ToolSpec { name: "read".into(), description: "Reads".into(), parameters: json!({"type": "object"}) };
        Conversation { messages, tools: vec![tool] }
    }

    #[test]
    fn a_template_sees_what_transformers_would_show_it() {
        let source = "{{ bos_token }}{% for t in tools %}{{ t | tojson }}{% endfor %}\n\
                      {%- for m in messages %}[{{ m.role }} {{ m.content.upper() }}{{ ' ' + m.name if m.name is defined }}\
                      {%- if m.tool_calls is defined %}{{ m.tool_calls[0].function.arguments | tojson }}{% endif %}]{% endfor %}";
        let text = render(source, &conversation()).unwrap();
        let tool = r#"{"type": "function", "function": {"name": "read", "description": "Reads", "parameters": {"type": "object"}}}"#;
        assert_eq!(text, format!("<s>{tool}[user HI][assistant {{\"z\": 1, \"a\": \"<é>\"}}][tool TEXT read]"));
    }

    #[test]
    fn the_words_of_an_exception_arrive() {
        let refused = render("{{ raise_exception('roles must alternate') }}", &conversation());
        assert_eq!(refused, Err(CodecError::Refused("roles must alternate".into())));
    }

    #[test]
    fn generation_blocks_are_rendered() {
        let text = render("a\n{%- generation -%}\n b \n{%- endgeneration %} {% if true %}c{% endif %}", &conversation());
        assert_eq!(text.unwrap(), "ab c");
    }

    #[test]
    fn a_broken_template_does_not_load() {
        let error = Template::new(Some("{% if %}"), Markers::default(), "x.gguf").err().unwrap();
        assert!(error.to_string().starts_with("the chat template of x.gguf is invalid"), "{error}");
    }

    #[test]
    fn chatml_is_the_default() {
        let messages = vec![Message::text(Role::System, "be"), Message::text(Role::User, "hi")];
        let template = Template::new(None, Markers::default(), "a test").unwrap();
        let text = template.render(&Conversation { messages, tools: Vec::new() }).unwrap();
        assert_eq!(text, "<|im_start|>system\nbe<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n");
    }
}
