//! Logs: one line an event, with the ids of its request.

use std::io::IsTerminal;
use std::panic;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::{Log, LogFormat};

/// Starts logging to standard error. `SHAMMAH_LOG` (a filter such as `info,shammah::step=debug`) goes before the settings.
pub fn start(log: &Log) {
    let level = tracing::Level::from(log.level);
    let filter = EnvFilter::try_from_env("SHAMMAH_LOG").unwrap_or_else(|_| EnvFilter::new(level.to_string()));
    let registry = tracing_subscriber::registry().with(filter);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    // A second start, in a process that logs already, changes nothing.
    let _ = match log.format {
        LogFormat::Text => registry.with(lines.with_target(false)).try_init(),
        LogFormat::Json => registry.with(lines.json().flatten_event(true)).try_init(),
    };
    panic::set_hook(Box::new(|info| {
        let thread = std::thread::current().name().unwrap_or("unnamed").to_owned();
        let place = info.location().map(ToString::to_string).unwrap_or_default();
        tracing::error!(thread, place, "panic: {}", info.payload_as_str().unwrap_or("without words"));
    }));
}
