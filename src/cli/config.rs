//! `shammah config`.

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use super::terminal::Terminal;
use crate::settings::{FILE_NAME, Settings};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say whether the settings are valid, and what is wrong with them
    #[command(after_help = "Example: shammah config check")]
    Check,
    /// Print all settings that are in force, as a settings file; API keys are masked
    #[command(after_help = "Example: SHAMMAH__LOG__LEVEL=debug shammah config show")]
    Show,
}

/// Does what was asked with settings that were read, and so are valid.
pub(super) fn run(arguments: &Arguments, settings: &Settings, home: &Path, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    match arguments.action {
        Action::Check => {
            let file = home.join(FILE_NAME);
            let origin = if file.exists() { "read from" } else { "without a file: there is no" };
            terminal.print(&format!("ok, {origin} {}\n", file.display()))?;
        }
        Action::Show => terminal.print(&settings.to_toml())?,
    }
    Ok(ExitCode::SUCCESS)
}
