//! What came back, whole or as events.

use reqwest::RequestBuilder;
use reqwest::header::HeaderMap;
use serde_json::Value;

/// A response that has been read to its end.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

/// One server-sent event.
#[derive(Debug, PartialEq)]
pub(crate) struct Event {
    pub(crate) name: Option<String>,
    pub(crate) data: String,
}

pub(crate) async fn read(request: RequestBuilder) -> Reply {
    let response = request.send().await.unwrap();
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    Reply { status, headers, body: response.text().await.unwrap() }
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    pub(crate) fn events(&self) -> Vec<Event> {
        assert!(self.body.ends_with("\n\n"), "the last event is whole: {:?}", self.body);
        self.body.split("\n\n").filter(|frame| !frame.is_empty() && !frame.starts_with(": ")).map(event).collect()
    }

    /// Names of Anthropic's events, pings left out.
    pub(crate) fn names(&self) -> Vec<String> {
        self.events().into_iter().filter_map(|event| event.name).filter(|name| name != "ping").collect()
    }

    /// All text of an Anthropic stream.
    pub(crate) fn anthropic_text(&self) -> String {
        let events = self.events();
        let deltas = events.iter().filter(|event| event.name.as_deref() == Some("content_block_delta"));
        deltas.map(|event| json(&event.data)["delta"]["text"].as_str().unwrap().to_owned()).collect()
    }

    /// All text of an OpenAI stream, which must end with its mark.
    pub(crate) fn openai_text(&self) -> String {
        let mut events = self.events();
        assert_eq!(events.pop().map(|event| event.data).as_deref(), Some("[DONE]"));
        let deltas = events.iter().map(|event| json(&event.data)["choices"][0]["delta"]["content"].as_str().map(str::to_owned));
        deltas.flatten().collect()
    }
}

pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn event(frame: &str) -> Event {
    let field = |name: &str| frame.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    Event { name: field("event: "), data: field("data: ").unwrap_or_default() }
}
