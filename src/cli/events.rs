//! Server-sent events, read from bytes as they come (WHATWG HTML, section 9.2.6; without ids and retry times).

/// One event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Event {
    pub(super) name: Option<String>,
    pub(super) data: String,
}

/// Takes a stream in pieces of any size.
#[derive(Debug, Default)]
pub(super) struct EventReader {
    line: Vec<u8>,
    /// The last byte was a carriage return: a line feed after it belongs to it.
    after_return: bool,
    name: Option<String>,
    data: Vec<String>,
}

impl EventReader {
    /// The events that these bytes complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Event> {
        let mut events = Vec::new();
        for &byte in bytes {
            let after_return = std::mem::replace(&mut self.after_return, byte == b'\r');
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => events.extend(self.end_line()),
                _ => self.line.push(byte),
            }
        }
        events
    }

    /// Only an empty line completes an event, and only if there is data.
    fn end_line(&mut self) -> Option<Event> {
        let line = std::mem::take(&mut self.line);
        if line.is_empty() {
            let (name, data) = (self.name.take(), std::mem::take(&mut self.data));
            return (!data.is_empty()).then(|| Event { name, data: data.join("\n") });
        }
        let line = String::from_utf8_lossy(&line);
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value).to_owned();
        match field {
            "event" => self.name = (!value.is_empty()).then_some(value),
            "data" => self.data.push(value),
            // Comments, which are pings, have no field.
            _ => {}
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn unnamed(data: &str) -> Event {
        Event { name: None, data: data.to_owned() }
    }

    #[test]
    fn frames_of_our_own_are_read_back() {
        let frames = [
            shammah_wire::Frame::named("ping", &serde_json::json!({"type": "ping"})),
            shammah_wire::Frame::unnamed(&serde_json::json!("ü\n:")),
            shammah_wire::Frame { event: None, data: " two\n\nlines ".to_owned() },
        ];
        let mut reader = EventReader::default();
        for frame in frames {
            let expected = Event { name: frame.event.map(str::to_owned), data: frame.data.clone() };
            assert_eq!(reader.feed(&frame.to_bytes()), [expected]);
        }
    }

    #[test]
    fn every_line_end_and_comment_is_understood() {
        let stream = b": ping\n\ndata: a\r\n\r\ndata:b\rdata\r\revent: gone\n\ndata: c\nid: 7\n\ndata: unfinished\n";
        assert_eq!(EventReader::default().feed(stream), [unnamed("a"), unnamed("b\n"), unnamed("c")]);
    }

    proptest! {
        #[test]
        fn the_cuts_do_not_matter(
            lines in prop::collection::vec("(event|data|id|:|)(: ?)?[a-cü:]{0,3}(\n|\r\n|\r)(\n|\r\n|\r)?", 0..12),
            cuts in prop::collection::vec(0..200_usize, 0..12),
        ) {
            let stream = lines.concat().into_bytes();
            let whole = EventReader::default().feed(&stream);
            let mut cuts = cuts.into_iter().map(|cut| cut.min(stream.len())).chain([0, stream.len()]).collect::<Vec<_>>();
            cuts.sort_unstable();
            let mut reader = EventReader::default();
            let pieces = cuts.windows(2).flat_map(|cut| reader.feed(&stream[cut[0]..cut[1]])).collect::<Vec<_>>();
            prop_assert_eq!(pieces, whole);
        }

        #[test]
        fn any_bytes_are_survived(stream in prop::collection::vec(any::<u8>(), 0..200)) {
            let mut reader = EventReader::default();
            let one_by_one = stream.chunks(1).flat_map(|byte| reader.feed(byte)).collect::<Vec<_>>();
            prop_assert_eq!(one_by_one, EventReader::default().feed(&stream));
        }
    }
}
