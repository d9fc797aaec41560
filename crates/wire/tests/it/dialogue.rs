//! The same dialogue is the same conversation, whichever protocol it comes by.

use serde_json::json;
use shammah_protocol::{Message, Role};
use shammah_wire::Protocol::{Anthropic, OpenAiChat};

use crate::request;

#[test]
fn both_protocols_say_the_same() {
    let schema = json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]});
    let anthropic = json!({
        "model": "m", "max_tokens": 9, "temperature": 0.5, "stop_sequences": ["END"],
        "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
        "tools": [
            {"name": "weather", "description": "Looks outside", "input_schema": schema},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 5},
        ],
        "messages": [
            {"role": "user", "content": "Rain in Rome or Oslo?"},
            {"role": "assistant", "content": [
                {"type": "thinking", "thinking": "hm", "signature": "s"},
                {"type": "text", "text": "I look."},
                {"type": "tool_use", "id": "a", "name": "weather", "input": {"city": "Rome", "a": 1}},
                {"type": "tool_use", "id": "b", "name": "weather", "input": {"city": "Oslo"}},
            ]},
            {"role": "user", "content": [
                {"type": "tool_result", "tool_use_id": "a", "content": "sun"},
                {"type": "tool_result", "tool_use_id": "b", "content": [{"type": "text", "text": "rain"}], "is_error": false},
                {"type": "text", "text": "So?"},
            ]},
        ],
    });
    let openai = json!({
        "model": "m", "max_tokens": 9, "temperature": 0.5, "stop": "END",
        "tools": [
            {"type": "function", "function": {"name": "weather", "description": "Looks outside", "parameters": schema}},
            {"type": "custom", "custom": {"name": "patch"}},
        ],
        "messages": [
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "Rain in Rome or Oslo?"}]},
            {"role": "assistant", "content": "I look.", "tool_calls": [
                {"id": "a", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Rome\",\"a\":1}"}},
                {"id": "b", "type": "function", "function": {"name": "weather", "arguments": "{\"city\": \"Oslo\"}"}},
            ]},
            {"role": "tool", "tool_call_id": "a", "content": "sun"},
            {"role": "tool", "tool_call_id": "b", "content": [{"type": "text", "text": "rain"}]},
            {"role": "user", "content": "So?"},
        ],
    });
    let (anthropic, openai) = (request(Anthropic, &anthropic), request(OpenAiChat, &openai));
    assert_eq!(anthropic, openai);
    let messages = &anthropic.conversation.messages;
    let roles: Vec<_> = messages.iter().map(|message| message.role).collect();
    assert_eq!(roles, [Role::System, Role::User, Role::Assistant, Role::Tool, Role::Tool, Role::User]);
    assert_eq!(messages[2].tool_calls[0].arguments.to_string(), r#"{"city":"Rome","a":1}"#);
    assert_eq!((messages[3].tool_call_id.as_deref(), messages[3].content.as_str()), (Some("a"), "sun"));
    assert_eq!(anthropic.conversation.tools.len(), 1);
}

#[test]
fn what_claude_code_adds_is_understood() {
    let said = request(
        Anthropic,
        &json!({
            "model": "m", "max_tokens": 32_000, "thinking": {"type": "adaptive"}, "metadata": {"user_id": "u"},
            "context_management": {"edits": []}, "output_config": {"effort": "high"},
            "system": [
                {"type": "text", "text": "x-anthropic-billing-header: cc_version=2; cch=1;"},
                {"type": "text", "text": "You are"},
                {"type": "text", "text": "brief."},
            ],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "one"}, {"type": "text", "text": "two"}]},
                {"role": "system", "content": "tokens left: 5"},
                {"role": "system", "content": [], "output_config": {"effort": "low"}},
                {"role": "user", "content": [
                    {"type": "text", "text": "first"},
                    {"type": "tool_result", "tool_use_id": "a", "content": [{"type": "tool_reference", "tool_name": "x"}]},
                    {"type": "tool_result", "tool_use_id": "b"},
                ]},
            ],
        }),
    );
    let result = |id: &str| Message { tool_call_id: Some(id.to_owned()), ..Message::text(Role::Tool, "") };
    let expected = [
        Message::text(Role::System, "You are\nbrief."),
        Message::text(Role::User, "one\ntwo"),
        Message::text(Role::System, "tokens left: 5"),
        Message::text(Role::User, "first"),
        result("a"),
        result("b"),
    ];
    assert_eq!(said.conversation.messages, expected);
}

#[test]
fn tool_choice_none_removes_the_tools() {
    let user = json!([{"role": "user", "content": "Hi"}]);
    let anthropic = json!({"messages": user, "tools": [{"name": "t", "input_schema": {}}], "tool_choice": {"type": "none"}});
    assert!(request(Anthropic, &anthropic).conversation.tools.is_empty());
    let mut openai = json!({"messages": user, "tools": [{"type": "function", "function": {"name": "t"}}], "tool_choice": "none"});
    assert!(request(OpenAiChat, &openai).conversation.tools.is_empty());
    openai["tool_choice"] = json!("auto");
    let tools = request(OpenAiChat, &openai).conversation.tools;
    assert_eq!(tools[0].parameters, json!({"type": "object", "properties": {}}));
}

#[test]
fn a_call_may_have_no_content_and_no_arguments() {
    let call = json!({"id": "a", "type": "function", "function": {"name": "now", "arguments": ""}});
    for content in [json!(null), json!("")] {
        let said = request(OpenAiChat, &json!({"messages": [{"role": "assistant", "content": content, "tool_calls": [call]}]}));
        let message = &said.conversation.messages[0];
        assert_eq!((message.content.as_str(), &message.tool_calls[0].arguments), ("", &json!({})));
    }
}
