//! Every limit that actors and turns obey. The defaults are those of `config/default.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::router::Unknown;
use crate::supervisor::Budget;

/// What is allowed, and for how long.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Turns at once.
    pub max_turns: usize,
    /// Sequences in one step.
    pub max_batch: usize,
    /// Sequences that wait for a place in the batch.
    pub queue: usize,
    /// The longest wait for a place in the batch.
    pub queue_timeout: Duration,
    /// A step that makes no progress for so long is a hang.
    pub stall_timeout: Duration,
    /// The longest turn.
    pub turn_deadline: Duration,
    /// A client that takes nothing for so long has lost its stream.
    pub slow_client: Duration,
    /// Attempts of a turn without a new token between them.
    pub max_attempts: u32,
    /// The most tokens of one completion, where a request says nothing.
    pub max_tokens: usize,
    pub max_sessions: usize,
    pub session_timeout: Duration,
    pub session_cleanup: Duration,
    /// How long a request waits for a model that is loading.
    pub wait_ready: Duration,
    /// How long open streams may go on when the daemon stops.
    pub grace: Duration,
    pub budget: Budget,
    /// How long an optional actor stays given up.
    pub retry_failed: Duration,
    /// How often the monitor looks.
    pub monitor_interval: Duration,
    /// Connections at once; further ones wait to be accepted.
    pub max_connections: usize,
    /// Other names of models.
    pub aliases: BTreeMap<String, String>,
    /// Who answers to a name that nobody knows.
    pub unknown: Unknown,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_turns: 64,
            max_batch: 16,
            queue: 64,
            queue_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(30),
            turn_deadline: Duration::from_secs(30 * 60),
            slow_client: Duration::from_secs(60),
            max_attempts: 3,
            max_tokens: 4096,
            max_sessions: 100,
            session_timeout: Duration::from_secs(30 * 60),
            session_cleanup: Duration::from_secs(60),
            wait_ready: Duration::from_secs(30),
            grace: Duration::from_secs(30),
            budget: Budget { max_restarts: 3, window: Duration::from_secs(60) },
            retry_failed: Duration::from_secs(60),
            monitor_interval: Duration::from_secs(1),
            max_connections: 1024,
            aliases: BTreeMap::new(),
            unknown: Unknown::Default,
        }
    }
}
