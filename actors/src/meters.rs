//! What is counted for `/metrics`. vLLM's names where the meaning is the same.

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;
use std::sync::atomic::AtomicU64;

const TO_FIRST_TOKEN: [f64; 16] = [0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 40.0];
const BETWEEN_TOKENS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 1.0, 5.0, 20.0];
const END_TO_END: [f64; 14] = [0.05, 0.1, 0.3, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 240.0, 480.0, 1920.0];
const RESUMED: [f64; 10] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

/// Labels of a finished query.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct QueryLabels {
    pub route: String,
    pub model: String,
    /// `ok`, or the kind of the error.
    pub status: String,
}

/// All meters, and the registry that prints them.
#[derive(Debug)]
pub struct Meters {
    registry: Registry,
    pub queries: Family<QueryLabels, Counter>,
    pub restarts: Counter,
    pub sessions: Gauge,
    pub turns: Gauge,
    pub running: Gauge,
    pub waiting: Gauge,
    pub kv_usage: Gauge<f64, AtomicU64>,
    pub prompt_tokens: Counter,
    pub generation_tokens: Counter,
    pub prefix_queries: Counter,
    pub prefix_hits: Counter,
    pub first_token: Histogram,
    pub inter_token: Histogram,
    pub end_to_end: Histogram,
    /// From the loss of an engine to the next token of a turn.
    pub resume: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        let mut meters = Self {
            registry: Registry::default(),
            queries: Family::default(),
            restarts: Counter::default(),
            sessions: Gauge::default(),
            turns: Gauge::default(),
            running: Gauge::default(),
            waiting: Gauge::default(),
            kv_usage: Gauge::default(),
            prompt_tokens: Counter::default(),
            generation_tokens: Counter::default(),
            prefix_queries: Counter::default(),
            prefix_hits: Counter::default(),
            first_token: Histogram::new(TO_FIRST_TOKEN),
            inter_token: Histogram::new(BETWEEN_TOKENS),
            end_to_end: Histogram::new(END_TO_END),
            resume: Histogram::new(RESUMED),
        };
        meters.register();
        meters
    }
}

impl Meters {
    /// All meters in Prometheus' text format.
    pub fn print(&self) -> String {
        let mut text = String::new();
        encode(&mut text, &self.registry).expect("writing to a string cannot fail");
        text
    }

    fn register(&mut self) {
        let registry = &mut self.registry;
        registry.register("shammah_queries", "Finished queries", self.queries.clone());
        registry.register("shammah_actor_restarts", "Restarts of actors since the start", self.restarts.clone());
        registry.register("shammah_active_sessions", "Sessions in memory", self.sessions.clone());
        registry.register("shammah_turns", "Turns that run", self.turns.clone());
        registry.register("shammah_resume_seconds", "From the loss of an engine to the next token", self.resume.clone());
        registry.register("vllm:num_requests_running", "Sequences in the batch", self.running.clone());
        registry.register("vllm:num_requests_waiting", "Sequences that wait for a place in the batch", self.waiting.clone());
        registry.register("vllm:kv_cache_usage_perc", "Used share of the KV cache, 1 is full", self.kv_usage.clone());
        registry.register("vllm:prompt_tokens", "Prompt tokens computed", self.prompt_tokens.clone());
        registry.register("vllm:generation_tokens", "Tokens drawn", self.generation_tokens.clone());
        registry.register("vllm:prefix_cache_queries", "Prompt tokens looked up in the page store", self.prefix_queries.clone());
        registry.register("vllm:prefix_cache_hits", "Prompt tokens found in the page store", self.prefix_hits.clone());
        registry.register("vllm:time_to_first_token_seconds", "From the request to the first token", self.first_token.clone());
        registry.register("vllm:inter_token_latency_seconds", "Between two tokens of a turn", self.inter_token.clone());
        registry.register("vllm:e2e_request_latency_seconds", "From the request to its end", self.end_to_end.clone());
    }
}
