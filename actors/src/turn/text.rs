//! From tokens to text that may be sent: whole characters only, and nothing that may be the start of a stop string.

/// Turns bytes into text, holding an incomplete character back.
#[derive(Debug, Default)]
pub(crate) struct Utf8Decoder {
    pending: Vec<u8>,
}

impl Utf8Decoder {
    /// Adds bytes; returns the text that is complete. Bytes that can never become text are replaced by U+FFFD.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> String {
        self.pending.extend_from_slice(bytes);
        let mut text = String::new();
        loop {
            match std::str::from_utf8(&self.pending) {
                Ok(valid) => {
                    text.push_str(valid);
                    self.pending.clear();
                    return text;
                }
                Err(error) => {
                    let (valid, rest) = self.pending.split_at(error.valid_up_to());
                    text.push_str(&String::from_utf8_lossy(valid));
                    let Some(bad) = error.error_len() else {
                        self.pending = rest.to_vec();
                        return text;
                    };
                    text.push(char::REPLACEMENT_CHARACTER);
                    self.pending = rest[bad..].to_vec();
                }
            }
        }
    }

    /// What is left at the end.
    pub(crate) fn finish(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.pending)).into_owned()
    }
}

/// Finds the first stop string, and holds back text that may be the start of one.
#[derive(Debug)]
pub(crate) struct StopMatcher {
    stops: Vec<String>,
    held: String,
}

/// What may be sent after some more text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Released {
    pub(crate) text: String,
    /// The stop string that follows the text; no more is taken then.
    pub(crate) stop: Option<String>,
}

impl StopMatcher {
    /// Empty strings never match.
    pub(crate) fn new(stops: &[String]) -> Self {
        Self { stops: stops.iter().filter(|stop| !stop.is_empty()).cloned().collect(), held: String::new() }
    }

    /// Adds text.
    pub(crate) fn push(&mut self, text: &str) -> Released {
        self.held.push_str(text);
        let found = self.stops.iter().filter_map(|stop| self.held.find(stop.as_str()).map(|at| (at, stop)));
        if let Some((at, stop)) = found.min_by_key(|(at, stop)| (*at, std::cmp::Reverse(stop.len()))) {
            let stop = stop.clone();
            self.held.truncate(at);
            return Released { text: std::mem::take(&mut self.held), stop: Some(stop) };
        }
        let keep = self.held.char_indices().map(|(at, _)| at).find(|at| self.may_begin_stop(&self.held[*at..]));
        let rest = self.held.split_off(keep.unwrap_or(self.held.len()));
        Released { text: std::mem::replace(&mut self.held, rest), stop: None }
    }

    /// What is left at the end: no stop string came of it.
    pub(crate) fn finish(&mut self) -> String {
        std::mem::take(&mut self.held)
    }

    fn may_begin_stop(&self, tail: &str) -> bool {
        self.stops.iter().any(|stop| stop.starts_with(tail))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{prop, prop_assert, prop_assert_eq, proptest};

    use super::*;

    fn stops(stops: &[&str]) -> StopMatcher {
        StopMatcher::new(&stops.iter().map(|stop| (*stop).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_stop_string_over_several_pieces_is_never_sent() {
        let mut matcher = stops(&["END", "\n\n"]);
        assert_eq!(matcher.push("the E"), Released { text: "the ".into(), stop: None });
        assert_eq!(matcher.push("N"), Released { text: String::new(), stop: None });
        assert_eq!(matcher.push("D of it"), Released { text: String::new(), stop: Some("END".into()) });
    }

    #[test]
    fn a_false_start_is_sent() {
        let mut matcher = stops(&["END"]);
        assert_eq!(matcher.push("EN").text, "");
        assert_eq!(matcher.push("OUGH").text, "ENOUGH");
        assert_eq!(matcher.push("E").text, "");
        assert_eq!(matcher.finish(), "E");
    }

    #[test]
    fn broken_bytes_are_replaced_and_the_rest_goes_on() {
        let mut decoder = Utf8Decoder::default();
        assert_eq!(decoder.push(b"a\xffb\xc3"), "a\u{fffd}b");
        assert_eq!(decoder.push(b"\xa9"), "é");
        assert_eq!(decoder.push(b"\xe2\x82"), "");
        assert_eq!(decoder.finish(), "\u{fffd}");
    }

    proptest! {
        #[test]
        fn cut_anywhere_text_stays_whole(text in "\\PC{0,40}", size in 1usize..5) {
            let mut decoder = Utf8Decoder::default();
            let mut out: String = text.as_bytes().chunks(size).map(|chunk| decoder.push(chunk)).collect();
            out.push_str(&decoder.finish());
            prop_assert_eq!(out, text);
        }

        /// However the text is cut, the answer is what lies before the first match in the whole text.
        #[test]
        fn stop_strings_match_as_in_the_whole_text(
            text in "[ab]{0,30}", stop in prop::collection::vec("[ab]{1,4}", 0..3), size in 1usize..4,
        ) {
            let mut matcher = StopMatcher::new(&stop);
            let (mut out, mut stopped) = (String::new(), false);
            for chunk in text.as_bytes().chunks(size) {
                let released = matcher.push(std::str::from_utf8(chunk).unwrap());
                out.push_str(&released.text);
                if released.stop.is_some() {
                    stopped = true;
                    break;
                }
            }
            if !stopped {
                out.push_str(&matcher.finish());
            }
            // A longer match that starts earlier but ends later may not be complete yet when a shorter one is: both are right.
            let ends: Vec<usize> = stop.iter().filter_map(|stop| text.find(stop.as_str())).collect();
            prop_assert_eq!(stopped, !ends.is_empty());
            if stopped {
                prop_assert!(ends.contains(&out.len()) && text.starts_with(&out));
            } else {
                prop_assert_eq!(out, text);
            }
        }
    }
}
