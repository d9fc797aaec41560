//! What a turn has so far: all that must survive the engine.

use std::sync::Arc;

use shammah_protocol::{Codec, TokenId};

use super::text::{StopMatcher, Utf8Decoder};

/// Tokens and text of one answer.
#[derive(Debug)]
pub(crate) struct Transcript {
    codec: Arc<dyn Codec>,
    tokens: Vec<TokenId>,
    decoder: Utf8Decoder,
    stops: StopMatcher,
    text: String,
    stopped: Option<String>,
}

impl Transcript {
    pub(crate) fn new(codec: Arc<dyn Codec>, stops: &[String]) -> Self {
        Self {
            codec,
            tokens: Vec::new(),
            decoder: Utf8Decoder::default(),
            stops: StopMatcher::new(stops),
            text: String::new(),
            stopped: None,
        }
    }

    /// Takes the token at `position`; returns the text that may be sent now. A token that is already there changes nothing.
    pub(crate) fn push(&mut self, position: usize, token: TokenId) -> Result<String, Gap> {
        match position.cmp(&self.tokens.len()) {
            std::cmp::Ordering::Less => return Ok(String::new()),
            std::cmp::Ordering::Greater => return Err(Gap { expected: self.tokens.len(), got: position }),
            std::cmp::Ordering::Equal => self.tokens.push(token),
        }
        let text = self.decoder.push(self.codec.token_bytes(token));
        let released = self.stops.push(&text);
        self.stopped = released.stop;
        self.text.push_str(&released.text);
        Ok(released.text)
    }

    /// The model has ended: the text that was held back.
    pub(crate) fn finish(&mut self) -> String {
        let last = self.decoder.finish();
        let mut released = self.stops.push(&last);
        if released.stop.is_none() {
            released.text.push_str(&self.stops.finish());
        }
        self.stopped = released.stop;
        self.text.push_str(&released.text);
        released.text
    }

    /// The stop string that ended the answer.
    pub(crate) fn stopped(&self) -> Option<&str> {
        self.stopped.as_deref()
    }

    pub(crate) fn tokens(&self) -> &[TokenId] {
        &self.tokens
    }

    /// All that was sent.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }
}

/// An engine left a token out: a bug that must not reach a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gap {
    pub(crate) expected: usize,
    pub(crate) got: usize,
}
