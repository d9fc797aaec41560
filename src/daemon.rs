//! The program as a daemon: binds, claims the home folder, starts the tree, and waits for a signal or the end.

mod signals;
mod taken;

use std::io;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use shammah_actors::{Blueprint, Door, Ending, Handles};
use shammah_protocol::status::ModelState;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

use crate::http::Http;
use crate::identity::Identity;
use crate::parts::parts;
use crate::settings::Settings;
use signals::Signals;

/// The root gave up: whoever started the process should start it again (EX_SOFTWARE of sysexits.h).
const GAVE_UP: u8 = 70;
/// How long open streams have for their last event when the root has given up.
const GOODBYE: Duration = Duration::from_secs(1);
/// Machines of this size share their cores between the engine and everything else.
const SMALL: usize = 4;

/// The runtime that everything but the engine runs on.
///
/// # Errors
/// If the system has no threads to give.
pub fn runtime(settings: &Settings) -> anyhow::Result<Runtime> {
    let cores = settings.engine.thread_count();
    let workers = if cores <= SMALL { 2 } else { 4 };
    // What blocks computes (templates, tokens, a load): more threads than cores would only wait for each other.
    Builder::new_multi_thread()
        .worker_threads(workers)
        .max_blocking_threads(cores + 1)
        .enable_all()
        .build()
        .context("the runtime cannot be started")
}

/// Runs in the foreground until a signal comes or the tree gives up.
///
/// # Errors
/// If it cannot start, in a sentence that says what to do.
pub async fn run(settings: Settings, home: PathBuf) -> anyhow::Result<ExitCode> {
    let mut signals = Signals::listen()?;
    let listener = match settings.server.enabled {
        true => Some(bind(&settings, &home).await?),
        false => None,
    };
    let address = listener.as_ref().map_or(Ok(settings.server.bind_address), TcpListener::local_addr)?;
    let identity = Identity::claim(&home, address)?;

    let blueprint = Blueprint::new(parts(&settings));
    let handles = blueprint.handles();
    let door = listener.map(|listener| {
        tracing::info!(version = env!("CARGO_PKG_VERSION"), pid = std::process::id(), "shammah listens on http://{address}");
        Door { listener: Arc::new(listener), serve: Arc::new(Http::new(&settings, handles.clone())) }
    });
    let mut system = blueprint.start(door).await.map_err(|error| anyhow::anyhow!("the actors cannot be started: {error}"))?;
    let announcing = tokio::spawn(announce(handles.clone()));

    let ending = tokio::select! {
        signal = signals.next() => {
            tracing::info!(signal, grace_seconds = settings.shutdown.grace.as_secs(), "stopping; a second signal ends open streams at once");
            let shutdown = handles.shutdown.clone();
            tokio::select! {
                ending = system.stop() => ending,
                () = async { signals.next().await; shutdown.abort(); std::future::pending().await } => Ending::Stopped,
            }
        }
        ending = system.gave_up() => {
            // Streams that are still open get their one error.
            handles.shutdown.abort();
            let _ = timeout(GOODBYE, handles.idle()).await;
            ending
        }
    };
    announcing.abort();
    drop(identity);
    Ok(match ending {
        Ending::Stopped => {
            tracing::info!("stopped");
            ExitCode::SUCCESS
        }
        Ending::GaveUp => {
            tracing::error!("the root supervisor gave up; start the daemon again");
            ExitCode::from(GAVE_UP)
        }
    })
}

async fn bind(settings: &Settings, home: &std::path::Path) -> anyhow::Result<TcpListener> {
    let address = settings.server.bind_address;
    match TcpListener::bind(address).await {
        Ok(listener) => Ok(listener),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => Err(taken::explain(address, home).await),
        Err(error) => Err(error).with_context(|| format!("{address} cannot be bound")),
    }
}

/// Says who answers, once that is known.
async fn announce(handles: Handles) {
    let status = handles.settled().await;
    match (status.state, status.model) {
        (ModelState::Ready, Some(model)) => {
            tracing::info!(model = model.id, parameters = model.parameters, quantization = model.quantization, "ready");
            if let Some(notice) = model.notice {
                tracing::info!("{notice}");
            }
        }
        _ => tracing::error!(error = status.error, "no model answers"),
    }
}
