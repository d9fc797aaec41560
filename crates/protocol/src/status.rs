//! The types of `GET /v1/status` and `GET /health`.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Where the default model stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ModelState {
    Initializing,
    Downloading,
    Loading,
    Ready,
    Failed,
}

/// Where an actor stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ActorState {
    Starting,
    Running,
    /// It ended and waits for its next start.
    Restarting,
    /// It spent its restart budget.
    Failed,
    Stopped,
}

/// One actor of the tree.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ActorReport {
    /// Path in the tree, `inference/generator`.
    pub name: String,
    /// Changes with every start.
    pub id: Option<String>,
    pub state: ActorState,
    /// Since the daemon started.
    pub restarts: u64,
    pub last_error: Option<String>,
    /// Messages waiting.
    pub mailbox: usize,
    /// Since its last start.
    pub uptime_seconds: f64,
}

/// The model that answers by default.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ModelReport {
    pub id: String,
    pub architecture: String,
    pub parameters: u64,
    pub quantization: String,
    pub context_window: usize,
    pub adapter: Option<String>,
    pub demo: bool,
    /// For the demo: that it is one, and how to get a real model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub notice: Option<String>,
}

/// A download in progress.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DownloadReport {
    pub file: String,
    pub bytes: u64,
    pub total: u64,
    pub bytes_per_second: f64,
}

/// A load in progress.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct LoadingReport {
    pub bytes: u64,
    pub total: u64,
}

/// Memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MemoryReport {
    /// Resident memory of this process.
    pub process_bytes: u64,
    pub available_bytes: u64,
    pub total_bytes: u64,
}

/// Processor use, 100 for one core.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct CpuReport {
    pub process_percent: f32,
    pub cores: usize,
}

/// What is waiting or running.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct QueueReport {
    pub turns: usize,
    pub max_turns: usize,
    pub sequences_running: usize,
    pub sequences_waiting: usize,
    pub kv_pages_used: usize,
    pub kv_pages_total: usize,
}

/// Rates over the last second.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ThroughputReport {
    pub prompt_tokens_per_second: f64,
    pub completion_tokens_per_second: f64,
}

/// `GET /v1/status`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusReport {
    pub state: ModelState,
    /// Absent until the default model is loaded.
    pub model: Option<ModelReport>,
    pub download: Option<DownloadReport>,
    pub loading: Option<LoadingReport>,
    pub error: Option<String>,
    pub actors: Vec<ActorReport>,
    pub uptime_seconds: f64,
    pub active_sessions: usize,
    pub memory: MemoryReport,
    pub cpu: CpuReport,
    pub queues: QueueReport,
    pub throughput: ThroughputReport,
    pub version: String,
    /// When these figures were taken.
    pub taken_at: Timestamp,
}

/// One word on the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Health {
    Healthy,
    /// It answers, but a part is missing or on its way.
    Degraded,
    /// It cannot answer.
    Failed,
}

/// `GET /health`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct HealthReport {
    pub status: Health,
    pub uptime_seconds: f64,
    pub active_sessions: usize,
    pub state: ModelState,
    pub version: String,
}

impl StatusReport {
    /// The word for `/health`: failed without a model that answers and no hope of one, degraded while a part is not running.
    pub fn health(&self) -> Health {
        let parts_run = self.actors.iter().all(|actor| actor.state == ActorState::Running);
        match self.state {
            ModelState::Failed => Health::Failed,
            ModelState::Ready if parts_run => Health::Healthy,
            _ => Health::Degraded,
        }
    }
}
