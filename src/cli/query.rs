//! `shammah query`.

use std::io::{self, IsTerminal, Read};
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use shammah_protocol::ModelId;

use super::client::Client;
use super::failure::{INTERRUPTED, Usage};
use super::local::Local;
use super::question::{Arguments, Question};
use super::reply::Reply;
use super::terminal::Terminal;
use crate::identity;
use crate::parts::parts;
use crate::settings::Settings;
use crate::telemetry;

/// After this time whoever waits is told for what.
const SILENT: Duration = Duration::from_secs(2);
/// Whoever sets it wants to see the log, which this command does not show otherwise.
const LOG_FILTER: &str = "SHAMMAH_LOG";
const DEMO_NOTICE: &str =
    "This is the embedded demo model: small, and no assistant. For a real one: --model PATH (a GGUF file or a folder with safetensors).";

/// Who makes the answer.
#[derive(Debug)]
enum Answering {
    Daemon(Reply),
    Here(Local),
}

/// Prints the answer while it is made. `asks_for_model`: the model in the settings comes from the command line.
pub(super) async fn run(
    arguments: Arguments,
    asks_for_model: bool,
    settings: &Settings,
    home: &Path,
    terminal: &Terminal,
) -> anyhow::Result<ExitCode> {
    tokio::select! {
        outcome = answer(arguments, asks_for_model, settings, home, terminal) => outcome.map(|()| ExitCode::SUCCESS),
        signal = tokio::signal::ctrl_c() => {
            signal.context("signals cannot be awaited")?;
            terminal.end_line()?;
            Ok(INTERRUPTED.into())
        }
    }
}

async fn answer(arguments: Arguments, asks_for_model: bool, settings: &Settings, home: &Path, terminal: &Terminal) -> anyhow::Result<()> {
    let piped = piped(terminal).await?;
    let question = Question::new(arguments, piped.as_deref())?;
    let mut answering = match daemon(asks_for_model, settings, home, terminal).await? {
        Some(client) => Answering::Daemon(client.ask(&question).await?),
        None => {
            if std::env::var_os(LOG_FILTER).is_some() {
                telemetry::start(&settings.log);
            }
            if question.has_session() {
                terminal.note("note: no daemon answers, so nothing is remembered of this session");
            }
            Answering::Here(Local::ask(&question, settings, terminal).await?)
        }
    };
    if answering.model() == Some(shammah_engine::DEMO_ID) {
        terminal.hint(DEMO_NOTICE);
    }
    let mut ends_line = false;
    while let Some(text) = answering.next().await? {
        terminal.print(&text)?;
        ends_line = text.ends_with('\n');
    }
    if !ends_line {
        terminal.print("\n")?;
    }
    if let Answering::Here(local) = answering {
        local.stop().await;
    }
    Ok(())
}

/// The daemon, if one runs, answers, and does so with the model that was asked for.
async fn daemon(asks_for_model: bool, settings: &Settings, home: &Path, terminal: &Terminal) -> anyhow::Result<Option<Client>> {
    let Some(running) = identity::find_running(home) else { return Ok(None) };
    let client = Client::new(&running, &settings.server)?;
    if !client.is_alive().await {
        terminal.note(&format!("note: the daemon (process {}) does not answer, so this process does", running.pid));
        return Ok(None);
    }
    if asks_for_model {
        let wanted = parts(settings).source.models().into_iter().next().unwrap_or(ModelId::from(""));
        if !client.answers_with(&wanted).await? {
            return Ok(None);
        }
    }
    Ok(Some(client))
}

impl Answering {
    fn model(&self) -> Option<&str> {
        match self {
            Self::Daemon(reply) => reply.model(),
            Self::Here(local) => Some(local.model.as_str()),
        }
    }

    async fn next(&mut self) -> anyhow::Result<Option<String>> {
        match self {
            Self::Daemon(reply) => reply.next().await,
            Self::Here(local) => local.next().await,
        }
    }
}

/// Standard input to its end, unless it is a terminal.
async fn piped(terminal: &Terminal) -> anyhow::Result<Option<String>> {
    if io::stdin().is_terminal() {
        return Ok(None);
    }
    let mut reading = tokio::task::spawn_blocking(|| {
        let mut bytes = Vec::new();
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    });
    let read = tokio::select! {
        read = &mut reading => read,
        () = tokio::time::sleep(SILENT) => {
            terminal.note("note: waiting for the end of standard input; `< /dev/null` gives none");
            reading.await
        }
    };
    let bytes = read?.context("standard input cannot be read")?;
    let text = String::from_utf8(bytes).map_err(|_| Usage("standard input is not UTF-8 text".into()))?;
    Ok(Some(text))
}
