//! A request for an answer, whichever protocol it came by.

use crate::conversation::Conversation;
use crate::id::SessionId;
use crate::sampling::SamplingOverrides;

/// How a request names its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SessionChoice {
    /// In the body: the record is continued, or replaced if the messages repeat it from the start.
    Record(SessionId),
    /// In a header: a label; the messages are the whole conversation.
    Label(SessionId),
    /// Not at all: a session is made.
    Fresh,
}

/// One answer is asked for. Everything has been checked that can be without the model.
#[derive(Clone, Debug, PartialEq)]
pub struct Request {
    /// The name as the client said it; `None` for the default model.
    pub model: Option<String>,
    pub session: SessionChoice,
    pub conversation: Conversation,
    /// Upper bound of the completion in tokens; `None` for the rest of the window.
    pub max_tokens: Option<usize>,
    pub sampling: SamplingOverrides,
    /// The answer ends before the first of these.
    pub stop: Vec<String>,
}
