//! The arguments of `shammah query`, and the request that they become.

use std::num::NonZeroUsize;

use clap::Args;
use serde::Serialize;
use shammah_protocol::{Conversation, Message, Request, Role, SamplingOverrides, SessionChoice, SessionId};

use super::failure::Usage;

#[derive(Debug, Default, Args)]
pub(super) struct Arguments {
    /// The question. What is piped into standard input follows it after an empty line, or is the question itself
    #[arg(value_name = "QUESTION")]
    words: Vec<String>,
    /// Instructions that go before the question
    #[arg(long, value_name = "TEXT")]
    system: Option<String>,
    /// The longest answer, in tokens
    #[arg(long, value_name = "N")]
    max_tokens: Option<NonZeroUsize>,
    /// How freely tokens are drawn: 0 takes the likeliest always, 2 is the most
    #[arg(long, value_name = "T")]
    temperature: Option<f32>,
    /// The same seed gives the same answer
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Continue this session of the daemon, or begin it: any text of up to 128 characters
    #[arg(long, value_name = "ID")]
    session: Option<String>,
}

/// What is asked.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Question {
    messages: Vec<Message>,
    max_tokens: Option<NonZeroUsize>,
    temperature: Option<f32>,
    seed: Option<u64>,
    session: Option<SessionId>,
}

/// The question as a body of `POST /v1/chat/completions`.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    stream: bool,
    messages: &'a [Message],
    #[serde(skip_serializing_if = "Option::is_none")]
    max_tokens: Option<NonZeroUsize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session_id: Option<&'a SessionId>,
}

impl Question {
    /// What the arguments ask, together with what was piped in.
    ///
    /// # Errors
    /// If nothing is asked, or not in a way that can be answered.
    pub(super) fn new(arguments: Arguments, piped: Option<&str>) -> Result<Self, Usage> {
        let Arguments { words, system, max_tokens, temperature, seed, session } = arguments;
        let prompt = prompt(&words, piped).ok_or(Usage("there is no question; try `shammah query \"Who are you?\"`".into()))?;
        SamplingOverrides { temperature, ..SamplingOverrides::default() }.check().map_err(Usage)?;
        let chosen = |id: &String| SessionId::chosen(id).ok_or(Usage("a session has 1 to 128 printable characters".into()));
        let session = session.as_ref().map(chosen).transpose()?;
        let system = system.map(|text| Message::text(Role::System, text));
        let messages = system.into_iter().chain([Message::text(Role::User, prompt)]).collect();
        Ok(Self { messages, max_tokens, temperature, seed, session })
    }

    pub(super) fn body(&self) -> Body<'_> {
        let Self { messages, max_tokens, temperature, seed, session } = self;
        Body { stream: true, messages, max_tokens: *max_tokens, temperature: *temperature, seed: *seed, session_id: session.as_ref() }
    }

    pub(super) fn request(&self) -> Request {
        Request {
            model: None,
            session: self.session.clone().map_or(SessionChoice::Fresh, SessionChoice::Record),
            conversation: Conversation { messages: self.messages.clone(), tools: Vec::new() },
            max_tokens: self.max_tokens.map(NonZeroUsize::get),
            sampling: SamplingOverrides { temperature: self.temperature, seed: self.seed, ..SamplingOverrides::default() },
            stop: Vec::new(),
        }
    }

    pub(super) fn has_session(&self) -> bool {
        self.session.is_some()
    }
}

/// The words, an empty line, and what was piped in, without its last line break; `None` if all of it is blank.
fn prompt(words: &[String], piped: Option<&str>) -> Option<String> {
    let words = words.join(" ");
    let piped = piped.map(|text| text.strip_suffix('\n').unwrap_or(text)).map(|text| text.strip_suffix('\r').unwrap_or(text));
    let parts = [words.as_str(), piped.unwrap_or_default()].into_iter().filter(|part| !part.trim().is_empty()).collect::<Vec<_>>();
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

#[cfg(test)]
mod tests {
    use shammah_wire::{Ask, Delivery};

    use super::*;

    #[test]
    fn words_and_standard_input_make_one_prompt() {
        let words = ["What", "is this?"].map(str::to_owned);
        for (words, piped, expected) in [
            (&words[..], None, Some("What is this?")),
            (&words, Some(""), Some("What is this?")),
            (&words, Some("\n"), Some("What is this?")),
            (&words, Some("  a\nb\r\n"), Some("What is this?\n\n  a\nb")),
            (&[], Some("a\n\n"), Some("a\n")),
            (&[], Some(" \n"), None),
            (&[" ".to_owned()], None, None),
        ] {
            assert_eq!(prompt(words, piped).as_deref(), expected);
        }
    }

    #[test]
    fn a_daemon_is_asked_the_same_as_this_process() {
        let all = Arguments {
            words: vec!["Who?".into()],
            system: Some("Be brief.".into()),
            max_tokens: NonZeroUsize::new(7),
            temperature: Some(0.7),
            seed: Some(u64::MAX),
            session: Some("ada".into()),
        };
        let few = Arguments { words: vec!["Who?".into()], ..Arguments::default() };
        for arguments in [all, few] {
            let question = Question::new(arguments, Some("more")).unwrap();
            let body = serde_json::to_vec(&question.body()).unwrap();
            let ask = shammah_wire::openai::chat::parse(&body, None).unwrap();
            assert_eq!(ask, Ask { request: question.request(), delivery: Delivery::Stream });
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let ask = |arguments| Question::new(arguments, None).unwrap_err().to_string();
        let words = vec!["Who?".to_owned()];
        assert!(ask(Arguments::default()).starts_with("there is no question"));
        let hot = Arguments { words: words.clone(), temperature: Some(3.0), ..Arguments::default() };
        assert_eq!(ask(hot), "temperature must be between 0 and 2, not 3");
        let nameless = Arguments { words, session: Some(String::new()), ..Arguments::default() };
        assert_eq!(ask(nameless), "a session has 1 to 128 printable characters");
    }
}
