//! The command line.

mod client;
mod config;
mod events;
mod failure;
mod figures;
mod local;
mod query;
mod question;
mod reply;
mod report;
mod status;
mod stop;
mod synthetic;
mod terminal;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::settings::{self, Settings};
use crate::{daemon, os, telemetry};
use failure::Usage;
use terminal::Terminal;

/// A local-first agent server: your own model behind Anthropic's and OpenAI's protocols.
#[derive(Debug, Parser)]
#[command(
    name = "shammah",
    version,
    arg_required_else_help = true,
    after_help = "Example: shammah query \"What is the capital of France?\""
)]
struct Arguments {
    /// The model that answers: a GGUF file or a folder with safetensors. Without one, the embedded demo model
    #[arg(long, global = true, value_name = "PATH")]
    model: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the server in the foreground, until SIGINT, SIGTERM or `shammah stop`
    #[command(after_help = "Example: shammah daemon --bind 127.0.0.1:0 --model qwen2.5-3b-instruct-q8_0.gguf")]
    Daemon(DaemonArguments),
    /// Ask a question: the daemon answers if one runs, this process otherwise
    #[command(after_help = "Examples:\n  shammah query \"Tell me a story.\"\n  git diff | shammah query \"What does this change?\"")]
    Query(question::Arguments),
    /// Show the running daemon: its model, its load, its tree of actors
    #[command(after_help = "Example: shammah status --watch")]
    Status(status::Arguments),
    /// Stop the running daemon, once it has finished the answers in the making
    #[command(after_help = "Example: shammah stop")]
    Stop,
    /// Check or show the settings
    #[command(after_help = "Example: shammah config check")]
    Config(config::Arguments),
    /// Write a model of random weights in a true shape, for tests and measurements
    #[command(after_help = "Example: shammah model --synthetic qwen2.5-0.5b --type q8_0 --output /tmp/random.gguf")]
    Model(synthetic::Arguments),
}

#[derive(Debug, Args)]
struct DaemonArguments {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS")]
    bind: Option<SocketAddr>,
}

/// Runs the program, arguments with its own name first, to its exit code: 0; 1 for a failure; 64 for wrong usage or settings; 70 if
/// the daemon gave up; 130 if it was interrupted.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let terminal = Terminal::new();
    match Arguments::try_parse_from(arguments) {
        Ok(arguments) => dispatch(arguments, &terminal).unwrap_or_else(|error| failure::report(&error, &terminal)),
        Err(words) => {
            // If nobody reads it, nobody misses it.
            let _ = words.print();
            if words.use_stderr() { failure::USAGE.into() } else { ExitCode::SUCCESS }
        }
    }
}

fn dispatch(arguments: Arguments, terminal: &Terminal) -> anyhow::Result<ExitCode> {
    let home = settings::home().ok_or(Usage("there is no home folder; set SHAMMAH_HOME".into()))?;
    let loaded = Settings::load(&home, std::env::vars_os(), &arguments.flags()?);
    let settings = match arguments.command {
        // What runs can be stopped, whatever the settings have become.
        Command::Stop => loaded.unwrap_or_default(),
        _ => loaded?,
    };
    os::prepare(&settings);
    match arguments.command {
        Command::Config(arguments) => return config::run(&arguments, &settings, &home, terminal),
        Command::Model(arguments) => return synthetic::run(&arguments, terminal),
        Command::Daemon(_) => telemetry::start(&settings.log),
        Command::Query(_) | Command::Status(_) | Command::Stop => {}
    }
    let runtime = daemon::runtime(&settings)?;
    let outcome = runtime.block_on(async {
        let asks_for_model = arguments.model.is_some();
        match arguments.command {
            Command::Query(arguments) => Box::pin(query::run(arguments, asks_for_model, &settings, &home, terminal)).await,
            Command::Status(arguments) => status::run(&arguments, &settings, &home, terminal).await,
            Command::Stop => stop::run(&settings, &home, terminal).await,
            _ => Box::pin(daemon::run(settings, home)).await,
        }
    });
    // Nobody waits for what still runs: a load that was interrupted, a read of standard input.
    runtime.shutdown_background();
    outcome
}

impl Arguments {
    /// The settings among the arguments, by their keys.
    fn flags(&self) -> anyhow::Result<Vec<(String, String)>> {
        let mut flags = Vec::new();
        if let Some(path) = &self.model {
            let path = path.to_str().ok_or_else(|| Usage(format!("the path {} is not UTF-8", path.display())))?;
            flags.push(("models.path".to_owned(), path.to_owned()));
        }
        if let Command::Daemon(DaemonArguments { bind: Some(address) }) = &self.command {
            flags.push(("server.bind_address".to_owned(), address.to_string()));
        }
        Ok(flags)
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_consistent_and_every_command_has_an_example() {
        let command = Arguments::command();
        command.clone().debug_assert();
        for command in command.get_subcommands() {
            assert!(command.get_after_help().is_some(), "{}", command.get_name());
        }
    }

    #[test]
    fn flags_are_settings() {
        let arguments = Arguments::try_parse_from(["shammah", "daemon", "--bind", "[::1]:0", "--model", "a.gguf"]).unwrap();
        let flags = arguments.flags().unwrap();
        let home = tempfile::tempdir().unwrap();
        let settings = Settings::load(home.path(), [], &flags).unwrap();
        assert_eq!(settings.models.path, Some(PathBuf::from("a.gguf")));
        assert_eq!(settings.server.bind_address, "[::1]:0".parse().unwrap());
    }

    #[test]
    fn a_model_can_be_named_before_and_after_the_command() {
        for line in [["shammah", "--model", "m", "status"], ["shammah", "status", "--model", "m"]] {
            assert_eq!(Arguments::try_parse_from(line).unwrap().model, Some(PathBuf::from("m")));
        }
    }
}
