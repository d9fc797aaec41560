//! `shammah status`.

use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, anyhow};
use clap::Args;
use tokio::time::MissedTickBehavior;

use super::client::{self, Client};
use super::report;
use super::terminal::Terminal;
use crate::identity::{self, Running};
use crate::settings::{Server, Settings};

const PERIOD: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug, Args)]
pub(super) struct Arguments {
    /// Again every second, until Ctrl-C or the end of the daemon
    #[arg(long)]
    watch: bool,
    /// The report as JSON, as `GET /v1/status` gives it
    #[arg(long)]
    json: bool,
}

/// Prints what the running daemon says about itself.
pub(super) async fn run(arguments: &Arguments, settings: &Settings, home: &Path, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let running = identity::find_running(home).ok_or_else(|| anyhow!("no daemon is running; `shammah daemon` starts one"))?;
    if arguments.watch {
        tokio::select! {
            outcome = watch(running, arguments.json, &settings.server, home, terminal) => outcome?,
            signal = tokio::signal::ctrl_c() => signal.context("signals cannot be awaited")?,
        }
    } else {
        let text = look(&Client::new(&running, &settings.server)?, arguments.json).await?;
        terminal.print(&text)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Shows one report after the other until the daemon ends; its successor at another address is not another daemon.
async fn watch(mut running: Running, json: bool, server: &Server, home: &Path, terminal: &Terminal) -> anyhow::Result<()> {
    let mut client = Client::new(&running, server)?;
    let mut ticks = tokio::time::interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut is_first, mut answers) = (true, true);
    loop {
        ticks.tick().await;
        match look(&client, json).await {
            Ok(text) if json => terminal.print(&text)?,
            Ok(text) => terminal.page(&text, is_first)?,
            Err(error) => {
                let Some(now) = identity::find_running(home) else {
                    terminal.note("the daemon has ended");
                    return Ok(());
                };
                if now != running {
                    client = Client::new(&now, server)?;
                    running = now;
                } else if answers {
                    // A daemon that stops closes its door first.
                    terminal.note(&format!("{error:#}"));
                    answers = false;
                }
                continue;
            }
        }
        (is_first, answers) = (false, true);
    }
}

async fn look(client: &Client, json: bool) -> anyhow::Result<String> {
    let text = client.status_text().await?;
    Ok(if json { text + "\n" } else { report::show(&client::read_status(&text)?) })
}
