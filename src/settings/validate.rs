//! The ranges of the settings.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use jiff::SignedDuration;

use super::engine::KvMemory;
use super::error::SettingsError;
use super::{ByteSize, Settings};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
/// The shortest API key, in characters.
const SHORTEST_KEY: usize = 8;

impl Settings {
    /// Checks what the types do not say.
    ///
    /// # Errors
    /// [`SettingsError::NotAllowed`] or [`SettingsError::OpenToAll`].
    pub fn validate(&self) -> Result<(), SettingsError> {
        let Self { server, models, inference, engine, admission, turn, router, supervision, shutdown, monitor, log: _ } = self;
        within("server.max_sessions", server.max_sessions, 1..=1_000_000)?;
        within("server.session_timeout_minutes", server.session_timeout_minutes, 1..=525_600)?;
        lasts("server.session_cleanup_interval", server.session_cleanup_interval, SECOND..=HOUR)?;
        within("server.max_connections", server.max_connections, 1..=65_536)?;
        lasts("server.header_timeout", server.header_timeout, 100 * MILLISECOND..=5 * MINUTE)?;
        within("server.body_limit", server.body_limit, ByteSize(1 << 10)..=ByteSize(1 << 30))?;
        lasts("server.body_timeout", server.body_timeout, 100 * MILLISECOND..=HOUR)?;
        lasts("server.ping_interval", server.ping_interval, 100 * MILLISECOND..=MINUTE)?;
        within("inference.max_tokens", inference.max_tokens, 1..=1_000_000)?;
        within("engine.max_batch", engine.max_batch, 1..=256)?;
        within("engine.queue", engine.queue, 1..=10_000)?;
        lasts("engine.step_target", engine.step_target, MILLISECOND..=10 * SECOND)?;
        lasts("engine.stall_timeout", engine.stall_timeout, 100 * MILLISECOND..=10 * MINUTE)?;
        match engine.kv_memory {
            KvMemory::Percent(percent) => within("engine.kv_memory", percent, 1..=90)?,
            KvMemory::Size(size) => within("engine.kv_memory", size, ByteSize(1 << 20)..=ByteSize(1 << 50))?,
        }
        within("engine.threads", engine.threads, 0..=1024)?;
        within("admission.max_turns", admission.max_turns, 1..=100_000)?;
        lasts("admission.queue_timeout", admission.queue_timeout, 100 * MILLISECOND..=10 * MINUTE)?;
        lasts("turn.deadline", turn.deadline, SECOND..=DAY)?;
        lasts("turn.slow_client", turn.slow_client, 100 * MILLISECOND..=HOUR)?;
        within("turn.max_attempts", turn.max_attempts, 1..=100)?;
        lasts("router.wait_ready", router.wait_ready, Duration::ZERO..=10 * MINUTE)?;
        within("supervision.max_restarts", supervision.max_restarts, 1..=1000)?;
        lasts("supervision.window", supervision.window, 100 * MILLISECOND..=HOUR)?;
        lasts("supervision.retry_failed", supervision.retry_failed, 100 * MILLISECOND..=HOUR)?;
        lasts("shutdown.grace", shutdown.grace, Duration::ZERO..=10 * MINUTE)?;
        lasts("monitor.interval", monitor.interval, 100 * MILLISECOND..=MINUTE)?;
        if let Some((alias, _)) = models.aliases.iter().find(|(alias, model)| alias.is_empty() || model.is_empty()) {
            return Err(not_allowed("models.aliases", format!("empty at \"{alias}\""), "name a model for each alias"));
        }
        self.validate_keys()
    }

    fn validate_keys(&self) -> Result<(), SettingsError> {
        let server = &self.server;
        let is_weak = |key: &str| key.len() < SHORTEST_KEY || !key.chars().all(|character| character.is_ascii_graphic());
        if server.api_keys.iter().any(|key| is_weak(key.expose())) {
            let rule = format!("hold only keys of at least {SHORTEST_KEY} printable ASCII characters without spaces");
            return Err(not_allowed("server.api_keys", "not safe", rule));
        }
        if server.auth_enabled && server.api_keys.is_empty() {
            return Err(not_allowed("server.api_keys", "empty", "hold a key when `server.auth_enabled` is true"));
        }
        if !server.is_loopback() && !server.auth_enabled {
            return Err(SettingsError::OpenToAll(server.bind_address));
        }
        Ok(())
    }
}

fn within<T: PartialOrd + Display>(key: &'static str, value: T, range: RangeInclusive<T>) -> Result<(), SettingsError> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(not_allowed(key, value, format!("be between {} and {}", range.start(), range.end())))
}

fn lasts(key: &'static str, value: Duration, range: RangeInclusive<Duration>) -> Result<(), SettingsError> {
    if range.contains(&value) {
        return Ok(());
    }
    // Only a value that someone wrote as a span of time in words comes here; the longest are a few centuries.
    let words = |time: Duration| SignedDuration::try_from(time).map_or_else(|_| "too long".to_owned(), |time| format!("{time:#}"));
    let rule = format!("be between {} and {}", words(*range.start()), words(*range.end()));
    Err(not_allowed(key, words(value), rule))
}

fn not_allowed(key: &'static str, value: impl Display, rule: impl Into<String>) -> SettingsError {
    SettingsError::NotAllowed { key, value: value.to_string(), rule: rule.into() }
}
