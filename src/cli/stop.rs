//! `shammah stop`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use tokio::time::{Instant, sleep, timeout_at};

use super::terminal::Terminal;
use crate::identity::{self, Running};
use crate::settings::Settings;

/// What a daemon needs beyond the grace of its streams.
const GOODBYE: Duration = Duration::from_secs(10);
/// After this time it is said what is waited for.
const SILENT: Duration = Duration::from_secs(1);
const PERIOD: Duration = Duration::from_millis(25);

/// Stops the running daemon and waits until it is gone.
pub(super) async fn run(settings: &Settings, home: &Path, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let Some(running) = identity::find_running(home) else {
        terminal.print("no daemon is running\n")?;
        return Ok(ExitCode::SUCCESS);
    };
    let pid = running.pid;
    if let Err(error) = identity::stop(&running) {
        // It may have ended by itself just now.
        if identity::find_running(home) == Some(running) {
            return Err(error).with_context(|| format!("the daemon (process {pid}) cannot be told to stop"));
        }
    }
    let (begun, grace) = (Instant::now(), settings.shutdown.grace);
    if timeout_at(begun + SILENT, gone(&running, home)).await.is_err() {
        terminal.note(&format!("waiting for the answers in the making, {} s at most", grace.as_secs()));
        if timeout_at(begun + grace + GOODBYE, gone(&running, home)).await.is_err() {
            bail!("the daemon (process {pid}) still runs after {} s; `kill -9 {pid}` ends it", begun.elapsed().as_secs());
        }
    }
    terminal.print(&format!("the daemon (process {pid}) has stopped\n"))?;
    Ok(ExitCode::SUCCESS)
}

async fn gone(running: &Running, home: &Path) {
    while identity::find_running(home) == Some(*running) {
        sleep(PERIOD).await;
    }
}
